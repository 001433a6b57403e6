"""Dates and times of day, written in digits."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

from omni_agent.saying.language import Language
from omni_agent.saying.numerals import Numerals, Rule, rule


def dates(language: Language, numerals: Numerals) -> Iterator[Rule]:
    """They become what a person would write out, which later rules read."""
    known = language.dates

    def written(match: re.Match[str]) -> str:
        year = int(match["y"])
        for month, day in ((match["m"], match["d"]), (match["d"], match["m"])):
            try:
                date(year, int(month), int(day))
            except ValueError:
                continue
            name = known.months[int(month) - 1]
            return known.written.format(day=int(day), month=name, year=year)
        return numerals.digits(match[0])

    first, second = ("m", "d") if known.month_first else ("d", "m")
    yield rule(r"\b(?P<y>\d{4})-(?P<m>\d{2})-(?P<d>\d{2})\b", written)
    yield rule(rf"\b(?P<{first}>\d{{1,2}})[/.](?P<{second}>\d{{1,2}})[/.](?P<y>\d{{4}})\b", written)


def times(language: Language, numerals: Numerals) -> Iterator[Rule]:
    def said(match: re.Match[str]) -> str:
        hour, minute = int(match[1]), int(match[2])
        if hour > 24 or minute > 59:
            return ratio(match)
        return language.dates.time(numerals, hour, minute)

    def ratio(match: re.Match[str]) -> str:
        to = language.signs.to
        return f"{numerals.cardinal(int(match[1]))} {to} {numerals.cardinal(int(match[2]))}"

    yield rule(r"\b(\d{1,2}):(\d{2})(?::\d{2})?(?![:\d])", said)
    yield rule(r"\b(\d{1,3}):(\d{1,3})\b", ratio)
