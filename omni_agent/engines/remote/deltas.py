"""From the chunks of a streamed chat completion to thoughts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from omni_agent.conversation import new_id
from omni_agent.engines.remote.reasoning import ReasoningSplitter
from omni_agent.errors import EngineError
from omni_agent.thinker import (
    MalformedCall,
    ReasoningDelta,
    Thought,
    ToolCallBegun,
    ToolCallRequest,
    Usage,
)

_MOST_CALLS = 16
_LONGEST_ARGUMENTS = 100_000


@dataclass(slots=True)
class _Call:
    id: str = ""
    name: str = ""
    arguments: str = ""
    begun: bool = False


@dataclass(slots=True)
class ChunkReader:
    """Reads chunks in order; ``finish`` gives the calls.

    A name or an id may come in pieces or again with each piece, arguments come in
    pieces, and some servers send a call whole without an index: all of it is read.
    So is reasoning, whether the server tells it from content or not.
    """

    _content: ReasoningSplitter = field(default_factory=ReasoningSplitter)
    _calls: dict[int, _Call] = field(default_factory=dict)
    _usage: Usage | None = None
    stopped: bool = False
    cut: bool = False
    done: bool = False

    @property
    def calling(self) -> bool:
        """True once there is a call among what was read."""
        return bool(self._calls)

    def read(self, chunk: Any) -> Iterator[Thought]:
        """Raises EngineError for a chunk that is an error or not a chunk at all."""
        if not isinstance(chunk, Mapping):
            raise EngineError(f"the server sent {type(chunk).__name__} where a chunk was expected")
        if error := chunk.get("error"):
            message = error.get("message") if isinstance(error, Mapping) else error
            raise EngineError(f"the server failed: {message}")
        if isinstance(usage := chunk.get("usage"), Mapping):
            self._usage = _usage(usage)
        choices = chunk.get("choices")
        if not isinstance(choices, list) or not choices or not isinstance(choices[0], Mapping):
            return
        if reason := choices[0].get("finish_reason"):
            self.stopped, self.cut = True, reason == "length"
        delta = choices[0].get("delta")
        if not isinstance(delta, Mapping):
            return
        reasoning = delta.get("reasoning_content") or delta.get("reasoning")
        if isinstance(reasoning, str) and reasoning:
            yield ReasoningDelta(reasoning)
        if isinstance(text := delta.get("content"), str) and text:
            yield from self._content.push(text)
        for position, piece in enumerate(delta.get("tool_calls") or ()):
            if isinstance(piece, Mapping):
                yield from self._piece(position, piece)

    def finish(self) -> Iterator[Thought]:
        """What is left: text that was held back, the calls in order, the usage."""
        yield from self._content.finish()
        for _, call in sorted(self._calls.items()):
            yield self._request(call)
        if self._usage:
            yield self._usage

    def _piece(self, position: int, piece: Mapping[str, Any]) -> Iterator[Thought]:
        index = piece.get("index")
        number = index if isinstance(index, int) else position
        if number not in self._calls and len(self._calls) >= _MOST_CALLS:
            raise EngineError(f"the server made more than {_MOST_CALLS} calls at once")
        call = self._calls.setdefault(number, _Call())
        if isinstance(piece.get("id"), str):
            call.id = call.id or piece["id"]
        function = piece.get("function")
        if not isinstance(function, Mapping):
            return
        if isinstance(name := function.get("name"), str) and name and name != call.name:
            call.name += name
        arguments = function.get("arguments")
        if isinstance(arguments, Mapping):
            arguments = json.dumps(arguments)
        if isinstance(arguments, str):
            call.arguments += arguments
            if len(call.arguments) > _LONGEST_ARGUMENTS:
                raise EngineError("the server sent a call without end")
        # The name is whole once the arguments begin.
        if call.arguments and call.name and not call.begun:
            call.begun = True
            yield ToolCallBegun(call.name)

    def _request(self, call: _Call) -> Thought:
        raw = f"{call.name}({call.arguments})"
        if not call.name:
            return MalformedCall(raw, "a call without a name")
        try:
            arguments = json.loads(call.arguments or "{}")
        except ValueError as error:
            reason = "the reply was cut off" if self.cut else f"arguments are not JSON: {error}"
            return MalformedCall(raw, reason)
        if not isinstance(arguments, dict):
            return MalformedCall(raw, "arguments are not an object")
        return ToolCallRequest(call.id or new_id("call"), call.name, arguments)


def _usage(usage: Mapping[str, Any]) -> Usage:
    details = usage.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, Mapping) else 0
    return Usage(
        _count(usage.get("prompt_tokens")), _count(cached), _count(usage.get("completion_tokens"))
    )


def _count(value: Any) -> int:
    return value if isinstance(value, int) else 0
