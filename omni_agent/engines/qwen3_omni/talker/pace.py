"""Which characters have been voiced: an estimate that never runs ahead of the Talker.

The Talker reads a text token every 80 ms frame, three to four times as fast as
it speaks, and nothing in its output says which one it is voicing. What is certain:
a character it has not read is not voiced, and after the last frame all are. In
between we count on ordinary tempo: about 16 characters a second for alphabets
(160 words a minute), 5 for Chinese and Japanese, and a pause at a sentence's end.
"""

from __future__ import annotations

_SECONDS_ALPHABETIC = 1 / 16
_SECONDS_IDEOGRAPHIC = 1 / 5
_SECONDS_SENTENCE = 0.3
_SENTENCE_ENDS = frozenset(".!?;。！？；\n")


class Pace:
    """Maps seconds of speech to characters of its text."""

    def __init__(self) -> None:
        self._voiced, self._spent = 0, 0.0
        self._costs: list[float] = []

    @property
    def characters(self) -> int:
        """Characters pushed so far."""
        return len(self._costs)

    def push(self, text: str) -> None:
        self._costs.extend(_cost(character) for character in text)

    def voiced(self, seconds: float, read: int) -> int:
        """Characters voiced after ``seconds`` of speech, at most the ``read`` ones. Never falls."""
        limit = min(read, len(self._costs))
        while self._voiced < limit and self._spent + self._costs[self._voiced] <= seconds:
            self._spent += self._costs[self._voiced]
            self._voiced += 1
        return self._voiced


def _cost(character: str) -> float:
    if character in _SENTENCE_ENDS:
        return _SECONDS_SENTENCE
    if "\u3040" <= character <= "\u30ff" or "\u3400" <= character <= "\u9fff":
        return _SECONDS_IDEOGRAPHIC
    return _SECONDS_ALPHABETIC
