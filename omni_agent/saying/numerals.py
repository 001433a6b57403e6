"""Numbers in a language's words."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from omni_agent.errors import EngineUnavailable
from omni_agent.runtime.distribution import install
from omni_agent.saying.numbers import Noun, Numbers, Repairs

LONGEST = 18
"""Digits of the largest number that is said as one."""
START = r"(?<![\w.,])"
"""Where a number begins that is none's end."""
SIGN = r"(?:(?<![\w)\]%])[-−+±~])?"
_SHORT = 2
"""Digits of a fraction that is read as a number, where fractions are."""

_HUNDREDS = re.compile(r"1[1-9]\d\d")


class Numerals:
    """pattern: of a number as it is written, however long."""

    def __init__(self, numbers: Numbers, signs: Mapping[str, str]) -> None:
        """signs: words of those before a number.

        Raises EngineUnavailable where num2words is not installed.
        """
        try:
            from num2words import num2words  # of an extra
        except ImportError as error:
            reason = f"numbers in words need num2words: {install('saying')}"
            raise EngineUnavailable(reason) from error
        self._num2words = num2words
        self._numbers, self._signs = numbers, signs
        grouped = rf"\d{{1,3}}(?:[{numbers.group}]\d{{3}})+"
        decimal = re.escape(numbers.decimal)
        self.pattern = rf"(?:{grouped}(?:{decimal}\d+)?|\d+(?:[.,]\d+)?)(?!\d)"
        self._grouped = re.compile(rf"{grouped}(?:{decimal}\d+)?")
        self._linked = re.compile(numbers.linked)
        self._nouns = [(re.compile(pattern), gender) for pattern, gender in numbers.nouns]

    def is_grouped(self, text: str) -> bool:
        """A number whose thousands are parted."""
        return self._grouped.fullmatch(text) is not None

    def value(self, text: str) -> str:
        """A number as it is written, in plain digits with a decimal point."""
        if self.is_grouped(text):
            text = re.sub(rf"[{self._numbers.group}]", "", text)
        return text.replace(",", ".")

    def cardinal(self, number: int, gender: str = "") -> str:
        """number: one that is known to be small (see ``number``)."""
        words = self._worded(number, "cardinal")
        return _repaired(words, self._numbers.agreement.get(gender, ()))

    def ordinal(self, number: int) -> str:
        return self._worded(number, "ordinal")

    def year(self, number: int) -> str:
        return self._worded(number, "year")

    def number(self, text: str, gender: str = "") -> str:
        """However long it is: one that nobody has a word for is read digit by digit."""
        whole, _, fraction = self.value(text).partition(".")
        if len(whole) > 1 and whole.startswith("0") and not fraction:
            return self.digits(whole)
        if len(whole) > LONGEST:
            words = self.digits(whole)
        elif self._numbers.hundreds and _HUNDREDS.fullmatch(text):
            words = self.year(int(text))
        else:
            words = self.cardinal(int(whole), "" if fraction else gender)
        return f"{words} {self._numbers.point} {self._fraction(fraction)}" if fraction else words

    def signed(self, sign: str | None, text: str, gender: str = "") -> str:
        return self.sign(sign) + self.number(text, gender)

    def sign(self, sign: str | None) -> str:
        word = self._signs.get((sign or "").strip())
        return f"{word} " if word else ""

    def digits(self, text: str) -> str:
        """One by one, a short pause where they are grouped."""
        groups = [group for group in re.split(r"\D+", text) if group]
        return ", ".join(" ".join(self._digit(digit) for digit in group) for group in groups)

    def counted(self, text: str, noun: Noun, sign: str | None = None) -> str:
        """A number as it is written, of something."""
        name = noun.one if self._is_one(text) else noun.many
        return self.linked(self.signed(sign, text, noun.gender), name)

    def linked(self, words: str, name: str) -> str:
        """``name``: what the number counts."""
        return self.of(words, name) if self._linked.search(words) else f"{words} {name}"

    def of(self, words: str, name: str) -> str:
        """What links a part of something, or millions, to what it is of."""
        return f"{words}{self._numbers.link[name[0].lower() in 'aeiouhé']}{name}"

    def gender(self, word: str) -> str:
        """Of a number before ``word``."""
        return next((gender for noun, gender in self._nouns if noun.fullmatch(word)), "")

    def _is_one(self, text: str) -> bool:
        value, plural_from = self.value(text), self._numbers.plural_from
        if plural_from is None or len(value) > LONGEST:
            return value == "1"
        return float(value) < plural_from

    def _fraction(self, digits: str) -> str:
        if self._numbers.spelled or len(digits) > _SHORT or not digits.strip("0"):
            return self.digits(digits)
        zeros = len(digits) - len(digits.lstrip("0"))
        return " ".join([self._digit("0")] * zeros + [self.cardinal(int(digits))])

    def _digit(self, digit: str) -> str:
        return self.cardinal(int(digit))

    def _worded(self, number: int, to: str) -> str:
        words = str(self._num2words(number, lang=self._numbers.code, to=to)).replace(",", "")
        return _repaired(words, self._numbers.repairs)


def _repaired(words: str, repairs: Repairs) -> str:
    for pattern, replacement in repairs:
        words = re.sub(pattern, replacement, words)
    return words


def roman(text: str) -> int:
    """What Roman numerals mean; they need not be well formed."""
    values = [{"I": 1, "V": 5, "X": 10, "L": 50, "C": 100}[letter] for letter in text]
    after = [*values[1:], 0]
    return sum(
        -value if value < following else value
        for value, following in zip(values, after, strict=True)
    )


Rule = tuple[re.Pattern[str], Callable[[re.Match[str]], str]]


def rule(pattern: str, words: str | Callable[[re.Match[str]], str]) -> Rule:
    if isinstance(words, str):
        literal = words
        return re.compile(pattern), lambda match: match.expand(literal)
    return re.compile(pattern), words
