"""What has to be known of a language to say in it what is written: a file of ``languages`` each."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from omni_agent.saying.numbers import Noun, Numbers
from omni_agent.saying.numerals import Numerals

InWords = Callable[[re.Match[str], Numerals], str]
Rewrite = tuple[str, str | InWords]
"""A pattern, and a template (as for ``re.sub``) or a function: words for what it matches."""


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


@dataclass(frozen=True, slots=True)
class Counting:
    """Nouns of counting.

    scales: by what is written after a number, in full or as a letter. parts: of a whole, by how
    many make one. mixed: how a part follows a whole number; half: how the half does.
    """

    scales: Mapping[str, Noun]
    parts: Mapping[int, Noun]
    mixed: str
    half: str


@dataclass(frozen=True, slots=True)
class Dates:
    """written: a date as ``rules`` or the numbers' rules can read it, of day, month and year.

    month_first: how people write 11/30. time: an hour and a minute in words.
    """

    months: Sequence[str]
    written: str
    time: Callable[[Numerals, int, int], str]
    month_first: bool = False


@dataclass(frozen=True, slots=True)
class Money:
    """currencies: by sign, code or name, in lower case: the unit and its hundredth, if any.

    joined: how the hundredths follow.
    """

    currencies: Mapping[str, tuple[Noun, Noun | None]]
    joined: str


@dataclass(frozen=True, slots=True)
class Signs:
    """words: of symbols, as in arithmetic; address: as in addresses of the web and of mail.

    to: between the ends of a range. of: between two equal numbers with a slash ("5/5"). per:
    of the slash in "€/kg". number: what "#" is before one. squared, cubed: what ² and ³ are.
    """

    words: Mapping[str, str]
    address: Mapping[str, str]
    to: str
    of: str
    per: str
    number: str
    squared: str
    cubed: str


@dataclass(frozen=True, slots=True)
class Phrasing:
    """Where a sentence can be cut into clauses.

    openers: words that usually open a phrase: a short breath before them sounds natural.
    abbreviations: words whose full stop ends no sentence, lower case, without it.
    ordinal_stop: "3." may be "third".
    """

    openers: frozenset[str] = frozenset()
    abbreviations: frozenset[str] = frozenset()
    ordinal_stop: bool = False


@dataclass(frozen=True, slots=True)
class Language:
    """codes: a pattern of what precedes digits that are no amount ("code", "room").

    rules: the language's own, tried before the general ones. regions: by region of the tag,
    the fields that are different there.
    """

    numbers: Numbers
    counting: Counting
    dates: Dates
    money: Money
    units: Mapping[str, Noun]
    signs: Signs
    phrasing: Phrasing
    codes: str
    rules: Sequence[Rewrite] = ()
    regions: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
