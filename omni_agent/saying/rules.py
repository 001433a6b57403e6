"""Everything that is no word, and what is said of it.

Rules are tried in order over the whole text. Each puts what it knows in words, so a later one
finds no digits where an earlier one understood more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from omni_agent.saying.amounts import amounts, any_of
from omni_agent.saying.arithmetic import arithmetic, parts_of_units
from omni_agent.saying.codes import addresses, codes, telephones
from omni_agent.saying.dates import dates, times
from omni_agent.saying.language import Language, Rewrite
from omni_agent.saying.numerals import SIGN, Numerals, Rule, rule

_ENDLESS = r"\d{41,}"
"""A model that is stuck; the rules below look at each digit of a number again and again."""
_NARROW = "\u00a0\u2009\u202f"
"""Spaces that do not part: between thousands, before a unit, around guillemets."""
_MARKUP = r"[*_`~|]{2,}|(?<!\w)[*_`|]+(?=\S)|(?<=\S)[*_`|]+(?!\w)|^#+ "


def rules(language: Language, numerals: Numerals) -> Iterator[Rule]:
    yield rule(_ENDLESS, lambda m: f" {numerals.digits(m[0])} ")
    yield rule(rf"(?<=\d)[{_NARROW}](?=\d{{3}}(?!\d))", "")
    yield rule(rf"[{_NARROW}]", " ")
    yield from addresses(language)
    yield rule(_MARKUP, " ")
    yield from dates(language, numerals)
    yield from (_own(rewrite, numerals) for rewrite in language.rules)
    yield from times(language, numerals)
    yield from telephones(language, numerals)
    yield from codes(language, numerals)
    yield from parts_of_units(language, numerals)
    yield from amounts(language, numerals)
    yield from arithmetic(language, numerals)
    yield from _numbers(language, numerals)
    yield from _symbols(language)
    yield rule(r" +(?=[ ,.;:!?])", "")


def _own(rewrite: Rewrite, numerals: Numerals) -> Rule:
    pattern, words = rewrite
    return rule(pattern, words if isinstance(words, str) else lambda m: words(m, numerals))


def _numbers(language: Language, numerals: Numerals) -> Iterator[Rule]:
    """By what stands beside them."""
    signed = rf"({SIGN})({numerals.pattern})"

    def before_a_word(match: re.Match[str]) -> str:
        noun = match[3] or ""
        words = numerals.signed(match[1], match[2], gender := numerals.gender(noun))
        return numerals.linked(words, noun) if gender else f"{words} {noun}".rstrip()

    yield rule(r"(?<![\w&])(?:#|№ ?|[Nn]\.?[°º] ?)(?=\d)", f"{language.signs.number} ")
    yield rule(r"(?<=[A-Za-z])(?=\d)", " ")
    yield rule(rf"{signed}(?=[^\W\d_])", lambda m: f"{numerals.signed(m[1], m[2])} ")
    yield rule(rf"{signed}(?: ([^\W\d_]+))?", before_a_word)


def _symbols(language: Language) -> Iterator[Rule]:
    """What is left."""
    words = language.signs.words

    def symbol(match: re.Match[str]) -> str:
        return f" {words[match[1]]} "

    yield rule(rf"\s*({any_of(set(words) - set('=<>+*·^/-−~'))})\s*", symbol)
    yield rule(r"(?<=\w)\s+([=<>+*])\s+(?=\w)", symbol)
    yield rule(r"[*_`#~|^<>{}\\]+", " ")
