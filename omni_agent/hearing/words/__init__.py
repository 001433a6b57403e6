"""How people take turns in each language: one file a language, found by its name (``en``).

To add one, copy ``en.py`` to a file named by the language's code (BCP 47, without region) and write
what people say in it; nothing else is to be changed.
"""

from __future__ import annotations

import pkgutil
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module

from omni_agent.text import language_of

Patterns = tuple[str, ...]
"""Regular expressions of lower-case text, any of which will do; of two that begin alike, the longer
first. None may be readable in two ways: ``(?:a|aa)+`` takes for ever on what is nearly right."""


@dataclass(frozen=True, slots=True)
class Unfinished:
    """How a sentence ends that goes on.

    words: with one of these words. endings: or so. whole: it is whole all the same; these are
    looked for anywhere and see its closing mark.
    """

    words: Patterns = ()
    endings: Patterns = ()
    whole: Patterns = ()


@dataclass(frozen=True, slots=True)
class Farewells:
    """How somebody says goodbye, and nothing else.

    bye: the word, which may be repeated. also_answers: goodbyes that answer "Until when?", too.
    also_hello: goodbyes only beside thanks or what is
    ``patient``: "Grazie, ciao.". phrases: other goodbyes, whole. polite: what may stand
    around one. thanks: words after which a name may follow, and ``named`` goodbyes that take one:
    "bye, my dear". not_names: words that no name has. about_words: of somebody who speaks of
    words, to whom "goodbye" is an answer, as it is to one who is ``asking`` without ``offering``.
    """

    bye: Patterns = ()
    also_answers: Patterns = ()
    also_hello: Patterns = ()
    phrases: Patterns = ()
    polite: Patterns = ()
    thanks: Patterns = ()
    named: Patterns = ()
    not_names: Patterns = ()
    about_words: Patterns = ()
    asking: Patterns = ()
    offering: Patterns = ()


@dataclass(frozen=True, slots=True)
class Words:
    """A language's words for taking turns; each pattern is a whole phrase, without its marks.

    hums: sounds that say nothing. patient: what answers "One moment, please.". agreeing: other
    listening noises. commands: what stops the agent. questions: how a question ends that has no
    mark. yes, no: answers to "Shall I?". spaced: there are spaces between words.
    """

    hums: Patterns = ()
    patient: Patterns = ()
    agreeing: Patterns = ()
    commands: Patterns = ()
    questions: Patterns = ()
    yes: Patterns = ()
    no: Patterns = ()
    unfinished: Unfinished = field(default_factory=Unfinished)
    farewells: Farewells = field(default_factory=Farewells)
    spaced: bool = True


@cache
def languages() -> tuple[str, ...]:
    """Codes of the languages that have words."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))


def code_of(tag: str) -> str:
    """The file's name for a BCP 47 tag; empty when nobody has written one for its language."""
    language = language_of(tag)
    code = {"cmn": "zh"}.get(language, language)  # Mandarin, which ``zh`` is taken to mean
    return code if code in languages() else ""


def words_in(tag: str) -> Words | None:
    """The words of a BCP 47 tag's language; None when nobody has written them."""
    code = code_of(tag)
    if not code:
        return None
    words = import_module(f"{__name__}.{code}").WORDS
    assert isinstance(words, Words)
    return words
