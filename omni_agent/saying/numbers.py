"""What has to be known of a language's numbers, and of what they count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

Repairs = Sequence[tuple[str, str]]
"""Patterns and replacements, applied in order."""


class Noun(NamedTuple):
    """gender: as ``Numbers.agreement`` has it; empty where numbers do not agree with nouns."""

    one: str
    many: str
    gender: str = ""


def nouns(**by_gender: Mapping[str, str]) -> dict[str, Noun]:
    """``m={"km": "kilómetro/kilómetros"}``: by symbol; one word where both are the same.

    ``_`` are those without a gender.
    """
    return {
        symbol: _noun(words, gender.strip("_"))
        for gender, named in by_gender.items()
        for symbol, words in named.items()
    }


def _noun(words: str, gender: str) -> Noun:
    one, _, many = words.partition("/")
    return Noun(one, many or one, gender)


@dataclass(frozen=True, slots=True)
class Numbers:
    """How numbers are written and said.

    code: num2words' name for the language. decimal: the mark before a fraction; group: those
    that may part thousands. point: what the decimal mark is called. spelled: a fraction is read
    digit by digit; else as a number, when it is short. hundreds: 1500 is fifteen hundred.
    plural_from: amounts from here on are many; None when all but one are.

    repairs: what num2words gets wrong. agreement: by gender, how a number changes before a noun.
    nouns: patterns of the word after a number, and the gender they tell; the first that fits.
    linked: the end of numbers that take ``link`` before a noun ("deux millions d'euros"), whose
    second form stands before a vowel.
    """

    code: str
    point: str
    decimal: str = ","
    group: str = "."
    spelled: bool = False
    hundreds: bool = False
    plural_from: float | None = None
    repairs: Repairs = ()
    agreement: Mapping[str, Repairs] = field(default_factory=dict)
    nouns: Sequence[tuple[str, str]] = ()
    linked: str = r"(?!)"
    link: tuple[str, str] = (" ", " ")
