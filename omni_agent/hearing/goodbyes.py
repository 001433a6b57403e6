"""Whether somebody says goodbye, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from omni_agent.hearing.patterns import any_of
from omni_agent.hearing.words import Words

_LONGEST_NAME = 2
"""Words of one …"""
_LONGEST_SPACELESS_NAME = 9
"""… and characters, where words have no spaces between them."""


class Goodbyes:
    """One language's. is_question: of that language."""

    def __init__(self, words: Words, is_question: Callable[[str], bool]) -> None:
        said, self._is_question, self._spaced = words.farewells, is_question, words.spaced
        self._gap = gap = " " if words.spaced else ""
        word = r"\b{}\b" if words.spaced else "{}"
        self._byes = any_of(said.bye, f"{{0}}(?:{gap}{{0}})*+")
        self._phrases = any_of(said.phrases)
        self._also_answers = any_of(said.also_answers)
        self._also_hello = any_of(said.also_hello)
        self._closing = any_of(words.patient, f"{{}}(?:{gap}|$)")
        self._named = any_of(said.named, rf"{{}}{gap}([\w'’-]+)")
        self._not_names = any_of(said.not_names, word)
        self._thanks = any_of(said.thanks)
        self._polite = any_of(said.polite)
        self._leading = any_of(said.polite, rf"{{}}{gap}(?=\S)")
        self._trailing = any_of(said.polite, f"{gap}{{}}$")
        self._about_words = any_of(said.about_words, word)
        self._asking = any_of(said.asking, word)
        self._offering = any_of(said.offering, word)

    def are_all_of(self, phrases: Sequence[str], after: str) -> bool:
        """True when these say goodbye. after: what the agent said before."""
        goodbyes = 0
        before = ""
        for phrase in phrases:
            said = self._bare(phrase)
            if self._is_goodbye(said) or self._also_hello.fullmatch(said):
                goodbyes += self._is_goodbye(said) or self._are_closing(phrases)
            elif said and not self._is_address(said, before):
                return False
            before = phrase
        whole = self._gap.join(phrases)
        alone = self._byes.fullmatch(whole) or self._also_answers.fullmatch(whole)
        return goodbyes > 0 and not (alone and self._asks_for_words(after))

    def _are_closing(self, phrases: Sequence[str]) -> bool:
        """True when they sound like the end of a call, and not like its beginning."""
        return any(self._closing.match(one) or self._thanks.search(one) for one in phrases)

    def _is_goodbye(self, phrase: str) -> bool:
        if self._phrases.fullmatch(phrase) or self._byes.fullmatch(phrase):
            return True
        named = self._named.fullmatch(phrase)
        return named is not None and self._is_name(named[1])

    def _is_name(self, phrase: str) -> bool:
        short = (
            len(phrase.split()) <= _LONGEST_NAME
            if self._spaced
            else len(phrase) <= _LONGEST_SPACELESS_NAME
        )
        return short and not self._not_names.search(phrase)

    def _is_address(self, phrase: str, before: str) -> bool:
        """Whose name it is: "Bye, Mira.", "Thank you, Mira. Bye.", "Goodbye, my friend."."""
        addressed = self._thanks.search(before) or self._is_goodbye(self._bare(before))
        return bool(addressed) and self._is_name(phrase)

    def _bare(self, phrase: str) -> str:
        """Without the politeness around it; empty when it is nothing else."""
        while not self._is_goodbye(phrase):
            if self._polite.fullmatch(phrase):
                return ""
            if found := self._leading.match(phrase):
                phrase = phrase[found.end() :]
            elif found := self._trailing.search(phrase):
                phrase = phrase[: found.start()]
            else:
                break
        return phrase

    def _asks_for_words(self, after: str) -> bool:
        """The agent asked for something that "goodbye" may be."""
        last = re.split(r"(?<=[.!?])\s+|(?<=[。！？])(?=.)", after.strip().lower())[-1]
        if self._about_words.search(last):
            return True
        asks = self._is_question(last) and self._asking.search(last)
        return bool(asks and not self._offering.search(last))
