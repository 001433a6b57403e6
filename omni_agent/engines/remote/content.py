"""The content of a reply: what is said, what was thought, and calls that were left in it.

Servers without a parser for their model, or with the wrong one, stream the model's output as
it is. None of its marks is ever voiced.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass

from omni_agent.engines.remote.arguments import past
from omni_agent.engines.remote.markup import Written, calls
from omni_agent.errors import EngineError
from omni_agent.marks import CALLS, DROPPED, ENDS, FENCES, REASONING, Mark, Marks, overlap
from omni_agent.streams import Halves
from omni_agent.thinker import MalformedCall, ReasoningDelta, TextDelta, ToolSchema

UNOPENED = "unopened"
"""A habit: reasoning begins with the reply, and only its end is marked. Chat templates that
write the ``<think>`` themselves (DeepSeek R1, QwQ) make servers do so."""
_LONGEST_CALL = 20_000
"""Characters, which are searched for several ways of writing a call when it is complete."""
_CLOSERS = frozenset(REASONING.values())
_ALWAYS = [*REASONING, *_CLOSERS, *CALLS, *filter(None, CALLS.values()), *ENDS, *DROPPED]
_MARKS, _MARKS_AND_FENCES = Marks(set(_ALWAYS)), Marks({*_ALWAYS, *FENCES})
_UNOPENED_END = "</think>"
_SPACE = re.compile(r"\s*")

Reading = TextDelta | ReasoningDelta | Written | MalformedCall
"""What a stretch of text is read as."""


@dataclass(slots=True)
class _Block:
    """What is inside: reasoning, or perhaps a call. end: what closes it; None: the reply's end."""

    begin: str
    end: str | None
    reasoning: bool = False
    sure: bool = True


class Content:
    """Content in, cut anywhere; what it means out. White space before the first word is dropped."""

    def __init__(self, tools: Mapping[str, ToolSchema], habits: set[str]) -> None:
        """tools: on offer. habits: the server's, as far as they are known; kept up to date."""
        self._tools, self._habits = tools, habits
        self._halves = Halves()
        self._held, self._at = "", 0
        """What is not understood yet, and how far it has been read."""
        self._block: _Block | None = None
        self._unsure = UNOPENED in habits  # whether this is an answer, or reasoning, so far
        self._unopened = self._saying = self._over = False
        self._bare = ("{", *(f"[{name}(" for name in tools)) if tools else ()
        """How a reply that is nothing but calls may begin: Llama's JSON, and its Python."""
        self._longest_bare = max(map(len, self._bare), default=0)
        self._marks = _MARKS_AND_FENCES if tools else _MARKS

    def push(self, text: str) -> Iterator[Reading]:
        text = self._halves.push(text)
        if not self._over:
            self._held += text
            yield from self._read(final=False)

    def finish(self) -> Iterator[Reading]:
        """What was held back."""
        self._held += self._halves.finish()
        yield from self._read(final=True)
        if self._unopened:
            self._habits.add(UNOPENED)
        else:
            self._habits.discard(UNOPENED)

    def _read(self, *, final: bool) -> Iterator[Reading]:
        if self._unsure and not self._settled(final=final):
            return
        while self._at < len(self._held) and not self._over:
            if self._block:
                gone_on = yield from self._inside(self._block, final=final)
            else:
                gone_on = yield from self._outside(final=final)
            if not gone_on:
                break
        self._held, self._at = self._held[self._at :], 0

    def _settled(self, *, final: bool) -> bool:
        """Whether it is known now if the reply begins with reasoning that nothing opened."""
        opened = self._held.startswith(tuple(REASONING), past(self._held, 0, _SPACE))
        if not opened and _UNOPENED_END in self._held:
            self._block = _Block("", _UNOPENED_END, reasoning=True)
            self._unopened = True
        elif not opened and not final:
            return False
        self._unsure = False
        return True

    # -- what is said ----------------------------------------------------------------

    def _outside(self, *, final: bool) -> Generator[Reading, None, bool]:
        if not self._saying:
            self._at = past(self._held, self._at, _SPACE)
            if self._held.startswith(self._bare, self._at):
                self._block = _Block("", None, sure=False)
                return True
            begun = self._held[self._at : self._at + self._longest_bare]
            if not final and any(bare.startswith(begun) for bare in self._bare):
                return False
        mark = self._marks.first(self._held, self._at, final=final)
        until = mark.start if isinstance(mark, Mark) else mark
        yield from self._say(self._held[self._at : until])
        self._at = until
        if not isinstance(mark, Mark):
            return False
        self._at = mark.end
        self._marked(mark.text)
        return True

    def _say(self, text: str) -> Iterator[Reading]:
        if text:
            self._saying = True
            yield TextDelta(text)

    def _marked(self, mark: str) -> None:
        if mark in REASONING:
            self._block = _Block(mark, REASONING[mark], reasoning=True)
        elif mark in CALLS:
            self._block = _Block(mark, CALLS[mark])
        elif mark in FENCES:
            self._block = _Block(mark, FENCES[mark], sure=False)
        elif mark in ENDS:
            self._over = self._saying
        elif mark == _UNOPENED_END:
            self._unopened = True

    # -- what is not -------------------------------------------------------------------

    def _inside(self, block: _Block, *, final: bool) -> Generator[Reading, None, bool]:
        begin, whole = self._at, len(self._held)
        end = self._held.find(block.end, begin) if block.end else -1
        if end >= 0 or final:
            end, closer = (end, block.end or "") if end >= 0 else (whole, "")
            self._at, self._block = end + len(closer), None
            yield from self._closed(block, self._held[begin:end], closer)
            return True
        if block.reasoning:
            self._at = max(begin, whole - overlap(self._held, block.end or ""))
            if begin < self._at:
                yield ReasoningDelta(self._held[begin : self._at])
        elif whole - begin > _LONGEST_CALL:
            raise EngineError("the server sent a call without end")
        return False

    def _closed(self, block: _Block, inside: str, end: str) -> Iterator[Reading]:
        if block.reasoning:
            if inside:
                yield ReasoningDelta(inside)
            return
        whole_block = block.begin + inside + end
        found = calls(block.begin + inside if "=" in block.begin else inside, self._tools)
        if not block.sure and not (found and all(call.name in self._tools for call in found)):
            yield from self._say(self._marks.without(whole_block))
        elif found and self._tools:
            yield from found
        else:
            why = "it cannot be read" if self._tools else "no tool was offered"
            yield MalformedCall(whole_block, why)
