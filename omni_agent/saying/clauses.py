"""Cutting a stream of text into clauses that can be voiced one after the other."""

from __future__ import annotations

import re
from dataclasses import dataclass

from omni_agent.saying.language import Phrasing
from omni_agent.text import is_spaceless

_LIMITS = ((2, 5), (4, 9), (6, 16))
"""(words, longest) of the first clauses: after ``words`` a phrase may end without punctuation,
at ``longest`` it must. A clause is spoken at about 2.7 words/s and thought at 8 to 15, so each
may be twice as long as the one that plays meanwhile."""
_LATER_WORDS = 6
_LATER_LONGEST = 30
_MAX_CHARACTERS = 400
"""What goes on for longer without an end is no sentence: a word, a number or a list of marks."""
_CLOSERS = "\"'”’)]"
_LISTED = re.compile(r"\d,\Z")
"""What follows may belong to it: a year to a day, the rest of a list."""
_ORDINAL = re.compile(r"\d{1,3}\.")


@dataclass(frozen=True, slots=True)
class Clause:
    """start, end: characters in the whole text. final: it ends a sentence.

    soft: cut where the text has no punctuation, so the voice must not pause.
    """

    text: str
    start: int
    end: int
    final: bool = False
    soft: bool = False


class ClauseSplitter:
    """Feeds on pieces of text and gives clauses as soon as each is certain.

    The first clause is short, so that the voice starts early; later ones are
    longer, so that it keeps its melody. Clauses join up to the whole text, and
    each has something to say in it. Cutting the input differently changes nothing:
    every decision is taken at one character, from those before it.
    """

    def __init__(self, phrasing: Phrasing) -> None:
        self._phrasing = phrasing
        self._held = ""
        self._sayable = False
        self._start = 0
        self._count = 0

    def push(self, piece: str) -> list[Clause]:
        return [clause for character in piece if (clause := self._take(character))]

    def flush(self) -> Clause | None:
        """The rest, whatever it is; None when there is nothing left to say in it."""
        return self._cut(len(self._held), final=True) if self._sayable else None

    @property
    def held(self) -> str:
        """What is in no clause yet."""
        return self._held

    @property
    def length(self) -> int:
        """Characters pushed so far."""
        return self._start + len(self._held)

    def _take(self, character: str) -> Clause | None:
        if not self._sayable:
            self._held += character
            self._sayable = character.isalnum()
            return None
        before = self._held
        self._held += character
        if len(before) >= _MAX_CHARACTERS:
            return self._cut(len(before), soft=True)
        if is_spaceless(character):
            return self._take_spaceless(character, before)
        if not character.isspace() or not before or before[-1].isspace():
            return None
        words = _words(before)
        mark = before.rstrip(_CLOSERS)[-1:]
        if character == "\n" or (
            mark in "!?…。" or (mark == "." and not self._abbreviated(before))
        ):
            return self._cut(len(self._held), final=True)
        if mark in ",;:—–" and words >= (_LATER_WORDS if self._count else 1):
            return None if _LISTED.search(before) else self._cut(len(self._held))
        return self._between_words(before, words)

    def _take_spaceless(self, character: str, before: str) -> Clause | None:
        """Where words have no spaces between them, marks end a clause, or its length does."""
        words = _words(before)
        if character in "。！？｡":
            return self._cut(len(self._held), final=True)
        if character in "，、；：" and words >= (_LATER_WORDS if self._count else 1):
            return self._cut(len(self._held))
        longest = _LIMITS[self._count][1] if self._count < len(_LIMITS) else _LATER_LONGEST
        if words >= longest and character.isalnum():
            return self._cut(len(before), soft=True)
        return None

    def _between_words(self, before: str, words: int) -> Clause | None:
        """Cut where there is no punctuation: before a word that opens a phrase, or at the limit."""
        early = self._count < len(_LIMITS)
        enough, longest = _LIMITS[self._count] if early else (_LATER_WORDS, _LATER_LONGEST)
        last_at = len(before) - len(before.split()[-1])
        if early and words > enough and before[last_at:].lower() in self._phrasing.openers:
            return self._cut(last_at, soft=True)
        if words >= longest and (before[-1].isalpha() or words >= 2 * longest):
            return self._cut(len(self._held), soft=True)  # "20 €" and "10 - 3" stay together
        return None

    def _abbreviated(self, text: str) -> bool:
        """True when the full stop at the end belongs to an abbreviation, an initial or a number."""
        word = text.split()[-1].rstrip(_CLOSERS).lstrip("\"'“‘([")
        if self._phrasing.ordinal_stop and _ORDINAL.fullmatch(word):
            return True
        word = word.removesuffix(".")
        initial = len(word) == 1 and word.isupper() and word != "I"
        return initial or word.lower() in self._phrasing.abbreviations

    def _cut(self, at: int, *, final: bool = False, soft: bool = False) -> Clause:
        end = self._start + at
        clause = Clause(self._held[:at], self._start, end, final, soft)
        self._held, self._start = self._held[at:], end
        self._sayable = any(map(str.isalnum, self._held))
        self._count += 1
        return clause


def _words(text: str) -> int:
    """How many there are; two characters make one where words have no spaces between them."""
    return len(text.split()) + sum(map(is_spaceless, text)) // 2
