"""Expressions, fractions and ranges."""

from __future__ import annotations

import re
from collections.abc import Iterator

from omni_agent.saying.amounts import any_of
from omni_agent.saying.language import Language
from omni_agent.saying.numerals import LONGEST, START, Numerals, Rule, rule

_GLYPHS = {"½": (1, 2), "¼": (1, 4), "¾": (3, 4), "⅓": (1, 3), "⅔": (2, 3), "⅛": (1, 8)}
_OPERATORS = r"\s*[×*·÷+−/^-]\s*"


def arithmetic(language: Language, numerals: Numerals) -> Iterator[Rule]:
    words, number = language.signs.words, numerals.pattern

    def operation(match: re.Match[str]) -> str:
        """An expression with an equals sign: every mark in it is arithmetic."""
        return re.sub(r"\s*([=×*·÷+−/^-])\s*", lambda m: f" {words[m[1]]} ", match[0])

    operand = rf"[-−]?(?:{number}|(?<![A-Za-z])[a-z](?![A-Za-z]))"
    side = rf"{operand}(?:{_OPERATORS}{operand})*"
    yield rule(rf"{side}\s*=\s*{side}", operation)
    yield from _fractions(language, numerals)
    yield from _ranges(language, numerals)
    yield rule(r"(?<=\w)²|(?<=\w)\^2\b", f" {language.signs.squared}")
    yield rule(r"(?<=\w)³|(?<=\w)\^3\b", f" {language.signs.cubed}")
    yield rule(r"(?<=\d)\s?[x×](?=\s|[.,;:!?]|$)", f" {words['×']}")
    yield rule(r"(?<!\b0)(?<=\d)\s?[x×*·]\s?(?=\d)", f" {words['×']} ")


class _Parts:
    """Parts of a whole: groups 2 and 3 of a match are one of these, group 1 what stands before."""

    pattern = rf"(?:(?<![\w./,])(\d+) ?)??(?:([{''.join(_GLYPHS)}])|(?<![\w./,])(\d+/\d+))"

    def __init__(self, language: Language, numerals: Numerals) -> None:
        self._counting, self._numerals = language.counting, numerals

    def read(self, match: re.Match[str]) -> tuple[int, int] | None:
        """How many of which; None for what is no part."""
        if len(match[0]) > LONGEST:
            return None
        over, under = _GLYPHS[match[2]] if match[2] else map(int, match[3].split("/"))
        return (over, under) if 0 < over < under and under in self._counting.parts else None

    def said(self, whole: str | None, over: int, under: int) -> str:
        words = self._numerals.counted(str(over), self._counting.parts[under])
        if not whole:
            return words
        half = (over, under) == (1, 2)
        follows = self._counting.half if half else self._counting.mixed.format(words)
        return f"{self._numerals.number(whole)} {follows}"


def parts_of_units(language: Language, numerals: Numerals) -> Iterator[Rule]:
    """ "1/4 l", before the unit is taken for one of four."""
    parts, units = _Parts(language, numerals), language.units

    def said(match: re.Match[str]) -> str:
        if (part := parts.read(match)) is None:
            return match[0]
        words, unit = parts.said(match[1], *part), units[match[4]]
        if match[1]:
            return f"{words} {unit.many}"
        return f"{words} {unit.one}" if part == (1, 2) else numerals.of(words, unit.one)

    yield rule(rf"{_Parts.pattern}\s?({any_of(units)})(?!\w)", said)


def _fractions(language: Language, numerals: Numerals) -> Iterator[Rule]:
    parts = _Parts(language, numerals)

    def said(match: re.Match[str]) -> str:
        part = parts.read(match)
        return parts.said(match[1], *part) if part else match[0]

    def slashed(match: re.Match[str]) -> str:
        same = match[1] == match[2]
        joined = language.signs.of if same else language.signs.address["/"]
        return f"{numerals.number(match[1])} {joined} {numerals.number(match[2])}"

    yield rule(rf"{_Parts.pattern}(?![\w/])(?!\.\d)", said)
    yield rule(r"(?<![\w./])(\d+)/(\d+)(?![\w/])(?!\.\d)", slashed)


def _ranges(language: Language, numerals: Numerals) -> Iterator[Rule]:
    number, to, minus = numerals.pattern, language.signs.to, language.signs.words["-"]

    def spaced(match: re.Match[str]) -> str:
        """Two numbers with a spaced hyphen: a range goes up, else something is taken away."""
        rising = float(numerals.value(match[1])) < float(numerals.value(match[2]))
        return f"{match[1]} {to if rising else minus} {match[2]}"

    yield rule(rf"{START}({number}) [-−–] ({number})", spaced)
    yield rule(rf"{START}({number})[-–]({number})(?![-\w])", rf"\1 {to} \2")
