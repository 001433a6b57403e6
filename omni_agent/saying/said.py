"""Words to say, and where each of them is in what was written."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Said:
    """reach: for each character of ``text``, how many written ones have been said with it.

    What was put in other words is said with the last letter of these, not before: of
    "$1,250" nothing is said by "one thousand". length: of what was written.
    """

    text: str
    reach: Sequence[int]
    length: int

    @staticmethod
    def as_written(text: str) -> Said:
        return Said(text, range(1, len(text) + 1), len(text))

    def written(self, said: int) -> int:
        """How many written characters have been said with the first ``said`` of the words."""
        if said >= len(self.text):
            return self.length
        return self.reach[said - 1] if said > 0 else 0

    def sub(self, pattern: re.Pattern[str], words: Callable[[re.Match[str]], str]) -> Said:
        """What ``pattern`` matches, in ``words``; what these have in common with it stays."""
        parts: list[str] = []
        reach: list[int] = []
        at = 0
        for match in pattern.finditer(self.text):
            said = words(match)
            if said == match[0]:
                continue
            start, end, new = _change(match, said)
            parts += self.text[at:start], new
            reach += self.reach[at:start]
            reach += self._reached(start, end, len(new))
            at = end
        if not parts:
            return self
        return Said("".join([*parts, self.text[at:]]), [*reach, *self.reach[at:]], self.length)

    def _reached(self, start: int, end: int, count: int) -> list[int]:
        """Of ``count`` characters that stand for those from ``start`` to ``end``."""
        if not count:
            return []
        before = self.reach[start - 1] if start else 0
        return [before] * (count - 1) + [self.reach[end - 1] if end else 0]


def _change(match: re.Match[str], said: str) -> tuple[int, int, str]:
    """Where the text changes, and to what, without what is the same before and after."""
    old = match[0]
    head = _common(old, said)
    tail = _common(old[head:][::-1], said[head:][::-1])
    return match.start() + head, match.end() - tail, said[head : len(said) - tail]


def _common(one: str, other: str) -> int:
    """How many characters at the beginning are the same."""
    pairs = zip(one, other, strict=False)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))
