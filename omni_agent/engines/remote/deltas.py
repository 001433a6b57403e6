"""From the chunks of a streamed chat completion to thoughts."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from omni_agent.engines.remote.arguments import arguments
from omni_agent.engines.remote.asking import TRANSIENT, Lost
from omni_agent.engines.remote.content import Content
from omni_agent.engines.remote.keepsakes import Keepsakes
from omni_agent.engines.remote.markup import Written
from omni_agent.engines.remote.pieces import Call, CallPieces
from omni_agent.errors import EngineError
from omni_agent.streams import Halves
from omni_agent.thinker import (
    MalformedCall,
    ReasoningDelta,
    TextDelta,
    Thought,
    ToolCallBegun,
    ToolCallRequest,
    ToolSchema,
    Usage,
)

log = logging.getLogger(__name__)

_MOST_TEXT = 1 << 20
"""Characters of one reply, reasoning and calls included: more than any model's longest output."""
_CUT = frozenset({"length", "max_tokens", "model_length"})
_REASONING = ("reasoning_content", "reasoning", "thinking")
_SPOKEN_PARTS = frozenset({"text", "output_text"})


class ChunkReader:
    """Reads chunks in order; ``finish`` gives the calls.

    tests/engines/remote/test_streams.py lists what servers are known to send.
    """

    def __init__(
        self,
        tools: Sequence[ToolSchema] = (),
        habits: set[str] | None = None,
        keepsakes: Keepsakes | None = None,
    ) -> None:
        """tools: what was offered. habits: the server's (see ``Content``); kept up to date.
        keepsakes: where to put what the server wants back with its calls.
        """
        named = {tool.name: tool for tool in tools}
        self._content = Content(named, set() if habits is None else habits)
        self._thinking, self._pieces = Halves(), CallPieces(named)
        self._written = CallPieces()  # those that were left in the text
        self._unread: list[Thought] = []
        self._keepsakes = keepsakes
        self._usage: Usage | None = None
        self._size = 0
        self._reason = ""
        self._said = False

    @property
    def begun(self) -> bool:
        """True once something was said, thought or called, though it may be held back."""
        return self._size > 0 or self.calling

    @property
    def stopped(self) -> bool:
        """True once the server has said that the completion is over."""
        return bool(self._reason)

    @property
    def done(self) -> bool:
        return False

    @property
    def calling(self) -> bool:
        """True once there is a call among what was read."""
        return bool(self._pieces.calls or self._written.calls or self._unread)

    def read(self, chunk: Any) -> Iterator[Thought]:
        """Raises Lost for a chunk that is an error, EngineError for one that cannot be read."""
        if not isinstance(chunk, Mapping):
            raise EngineError(f"the server sent {type(chunk).__name__} where a chunk was expected")
        if isinstance(usage := chunk.get("usage"), Mapping):
            self._usage = _usage(usage)
        choices = chunk.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        if error := _error(chunk, choice):
            raise error
        if isinstance(choice, Mapping):
            yield from self._choice(choice)

    def finish(self, *, ended: bool) -> Iterator[Thought]:
        """What is left: text that was held back, the calls in order, the usage.

        ended: the server has said that this is all; otherwise the line broke off, and a
        call may be half of one.
        """
        yield from self._texts(self._content.finish())
        if half := self._thinking.finish():
            yield ReasoningDelta(half)
        requests = [self._requests(call, ended=ended) for call in self._pieces.calls]
        sent = [request for some in requests for request in some]
        yield from sent
        for call in self._written.calls:  # some servers send them as calls as well
            for request in self._requests(call, ended=ended):
                if not any(_same(request, other) for other in sent):
                    yield request
        yield from self._unread
        self._warn()
        if self._usage:
            yield self._usage

    # -- what a chunk says ----------------------------------------------------------------

    def _choice(self, choice: Mapping[str, Any]) -> Iterator[Thought]:
        if isinstance(reason := choice.get("finish_reason"), str) and reason:
            self._reason = reason
        delta = choice.get("delta")
        if delta is None and not (self._said or self.calling):  # an answer that is no stream
            delta = choice.get("message") or {"content": choice.get("text")}
        if not isinstance(delta, Mapping):
            return
        reasoning = next((t for key in _REASONING if (t := _text(delta.get(key)))), "")
        yield from self._thought(reasoning)
        yield from self._parts(delta.get("content"))
        yield from self._text(_text(delta.get("refusal")))
        calls = delta.get("tool_calls") or delta.get("function_call")
        for call in self._pieces.add(calls):
            yield ToolCallBegun(call.name)

    def _parts(self, content: Any) -> Iterator[Thought]:
        """A text, or (Mistral, and who passes Anthropic's on) a list of parts."""
        if isinstance(content, str):
            yield from self._text(content)
        if not isinstance(content, list):
            return
        for part in content:
            if not isinstance(part, Mapping):
                continue
            kind, thinking = part.get("type"), part.get("thinking")
            if kind == "thinking" and isinstance(thinking, list):
                thinking = "".join(_text(t.get("text")) for t in thinking if isinstance(t, Mapping))
            if kind == "thinking":
                yield from self._thought(_text(thinking))
            elif kind in _SPOKEN_PARTS:
                yield from self._text(_text(part.get("text")))

    def _thought(self, reasoning: str) -> Iterator[Thought]:
        self._grow(reasoning)
        if text := self._thinking.push(reasoning):
            yield ReasoningDelta(text)

    def _text(self, text: str) -> Iterator[Thought]:
        self._grow(text)
        yield from self._texts(self._content.push(text))

    def _texts(self, said: Iterator[Any]) -> Iterator[Thought]:
        for each in said:
            match each:
                case Written(name, written):
                    self._written.open(name, written)
                    yield ToolCallBegun(name)
                case MalformedCall():
                    self._unread.append(each)
                case _:
                    self._said = self._said or isinstance(each, TextDelta)
                    yield each

    def _grow(self, text: str) -> None:
        self._size += len(text)
        if self._size > _MOST_TEXT:
            raise EngineError("the server sent a reply without end")

    # -- what it comes to -------------------------------------------------------------------

    def _requests(self, call: Call, *, ended: bool) -> Iterator[Thought]:
        raw = f"{call.name}({call.arguments})"
        cut = self._reason in _CUT
        if not ended or (cut and not call.arguments):
            yield MalformedCall(raw, "the reply was cut off")
            return
        if not call.name:
            yield MalformedCall(raw, "a call without a name")
            return
        try:
            every = arguments(call.arguments)
        except ValueError as error:
            reason = "the reply was cut off" if cut else f"arguments cannot be read: {error}"
            yield MalformedCall(raw, reason)
            return
        for given in every:
            request = ToolCallRequest(_call_id(), call.name, given)
            if call.extra and self._keepsakes:
                self._keepsakes.keep(request.call_id, call.extra)
            yield request

    def _warn(self) -> None:
        if self._said or self.calling:
            return
        if self._reason in _CUT:
            log.warning("the reply was used up (max_tokens) before its first word: by reasoning?")
        elif self._reason == "content_filter":
            log.warning("the server's content filter let nothing of the reply through")


def _call_id() -> str:
    """The servers' own would not do: some count from 0 in every reply (SGLang, Kimi), some
    send none (Gemini), and Mistral takes nothing but nine letters and digits.
    """
    return uuid.uuid4().hex[:9]


def _same(one: Thought, other: Thought) -> bool:
    return (
        isinstance(one, ToolCallRequest)
        and isinstance(other, ToolCallRequest)
        and (one.name, one.arguments) == (other.name, other.arguments)
    )


def _error(chunk: Mapping[str, Any], choice: Any) -> Lost | None:
    """OpenAI sends an ``error``, OpenRouter one in the choice, vLLM an object of that name."""
    error = chunk.get("error") or (choice.get("error") if isinstance(choice, Mapping) else None)
    if not error and (chunk.get("object") == "error" or chunk.get("type") == "error"):
        error = chunk
    if not error:
        return None
    said, code = error, None
    if isinstance(error, Mapping):
        said, code = error.get("message") or error, error.get("code")
    passing = isinstance(code, int) and code in TRANSIENT
    return Lost(f"the server failed: {str(said)[:200]}", passing=passing)


def _usage(usage: Mapping[str, Any]) -> Usage:
    details = usage.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, Mapping) else 0
    return Usage(
        _count(usage.get("prompt_tokens")), _count(cached), _count(usage.get("completion_tokens"))
    )


def _count(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
