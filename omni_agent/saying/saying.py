"""A language's way to say what is written."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache, lru_cache
from importlib import import_module
from importlib.util import find_spec

from omni_agent.saying.language import Language, Phrasing
from omni_agent.saying.numerals import Numerals
from omni_agent.saying.rules import rules
from omni_agent.saying.said import Said

_TAG = re.compile(r"([a-z]{2,3})(?:[-_](?:[a-z]{4}))?(?:[-_]([a-z]{2}|\d{3}))?(?:[-_].*)?", re.I)
"""BCP 47: language, script, region, and what else there is."""


class Saying:
    """Says text in words. One for all who speak a language; it remembers nothing."""

    def __init__(self, language: Language) -> None:
        """Raises EngineUnavailable where num2words is not installed."""
        numerals = Numerals(language.numbers, language.signs.words)
        self._rules = tuple(rules(language, numerals))

    def say(self, text: str) -> Said:
        """``text`` with everything that is not a word put in words.

        It is read as a whole: what is cut off is not known. Time grows with its square, so
        give it clauses (:class:`omni_agent.saying.clauses.ClauseSplitter`).
        """
        said = Said.as_written(text)
        for pattern, words in self._rules:
            said = said.sub(pattern, words)
        return said


def saying(tag: str) -> Saying | None:
    """For a BCP 47 tag; None for a language without a file in ``languages``.

    Raises EngineUnavailable where num2words is not installed. The first call for a language
    compiles its rules, which takes about 20 ms.
    """
    found = _found(tag)
    return _saying(*found) if found else None


def phrasing(tag: str) -> Phrasing:
    """Where a language's sentences can be cut; of one without a file, marks alone tell."""
    found = _found(tag)
    return _language(*found).phrasing if found else Phrasing()


@lru_cache(maxsize=256)
def _found(tag: str) -> tuple[str, str] | None:
    """The name of a language's file, and the tag's region where that makes a difference."""
    parts = _TAG.fullmatch(tag)
    code, region = (parts[1].lower(), (parts[2] or "").upper()) if parts else ("", "")
    if parts is None or find_spec(f"{__package__}.languages.{code}") is None:
        return None
    return code, region if region in _language(code, "").regions else ""


@cache
def _language(code: str, region: str) -> Language:
    language: Language = import_module(f"{__package__}.languages.{code}").LANGUAGE
    return replace(language, **language.regions[region]) if region else language


@cache
def _saying(code: str, region: str) -> Saying:
    return Saying(_language(code, region))
