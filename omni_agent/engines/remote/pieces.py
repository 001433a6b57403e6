"""Tool calls from the pieces that servers send them in."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from omni_agent.engines.remote.arguments import complete
from omni_agent.errors import EngineError

_MOST_CALLS = 16
_LONGEST_NAME = 256
_LONGEST_ARGUMENTS = 100_000


@dataclass(slots=True)
class Call:
    """id: the server's, to tell pieces apart. index: likewise. arguments: as written so far.
    extra: what the server wants back with it.
    """

    id: str = ""
    index: int | None = None
    name: str = ""
    arguments: str = ""
    begun: bool = False
    extra: Any = None

    def add(self, written: str) -> None:
        self.arguments += written
        if len(self.arguments) > _LONGEST_ARGUMENTS:
            raise EngineError("the server sent a call without end")


@dataclass(slots=True)
class CallPieces:
    """Which piece belongs to which call.

    OpenAI numbers calls by ``index`` and names each once. Others count all as 0 (Gemini,
    Ollama) or not at all, repeat the name or the id with each piece, make up a new id for each
    piece, or send a call whole. tools: the names on offer.
    """

    tools: Collection[str] = ()
    calls: list[Call] = field(default_factory=list)

    def add(self, pieces: Any) -> Iterator[Call]:
        """Take a delta's ``tool_calls``; gives the calls that are known to have begun."""
        if isinstance(pieces, Mapping):  # TGI sends the one
            pieces = [pieces]
        if not isinstance(pieces, list):
            return
        for position, piece in enumerate(pieces):
            if isinstance(piece, Mapping):
                call = self._add(piece, position if len(pieces) > 1 else None)
                # The name is whole once the arguments begin.
                if call and call.arguments and call.name and not call.begun:
                    call.begun = True
                    yield call

    def open(self, name: str, written: str, index: int | None = None, ident: str = "") -> Call:
        """A new call."""
        if len(self.calls) >= _MOST_CALLS:
            raise EngineError(f"the server made more than {_MOST_CALLS} calls at once")
        call = Call(ident, index, _grown("", name))
        call.add(written)
        self.calls.append(call)
        return call

    def _add(self, piece: Mapping[str, Any], position: int | None) -> Call | None:
        function = piece.get("function", piece)
        if not isinstance(function, Mapping):
            return None
        name, written = _text(function.get("name")), _written(function.get("arguments"))
        ident, index = _text(piece.get("id")), _index(piece.get("index"))
        call = self._continued(index, ident, name, written, position)
        if call is None and not (name or ident or written):
            return None
        if call is None:
            call = self.open(name, written, index, ident)
        else:
            call.id = call.id or ident
            call.name = _grown(call.name, name)
            call.add(written)
        call.extra = call.extra or piece.get("extra_content")
        return call

    def _continued(
        self, index: int | None, ident: str, name: str, written: str, position: int | None
    ) -> Call | None:
        """The call that a piece goes on with; None when it begins another."""
        slot = self._slot(index, ident, position if not name else None)
        if slot is None or not name or not slot.name or _unfinished(slot.arguments):
            return slot
        if ident and slot.id and ident != slot.id:
            return None
        if name == slot.name:
            again = not slot.arguments or not written.strip()
        else:  # a name in pieces, unless it is another tool's
            again = not slot.arguments and name not in self.tools
        return slot if again else None

    def _slot(self, index: int | None, ident: str, position: int | None) -> Call | None:
        """The latest call with this id or, else, of this number."""
        for call in reversed(self.calls):
            if ident and call.id == ident and index in (None, call.index):
                return call
        if index is not None:
            return next((call for call in reversed(self.calls) if call.index == index), None)
        if position is not None and position < len(self.calls):
            return self.calls[position]
        return self.calls[-1] if self.calls else None


def _unfinished(written: str) -> bool:
    return bool(written) and not complete(written)


def _grown(name: str, more: str) -> str:
    """A name comes at once, in pieces, again with each piece, or a bit longer each time."""
    if more == name:
        return name
    grown = more if more.startswith(name) else name + more
    if len(grown) > _LONGEST_NAME:
        raise EngineError("the server sent a tool's name without end")
    return grown


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _index(value: Any) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value[:9])
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _written(value: Any) -> str:
    """Arguments as JSON; some servers send the object itself."""
    if isinstance(value, Mapping | list):
        return json.dumps(value)
    return _text(value)
