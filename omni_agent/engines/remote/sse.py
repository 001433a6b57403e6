"""Server-sent events with JSON in them, as chat servers stream their chunks.

The format is WHATWG's ("Server-sent events", 9.2.6), read as loosely as servers write it:
without blank lines between events, with ``error:`` as a field, as plain JSON where no stream
is made.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass
from typing import Any, Final

import httpx

from omni_agent.engines.remote.bounded_json import loads
from omni_agent.engines.remote.server import pieces
from omni_agent.errors import EngineError


@dataclass(frozen=True, slots=True)
class Bounds:
    """line: bytes of a line, or of an event. whole: bytes of all of a reply, comments included."""

    line: int
    whole: int


TEXT = Bounds(1 << 20, 32 << 20)
"""A chunk is a few hundred bytes, most often a token: 64,000 tokens of thought and answer, of
which ``max_tokens`` lets 4,096 be said."""
SPEECH = Bounds(16 << 20, 160 << 20)
"""A server may send a whole reply's speech as one line: 3.8 MB of base64 a minute; a quarter of
an hour (``ReplySound``) at twice that rate, and its text."""
_LONGEST_PLAIN = 1 << 16
"""Characters of a body that has no event in it: an error page, or a refusal as JSON."""
_LINE_END = re.compile(rb"\r\n|\n|\r")
_FIELD = re.compile(r"(data|error): ?(.*)", re.DOTALL)
_BOM = b"\xef\xbb\xbf"


class _Done:
    """The server's ``[DONE]``."""


DONE: Final = _Done()


async def events(response: httpx.Response, bounds: Bounds = TEXT) -> AsyncGenerator[Any, None]:
    """The events' JSON, then DONE if the server says so; what follows it is not read.

    Raises EngineError for anything unreadable.
    """
    reader = EventReader(bounds)
    async for piece in pieces(response):
        for event in reader.push(piece):
            yield event
            if event is DONE:
                return
    for event in reader.finish():
        yield event


class EventReader:
    """Bytes in, cut anywhere; events out."""

    def __init__(self, bounds: Bounds = TEXT) -> None:
        self._bounds, self._come = bounds, 0
        self._lines = LineReader(bounds.line)
        self._data: list[str] = []
        self._size = 0
        self._plain: list[str] | None = []
        """The body as long as it has no event in it; it may be one JSON value."""

    def push(self, piece: bytes) -> Iterator[Any]:
        self._come += len(piece)
        if self._come > self._bounds.whole:
            raise EngineError("the server sent a reply without end")
        for line in self._lines.push(piece):
            yield from self._line(line)

    def finish(self) -> Iterator[Any]:
        for line in self._lines.finish():
            yield from self._line(line)
        yield from self._dispatch()
        if self._plain is not None:
            yield self._body("\n".join(self._plain))

    def _line(self, line: str) -> Iterator[Any]:
        if not line:
            yield from self._dispatch()
        elif field := _FIELD.match(line):
            if self._plain is not None:
                self._plain, self._size = None, 0
            yield from self._field(field[1], field[2])
        elif self._plain is not None and not line.startswith(":"):
            self._grow(line, _LONGEST_PLAIN)
            self._plain.append(line)

    def _field(self, name: str, value: str) -> Iterator[Any]:
        if name == "error":  # llama.cpp
            yield {"error": _value(value, value)}
        elif self._data:
            self._grow(value, self._bounds.line)
            self._data.append(value)
        elif value.strip() == "[DONE]":
            yield DONE
        elif value.strip():
            event = _value(value, None)
            if event is not None:
                yield event  # not waiting for a blank line that may never come
            else:
                self._size = len(value)
                self._data = [value]

    def _dispatch(self) -> Iterator[Any]:
        """What several lines said together."""
        data, self._data = "\n".join(self._data), []
        if data:
            event = _value(data, None)
            if event is None:
                raise EngineError(f"the server sent what is not JSON: {data[:80]!r}")
            yield event

    def _grow(self, line: str, most: int) -> None:
        self._size += len(line) + 1
        if self._size > most:
            raise EngineError("the server sent an event without end")

    def _body(self, text: str) -> Any:
        event = _value(text, None)
        if not isinstance(event, dict):
            raise EngineError("the server sent no stream: is this an OpenAI-compatible address?")
        return event


class LineReader:
    """Bytes in, cut anywhere; lines out, each of bounded length."""

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._held = bytearray()
        self._returned = False  # the last byte was a carriage return: a newline belongs to it
        self._first = True

    def push(self, piece: bytes) -> Iterator[str]:
        if self._returned and piece.startswith(b"\n"):
            piece = piece[1:]
        if not piece:
            return
        self._returned = piece.endswith(b"\r")
        first, *rest = _LINE_END.split(piece)
        self._held += first
        for following in rest:
            yield self._line()
            self._held += following
        if len(self._held) > self._longest:
            raise EngineError("the server sent a line without end")

    def finish(self) -> Iterator[str]:
        if self._held:
            yield self._line()

    def _line(self) -> str:
        line, self._held = self._held, bytearray()
        if self._first:
            self._first = False
            line = line.removeprefix(_BOM)
        return line.decode("utf-8", "replace")


def _value(text: str, otherwise: Any) -> Any:
    try:
        return loads(text)
    except (ValueError, RecursionError):
        return otherwise
