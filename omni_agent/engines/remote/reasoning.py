"""Telling a leading ``<think>`` block from the answer, for servers that do not."""

from __future__ import annotations

from collections.abc import Iterator

from omni_agent.thinker import ReasoningDelta, TextDelta

_OPEN, _CLOSE = "<think>", "</think>"


class ReasoningSplitter:
    """Content in, cut anywhere; reasoning and text out.

    Only blocks before the first word of the answer are reasoning: a tag the answer
    speaks of is text. White space around such a block is dropped.
    """

    def __init__(self) -> None:
        self._held = ""
        self._inside = self._answering = self._reasoned = False

    def push(self, content: str) -> Iterator[ReasoningDelta | TextDelta]:
        self._held += content
        while self._held and not self._answering:
            if self._inside:
                yield from self._reason()
                if self._inside:
                    return
                continue
            start = self._held.lstrip()
            if start.startswith(_OPEN):
                self._held, self._inside, self._reasoned = start[len(_OPEN) :], True, True
            elif _OPEN.startswith(start):
                return  # white space, or the beginning of a tag: what follows will tell
            else:
                self._held = start if self._reasoned else self._held
                self._answering = True
        if self._held:
            yield TextDelta(self._held)
            self._held = ""

    def finish(self) -> Iterator[ReasoningDelta | TextDelta]:
        """What was held back for a tag that did not come."""
        held, self._held = self._held, ""
        if self._inside:
            if held:
                yield ReasoningDelta(held)
        elif text := held.lstrip() if self._reasoned else held:
            yield TextDelta(text)

    def _reason(self) -> Iterator[ReasoningDelta]:
        """The block's text up to its end, or up to what may be the beginning of its end."""
        before, closed, after = self._held.partition(_CLOSE)
        if closed:
            self._held, self._inside = after, False
        else:
            kept = next(
                (n for n in range(len(_CLOSE) - 1, 0, -1) if before.endswith(_CLOSE[:n])), 0
            )
            before, self._held = before[: len(before) - kept], before[len(before) - kept :]
        if before:
            yield ReasoningDelta(before)
