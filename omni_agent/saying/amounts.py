"""Money and measures."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from omni_agent.saying.language import Language
from omni_agent.saying.numbers import Noun
from omni_agent.saying.numerals import SIGN, START, Numerals, Rule, rule


def any_of(words: Iterable[str]) -> str:
    """A pattern of the words, the longest first."""
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


def amounts(language: Language, numerals: Numerals) -> Iterator[Rule]:
    yield from _money(language, numerals)
    yield from _measures(language, numerals)


def _money(language: Language, numerals: Numerals) -> Iterator[Rule]:
    purse = _Purse(language, numerals)
    number = numerals.pattern
    scale = rf"(?:\s?({any_of(language.counting.scales)})(?!\w))?"
    signs = any_of(name.upper() for name in purse.currencies if not name.isalpha())
    units, per = language.units, language.signs.per
    yield rule(
        rf"([€$£¥₹](?: ?{number})?)\s?/\s?({any_of(units)}|[^\W\d_]+)(?!\w)",
        lambda m: f"{m[1]} {per} {units[m[2]].one if m[2] in units else m[2]}",
    )
    names = any_of(name for name in purse.currencies if name.isalpha())
    codes = any_of(name.upper() for name in purse.currencies if len(name) == 3 and name.isalpha())
    yield rule(
        rf"([-−+~]?)((?<!\d)(?<!\d )(?:{signs}) ?|\b(?:{codes}) )([-−]?)({number}){scale}",
        lambda m: purse.said(m[1] or m[3], m[4], m[5], m[2]),
    )
    yield rule(
        rf"({SIGN})({number}){scale}\s?({signs}|\b(?i:{names})\b)",
        lambda m: purse.said(m[1], m[2], m[3], m[4]),
    )


class _Purse:
    def __init__(self, language: Language, numerals: Numerals) -> None:
        self.currencies, self._joined = language.money.currencies, language.money.joined
        self._scales, self._numerals = language.counting.scales, numerals

    def said(self, sign: str | None, number: str, scale: str | None, unit: str) -> str:
        major, minor = self.currencies[unit.strip().lower()]
        numerals = self._numerals
        if scale:
            scaled = numerals.counted(number, self._scales[scale], sign)
            return numerals.linked(scaled, major.many)
        whole, _, fraction = numerals.value(number).partition(".")
        if minor is None or (fraction and len(fraction) != 2):
            return numerals.counted(number, major, sign)
        majors = numerals.counted(number[: -len(fraction) - 1] if fraction else number, major)
        if not int(fraction or 0):
            return numerals.sign(sign) + majors
        minors = numerals.counted(str(int(fraction)), minor)
        both = self._joined.format(majors, minors) if whole.strip("0") else minors
        return numerals.sign(sign) + both


def _measures(language: Language, numerals: Numerals) -> Iterator[Rule]:
    number, unit, to = numerals.pattern, any_of(language.units), language.signs.to
    scales = language.counting.scales

    def counted(match: re.Match[str], of: Noun) -> str:
        return numerals.counted(match[2], of, match[1])

    yield rule(r"°\s(?=[CF]\b)", "°")
    yield rule(rf"{START}({number})\s?[-–]\s?({number}(?=\s?(?:{unit})(?!\w)))", rf"\1 {to} \2")
    yield rule(
        rf"({SIGN})({number})\s?({unit})(?![\w²³'’])",
        lambda m: counted(m, language.units[m[3]]),
    )
    yield rule(
        rf"({SIGN})({number})\s?({any_of(scales)})(?!\w)", lambda m: counted(m, scales[m[3]])
    )
