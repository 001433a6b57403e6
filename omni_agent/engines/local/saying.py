"""English as it is said: numbers, units and symbols in words.

A list of rules, tried in order over the whole text. Each puts what it knows in words,
so a later one finds no digits where an earlier one understood more.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable
from datetime import date

from anyascii import anyascii
from num2words import num2words

from omni_agent.engines.local.units import CURRENCIES, UNITS

Rule = tuple[re.Pattern[str], Callable[[re.Match[str]], str]]

_NUM = r"(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:[.,]\d+)?)(?!\d)"
_SIGN = r"(?:(?<![\w)\]%])[-−+±~])?"
_STOP = r"(?:\.(?=\s[a-z]))?"
"""The full stop of an abbreviation in mid-sentence."""
_YEAR = r"(?:1[1-9]\d\d|20\d\d)"
_START = r"(?<![\w.,])"
_MONTHS = calendar.month_name[1:]
_MONTH = rf"(?:{'|'.join(_MONTHS)}|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)\b\.?"
_SCALES = {"k": "thousand", "m": "million", "mn": "million", "b": "billion", "bn": "billion"}
_SCALE = r"(?:\s?(hundred|thousand|million|billion|trillion)\b|(k|K|m|M|mn|bn|b|B)\b)?"
_SIGNS = {"-": "minus ", "−": "minus ", "+": "plus ", "±": "plus or minus ", "~": "about "}
_LONGEST = 18
"""Digits of the largest number that is said as one."""
_ENDLESS = re.compile(r"\d{41,}")
"""A model that is stuck; the rules below look at each digit of a number again and again."""
_PARTS = {2: "half", 4: "quarter"}
_DENOMINATORS = frozenset({*range(2, 11), 12, 16, 20, 32, 100})
"""Of fractions that people write; other pairs with a slash are more likely dates or names."""
_GLYPHS = {"½": (1, 2), "¼": (1, 4), "¾": (3, 4), "⅓": (1, 3), "⅔": (2, 3), "⅛": (1, 8)}
_CODED = (
    r"(?i:codes?|pin|passwords?|extension|ext\.?|order|booking|reference|flight|zip|postcode|room)"
)
_SYMBOLS = {
    "=": "equals", "≠": "is not equal to", "≈": "is about", "≤": "is at most", "≥": "is at least",
    "<": "is less than", ">": "is greater than", "×": "times", "*": "times", "·": "times",
    "÷": "divided by", "+": "plus", "±": "plus or minus", "−": "minus", "-": "minus",
    "/": "divided by", "^": "to the power of", "√": "the square root of", "π": "pi",
    "∞": "infinity", "→": "to", "&": "and", "@": "at", "%": "percent", "°": "degrees",
    "§": "section", "№": "number", "©": "copyright", "™": "trademark",
}  # fmt: skip


def say(text: str) -> str:
    """``text`` with everything that is not a word put in words; letters of other scripts
    are spelled in Latin ones, so that nothing is left out."""
    text = _ENDLESS.sub(lambda run: f" {_digits(run[0])} ", text)
    for pattern, words in _RULES:
        text = pattern.sub(words, text)
    return re.sub(r" +(?=[ ,.;:!?])", "", _latin(text))


def _latin(text: str) -> str:
    if text.isascii():
        return text
    return "".join(c if ord(c) < 0x250 or c in "“”‘’…–—" else _spelled(c) for c in text)


def _spelled(character: str) -> str:
    """In Latin letters; a Chinese character is a syllable, so a space follows it."""
    spelled = str(anyascii(character))
    return f"{spelled} " if "\u3400" <= character <= "\u9fff" else spelled


# -- numbers -----------------------------------------------------------------------------


def _whole(number: int, to: str = "cardinal") -> str:
    """number: one that is known to be small (see ``_number``)."""
    return str(num2words(number, to=to)).replace(",", "")


def _value(text: str) -> str:
    """A number as it is written, in plain digits with a decimal point."""
    if re.fullmatch(r"\d{1,3}(,\d{3})+(\.\d+)?", text):
        return text.replace(",", "")
    return text.replace(",", ".")


def _number(text: str) -> str:
    """However long it is: one that nobody has a word for is read digit by digit."""
    whole, _, fraction = _value(text).partition(".")
    if len(whole) > 1 and whole.startswith("0") and not fraction:
        return _digits(whole)
    words = _digits(whole) if len(whole) > _LONGEST else _whole(int(whole))
    return f"{words} point {_digits(fraction)}" if fraction else words


def _digits(text: str) -> str:
    """One by one, a short pause where they are grouped."""
    groups = [group for group in re.split(r"\D+", text) if group]
    return ", ".join(" ".join(_whole(int(digit)) for digit in group) for group in groups)


def _signed(sign: str | None, number: str) -> str:
    return _SIGNS.get((sign or "").strip(), "") + _number(number)


def _year(text: str) -> str:
    return _whole(int(text), "year")


def _is_one(text: str) -> bool:
    return _value(text) == "1"


def _fraction(over: int, under: int) -> str:
    part = _PARTS.get(under) or _whole(under, "ordinal")
    plural = {"half": "halves"}.get(part, f"{part}s")
    return f"{_whole(over)} {part if over == 1 else plural}"


# -- what they stand for -----------------------------------------------------------------


def _address(match: re.Match[str]) -> str:
    end = re.search(r"[.,;:!?)\]}'\"”’]*$", match[0])
    assert end is not None
    address = re.sub(r"^https?://(?:www\.)?", "", match[0][: end.start()]).rstrip("/")
    for mark, word in ((".", "dot"), ("@", "at"), ("/", "slash"), ("_", "underscore")):
        address = address.replace(mark, f" {word} ")
    return re.sub(r" +", " ", address).strip() + end[0]


def _date(match: re.Match[str]) -> str:
    year, month, day = int(match["y"]), int(match["m"]), int(match["d"])
    if month > 12:
        month, day = day, month
    try:
        date(year, month, day)
    except ValueError:
        return _digits(match[0])
    return f"{_MONTHS[month - 1]} {_whole(day, 'ordinal')}, {_year(str(year))}"


def _month_day(match: re.Match[str]) -> str:
    return f"{match[1]} {_whole(int(match[2]), 'ordinal')}"


def _day_month(match: re.Match[str]) -> str:
    return f"{_whole(int(match[1]), 'ordinal')} {match[2]}"


def _time(match: re.Match[str]) -> str:
    hour, minute, half = int(match[1]), int(match[2]), match[3]
    if hour > 24 or minute > 59:
        return f"{_whole(hour)} to {_whole(minute)}"
    words = [_whole(hour)]
    if minute:
        words.append(f"oh {_whole(minute)}" if minute < 10 else _whole(minute))
    elif not half:
        words.append("o'clock" if 1 <= hour <= 12 else "hundred")
    return " ".join([*words, f"{half[0].upper()}M"] if half else words)


def _dotted(match: re.Match[str]) -> str:
    """A version has points; an address of four parts has dots."""
    parts = match[0].split(".")
    return (" dot " if len(parts) == 4 else " point ").join(_number(part) for part in parts)


def _ratio(match: re.Match[str]) -> str:
    return f"{_whole(int(match[1]))} to {_whole(int(match[2]))}"


def _money(sign: str | None, number: str, scale: str | None, unit: str) -> str:
    one, many, cent, cents = CURRENCIES[unit.strip().rstrip(".").lower()]
    minus = _SIGNS.get((sign or "").strip(), "")
    if scale:
        return f"{minus}{_number(number)} {_SCALES.get(scale.lower(), scale)} {many}"
    whole, _, fraction = _value(number).partition(".")
    if not cent or (fraction and len(fraction) != 2):
        return f"{minus}{_number(number)} {one if _is_one(number) else many}"
    major = f"{_number(whole)} {one if whole == '1' else many}"
    if not int(fraction or 0):
        return minus + major
    minor = f"{_whole(int(fraction))} {cent if int(fraction) == 1 else cents}"
    return minus + (f"{major} and {minor}" if whole.strip("0") else minor)


def _money_before(match: re.Match[str]) -> str:
    return _money(match[1] or match[3], match[4], match[5] or match[6], match[2])


def _money_after(match: re.Match[str]) -> str:
    return _money(match[1], match[2], match[3] or match[4], match[5])


def _measure(match: re.Match[str]) -> str:
    one, many = UNITS[match[3]]
    return f"{_signed(match[1], match[2])} {one if _is_one(match[2]) else many}"


def _degrees(match: re.Match[str]) -> str:
    scale = {"C": " Celsius", "F": " Fahrenheit", None: ""}[match[3]]
    return f"{_signed(match[1], match[2])} degree{'' if _is_one(match[2]) else 's'}{scale}"


def _range(match: re.Match[str]) -> str:
    return f"{match[1]} to {match[2]}"


def _hyphened(match: re.Match[str]) -> str:
    """Two numbers with a spaced hyphen: a range goes up, else something is taken away."""
    rising = float(_value(match[1])) < float(_value(match[2]))
    return f"{match[1]} {'to' if rising else 'minus'} {match[2]}"


def _slashed(match: re.Match[str]) -> str:
    if len(match[0]) <= _LONGEST:
        over, under = int(match[1]), int(match[2])
        if 0 < over < under and under in _DENOMINATORS:
            return _fraction(over, under)
    joined = "out of" if match[1] == match[2] else "slash"
    return f"{_number(match[1])} {joined} {_number(match[2])}"


def _mixed(match: re.Match[str]) -> str:
    over, under = _GLYPHS[match[2]] if match[2] else (int(match[3]), int(match[4]))
    part = _fraction(over, under)
    if not match[1]:
        return part
    return f"{_number(match[1])} and {part.replace('one', 'a', 1) if over == 1 else part}"


def _operation(match: re.Match[str]) -> str:
    """An expression with an equals sign: every mark in it is arithmetic."""
    return re.sub(r"\s*([=×*·÷+−/^-])\s*", lambda m: f" {_SYMBOLS[m[1]]} ", match[0])


def _symbol(match: re.Match[str]) -> str:
    return f" {_SYMBOLS[match[1]]} "


def _rule(pattern: str, words: str | Callable[[re.Match[str]], str]) -> Rule:
    if isinstance(words, str):
        literal = words
        return re.compile(pattern), lambda match: match.expand(literal)
    return re.compile(pattern), words


_UNIT = "|".join(re.escape(unit) for unit in sorted(UNITS, key=len, reverse=True))
_SIGILS = "|".join(re.escape(c) for c in ("US$", "$", "€", "£", "¥", "₹"))
_NAMED = r"(?:USD|EUR|GBP|CHF|JPY)"
_OPERAND = rf"[-−]?(?:{_NUM}|(?<![A-Za-z])[a-z](?![A-Za-z]))"
_RULES: tuple[Rule, ...] = (
    _rule(r"https?://\S+|\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+|\bwww\.\S+", _address),
    _rule(r"\b[a-z0-9-]+\.(?:com|org|net|io|dev|ai|de|co\.uk)\b(?:/\S*)?", _address),
    _rule(r"[*_`~|]{2,}|(?<!\w)[*_`|]+(?=\S)|(?<=\S)[*_`|]+(?!\w)|^#+ ", " "),
    # words with marks in them
    _rule(r"\b([A-G])#(?!\w)", r"\1 sharp"),
    _rule(r"\b([CF])\+\+", r"\1 plus plus"),
    _rule(r"\b24/7\b", "twenty-four seven"),
    _rule(r"\be\.g\.", "for example"),
    _rule(r"\bi\.e\.", "that is"),
    _rule(r"\bvs\.?(?= )", "versus"),
    _rule(r"\bapprox\.", "approximately"),
    _rule(r"\b(\w+)/(?=(?:she|her|hers|him|his|them|or)\b)", r"\1 or "),
    # dates and times
    _rule(r"\b(?P<y>\d{4})-(?P<m>\d{2})-(?P<d>\d{2})\b", _date),
    _rule(r"\b(?P<m>\d{1,2})[/.](?P<d>\d{1,2})[/.](?P<y>\d{4})\b", _date),
    _rule(rf"\b({_MONTH}) (\d{{1,2}})(?:st|nd|rd|th)?\b(?![:\d%])", _month_day),
    _rule(rf"\b(\d{{1,2}})(?:st|nd|rd|th)? (?:of )?({_MONTH})", _day_month),
    _rule(rf"\b({_YEAR})\s?(?:-|–|to)\s?({_YEAR})\b",
          lambda m: f"{_year(m[1])} to {_year(m[2])}"),
    _rule(rf"(\b(?:in|since|year|until|before|after|early|late|from|by|of) |[a-z], |{_MONTH} )"
          rf"({_YEAR})\b(?![,.]?\d|:| ?[%°$€£])", lambda m: m[1] + _year(m[2])),
    _rule(r"\b(1[1-9]|20)(\d)0s\b", lambda m: _plural(_year(f"{m[1]}{m[2]}0"))),
    _rule(r"(?<!\w)['’]?([2-9]0)s\b", lambda m: _plural(_whole(int(m[1])))),
    _rule(rf"\b(\d{{1,2}}):(\d{{2}})(?::\d{{2}})?(?:\s?([AaPp])\.?[Mm]\b{_STOP})?(?![:\d])", _time),
    _rule(rf"\b(\d{{1,2}})\s?([AaPp])\.?[Mm]\b{_STOP}",
          lambda m: f"{_whole(int(m[1]))} {m[2].upper()}M"),
    _rule(r"\b(\d{1,3}):(\d{1,3})\b", _ratio),
    _rule(r"\b(\d)['′]\s?(\d{1,2})[\"″]",
          lambda m: f"{_whole(int(m[1]))} foot {_whole(int(m[2]))}"),
    # digits that are no amount
    _rule(r"(?<!\w)\+(?=\d[\d -]{6,}\d)", "plus "),
    _rule(r"\(?\b\d{2,4}\)?(?:[ -]\d{2,4}){2,}\b", lambda m: _digits(m[0])),
    _rule(r"\b\d{3}-\d{4}\b|\b\d+(?:-\d+){2,}\b", lambda m: _digits(m[0])),
    _rule(rf"\b({_CODED}(?: (?:number|is|was|of)){{0,2}}:? #?)(\d{{3,}})\b(?![.,:/]\d| ?[%°])",
          lambda m: m[1].rstrip("#") + _digits(m[2])),
    _rule(r"(?<![\d.,])0\d+\b(?![.,]\d)", lambda m: _digits(m[0])),
    _rule(r"\b([A-Z]{1,3})-(\d{3,})\b", lambda m: f"{m[1]} {_digits(m[2])}"),
    _rule(r"\b\d+(?:\.\d+){2,}\b", _dotted),
    _rule(r"\b\d{1,2}(?:,\d{1,2}){2,}\b", lambda m: m[0].replace(",", ", ")),
    # money and measures
    _rule(rf"([-−+~]?)({_SIGILS}|{_NAMED} )([-−]?)({_NUM}){_SCALE}", _money_before),
    _rule(rf"({_SIGN})({_NUM}){_SCALE}\s?([€£¥₹$]|{_NAMED}\b)", _money_after),
    _rule(rf"({_SIGN})({_NUM})\s?¢", lambda m: f"{_signed(m[1], m[2])} cents"),
    _rule(rf"{_START}({_NUM})\s?[-–]\s?({_NUM}(?=\s?(?:°|%|(?:{_UNIT})\b)))", _range),
    _rule(rf"({_SIGN})({_NUM})\s?°\s?([CF])?(?![A-Za-z])", _degrees),
    _rule(rf"({_SIGN})({_NUM})\s?%", lambda m: f"{_signed(m[1], m[2])} percent"),
    _rule(rf"({_SIGN})({_NUM})\s?({_UNIT})(?![\w²³])", _measure),
    # arithmetic
    _rule(rf"{_OPERAND}(?:\s*[×*·÷+−/^-]\s*{_OPERAND})*\s*=\s*{_OPERAND}"
          rf"(?:\s*[×*·÷+−/^-]\s*{_OPERAND})*", _operation),
    _rule(rf"(\d+)?\s?([{''.join(_GLYPHS)}])()()", _mixed),
    _rule(r"\b(\d+) ()(\d)/(\d{1,2})\b", _mixed),
    _rule(r"(?<![\w./])(\d+)/(\d+)(?![\w/])(?!\.\d)", _slashed),
    _rule(rf"{_START}({_NUM}) [-−–] ({_NUM})", _hyphened),
    _rule(rf"{_START}({_NUM})[-–]({_NUM})(?![-\w])", _range),
    _rule(r"(?<=\w)²|(?<=\w)\^2\b", " squared"),
    _rule(r"(?<=\w)³|(?<=\w)\^3\b", " cubed"),
    _rule(r"(?<=\d)\s?[x×](?=\s|[.,;:!?]|$)", " times"),
    _rule(r"(?<!\b0)(?<=\d)\s?[x×*·]\s?(?=\d)", " times "),
    # numbers by what stands beside them
    _rule(r"(?<![\w&])(?:#|№ ?|[Nn]o\. ?)(?=\d)", "number "),
    _rule(r"(?<![\d,.])(\d{1,6})(?:st|nd|rd|th)\b", lambda m: _whole(int(m[1]), "ordinal")),
    _rule(rf"({_SIGN})({_NUM})(k|K|M|bn|B)\b",
          lambda m: f"{_signed(m[1], m[2])} {_SCALES[m[3].lower()]}"),
    _rule(r"(?<=[A-Za-z])(?=\d)", " "),
    _rule(rf"({_SIGN})({_NUM})(?=[A-Za-z])", lambda m: f"{_signed(m[1], m[2])} "),
    _rule(rf"({_SIGN})({_NUM})", lambda m: _signed(m[1], m[2])),
    # what is left
    _rule(r"\s*([≠≈≤≥×÷±√π∞→&@§№©™%°])\s*", _symbol),
    _rule(r"(?<=\w)\s+([=<>+*])\s+(?=\w)", _symbol),
    _rule(r"[*_`#~|^<>{}\\]+", " "),
)  # fmt: skip


def _plural(words: str) -> str:
    return f"{words[:-1]}ies" if words.endswith("y") else f"{words}s"
