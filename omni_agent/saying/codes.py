"""Digits that are no amount: addresses, telephone numbers, codes, versions."""

from __future__ import annotations

import re
from collections.abc import Iterator

from omni_agent.saying.language import Language
from omni_agent.saying.numerals import Numerals, Rule, rule

_ALONE = r"(?<![\d,.][ ,.-])(?<!\d)\b"
"""Not in a longer number."""


def addresses(language: Language) -> Iterator[Rule]:
    names = language.signs.address

    def said(match: re.Match[str]) -> str:
        end = re.search(r"[.,;:!?)\]}'\"”’]*$", match[0])
        assert end is not None
        address = re.sub(r"^https?://(?:www\.)?", "", match[0][: end.start()]).rstrip("/")
        for mark, word in names.items():
            address = address.replace(mark, f" {word} ")
        return re.sub(r" +", " ", address).strip() + end[0]

    yield rule(r"https?://\S+|\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+|\bwww\.\S+", said)
    yield rule(
        r"\b[a-z0-9-]+\.(?:com|org|net|io|dev|ai|de|es|fr|it|pt|eu|co\.uk|com\.br)\b(?:/\S*)?", said
    )


def telephones(language: Language, numerals: Numerals) -> Iterator[Rule]:
    plus = language.signs.words["+"]

    def spread(match: re.Match[str]) -> str:
        return match[0] if numerals.is_grouped(match[0]) else numerals.digits(match[0])

    def international(match: re.Match[str]) -> str:
        grouped = numerals.is_grouped(match[1])
        return match[0] if grouped else f"{plus} {numerals.digits(match[1])}"

    yield rule(r"(?<!\w)\+(\d[\d ()-]{6,}\d)\b", international)
    yield rule(rf"{_ALONE}0\d{{2,5}}[ /-]\d{{3,}}(?:[ -]\d+)*\b", spread)
    yield rule(rf"{_ALONE}0(?:\d[ /-]\d{{5,}}|(?: \d{{2,4}}){{3,}})\b", spread)
    yield rule(r"(?<!\d-)\(?\b\d{2,4}\)?(?:[ -]\d{2,5}){2,}\b", spread)
    yield rule(r"\b\d{3}-\d{4}\b|\b\d+(?:-\d+){2,}\b", spread)


def codes(language: Language, numerals: Numerals) -> Iterator[Rule]:
    def dotted(match: re.Match[str]) -> str:
        """A version has points; an address of four parts has dots."""
        if numerals.is_grouped(match[0]):
            return match[0]
        parts = match[0].split(".")
        point = language.signs.address["."] if len(parts) == 4 else language.numbers.point
        return f" {point} ".join(map(numerals.number, parts))

    yield rule(
        rf"\b({language.codes}:? #?)(\d{{3,}})\b(?![.,:/]\d| ?[%°])",
        lambda m: m[1].rstrip("#") + numerals.digits(m[2]),
    )
    yield rule(r"(?<![\d.,])0\d+\b(?![.,]\d)", lambda m: numerals.digits(m[0]))
    yield rule(r"\b([A-Z]{1,3})-(\d{3,})\b", lambda m: f"{m[1]} {numerals.digits(m[2])}")
    yield rule(r"\b([A-Za-z]+)(?=\d+(?:\.\d+){2,}(?![\d.]))", r"\1 ")
    yield rule(r"\b\d+(?:\.\d+){2,}\b", dotted)
    yield rule(r"\b\d{1,2}(?:,\d{1,2}){2,}\b", lambda m: m[0].replace(",", ", "))
