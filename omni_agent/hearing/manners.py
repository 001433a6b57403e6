"""What words mean for who speaks: a language's words, read with care."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from omni_agent.hearing.goodbyes import Goodbyes
from omni_agent.hearing.patterns import any_of, phrases, plain
from omni_agent.hearing.words import Words, code_of, words_in
from omni_agent.turn_taking import Manners

LONGEST = 200
"""Characters that are looked at: a goodbye or a noise is shorter, how a sentence ends is, too.
What a client types has no such end, and these patterns take time that grows with its square."""
_MOST_NOISES = 3
"""Phrases of listening noises in a row; who says more wants to be heard."""
_LONGEST_ANSWER = 16
"""Words, or characters where nothing parts them, of one piece of an answer."""
_ASKED = ("?", "？", "؟")
_HANGS = (",", r"\.\.\.", "…", "-")
"""How an unfinished sentence ends in writing, whatever its language."""


class WordManners:
    """See :class:`omni_agent.turn_taking.Manners`: what the words of one language say."""

    def __init__(self, words: Words) -> None:
        self._gap = " " if words.spaced else ""
        # Without spaces, noises follow each other in one phrase; the first that fits is taken.
        noises = "{}" if words.spaced else "(?>{})++"
        self._hums = any_of(words.hums, noises)
        self._patient = any_of((*words.hums, *words.patient), noises)
        self._backchannels = any_of((*words.hums, *words.patient, *words.agreeing), noises)
        self._commands = any_of(words.commands, noises)
        self._yes, self._no = any_of(words.yes), any_of(words.no)
        self._polite = any_of(words.farewells.polite)
        self._answers = any_of((*words.no, *words.yes, *words.hums, *words.farewells.polite))
        self._questions = any_of(words.questions, "{}[.!。！]*$")
        self._hanging = self._ends_of_unfinished(words)
        self._whole = any_of(words.unfinished.whole)
        self._goodbyes = Goodbyes(words, self.is_question)

    @staticmethod
    def _ends_of_unfinished(words: Words) -> re.Pattern[str]:
        unfinished, edge = words.unfinished, r"\b" if words.spaced else ""
        last = any_of(unfinished.words).pattern
        return any_of((edge + last, *unfinished.endings, *_HANGS), "{}$")

    def is_backchannel(self, text: str) -> bool:
        return self._is_only(self._backchannels, text)

    def is_patience(self, text: str) -> bool:
        return self._is_only(self._patient, text)

    def is_hum(self, text: str) -> bool:
        return self._is_only(self._hums, text)

    def is_command(self, text: str) -> bool:
        return self._is_only(self._commands, text)

    def _is_only(self, kind: re.Pattern[str], text: str) -> bool:
        phrases = self._phrases(text)
        return 0 < len(phrases) <= _MOST_NOISES and all(map(kind.fullmatch, phrases))

    def _phrases(self, text: str) -> list[str]:
        """None of a text that is too long to be one of these."""
        if len(text) > LONGEST:
            return []
        return [self._gap.join(phrase.split()) for phrase in phrases(text)]

    def is_unfinished(self, text: str) -> bool:
        said = self._gap.join(plain(text[-LONGEST:]).split())
        if self._whole.search(said):
            return False
        return bool(self._hanging.search(said if said.endswith("...") else said.rstrip(".!?")))

    def is_question(self, text: str) -> bool:
        said = text[-LONGEST:].rstrip(" \n\"'”’」』)")
        return said.endswith(_ASKED) or bool(self._questions.search(said.lower()))

    def is_farewell(self, text: str, after: str = "") -> bool:
        return self._goodbyes.are_all_of(self._phrases(text), after)

    def consents(self, text: str) -> bool | None:
        answers = set[bool]()
        for phrase in self._phrases(text):
            for piece in self._pieces(phrase):
                if self._no.fullmatch(piece):
                    answers.add(False)
                elif self._yes.fullmatch(piece):
                    answers.add(True)
                elif not (self._hums.fullmatch(piece) or self._polite.fullmatch(piece)):
                    return None
        return answers.pop() if len(answers) == 1 else None

    def _pieces(self, phrase: str) -> Iterator[str]:
        """What an answer is made of, each the longest that is known, and what is not known."""
        words = phrase.split() if self._gap else list(phrase)
        while words:
            sizes = range(min(len(words), _LONGEST_ANSWER), 0, -1)
            known = (n for n in sizes if self._answers.fullmatch(self._gap.join(words[:n])))
            size = next(known, len(words))
            yield self._gap.join(words[:size])
            words = words[size:]


def manners_in(tag: str) -> Manners:
    """Those of a BCP 47 tag's language; of one that has no words, those of every language."""
    return _made_of(code_of(tag))


@cache
def _made_of(code: str) -> Manners:
    return WordManners(words_in(code) or Words())
