"""English."""

from __future__ import annotations

import re
from dataclasses import replace

from omni_agent.saying.language import (
    Counting,
    Dates,
    Language,
    Money,
    Phrasing,
    Signs,
    words,
)
from omni_agent.saying.numbers import Noun, Numbers, nouns
from omni_agent.saying.numerals import Numerals

_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
_MONTH = rf"(?:{'|'.join(_MONTHS)}|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)\b\.?"
_YEAR = r"(?:1[1-9]\d\d|20\d\d)"
_STOP = r"(?:\.(?=\s[a-z]))?"
"""The full stop of an abbreviation in mid-sentence."""


def _month_day(match: re.Match[str], say: Numerals) -> str:
    return f"{match[1]} {say.ordinal(int(match[2]))}"


def _day_month(match: re.Match[str], say: Numerals) -> str:
    return f"{say.ordinal(int(match[1]))} {match[2]}"


def _years(match: re.Match[str], say: Numerals) -> str:
    return f"{say.year(int(match[1]))} to {say.year(int(match[2]))}"


def _year(match: re.Match[str], say: Numerals) -> str:
    return match[1] + say.year(int(match[2]))


def _decade(match: re.Match[str], say: Numerals) -> str:
    return f"{say.year(int(match[1])).removesuffix('y')}ies"


def _hours(match: re.Match[str], say: Numerals) -> str:
    return f"{say.cardinal(int(match[1]))} {match[2].upper()}M"


def _half_day(match: re.Match[str], say: Numerals) -> str:
    hour, minute = int(match[1]), int(match[2])
    if hour > 24 or minute > 59:
        return match[0]
    time = _clock(say, hour, minute) if minute else say.cardinal(hour)
    return f"{time} {match[3].upper()}M"


def _clock(say: Numerals, hour: int, minute: int) -> str:
    if not minute:
        return f"{say.cardinal(hour)} " + ("o'clock" if 1 <= hour <= 12 else "hundred")
    return f"{say.cardinal(hour)} {'oh ' if minute < 10 else ''}{say.cardinal(minute)}"


def _feet(match: re.Match[str], say: Numerals) -> str:
    return f"{say.cardinal(int(match[1]))} foot {say.cardinal(int(match[2]))}"


def _place(match: re.Match[str], say: Numerals) -> str:
    return f"{match[1]} {say.number(match[2])} {match[3]}"


def _ordinal(match: re.Match[str], say: Numerals) -> str:
    return say.ordinal(int(match[1]))


def _regular(**units: str) -> dict[str, str]:
    return {unit: f"{word}/{word}s" for unit, word in units.items()}


_DOLLAR, _CENT = Noun("dollar", "dollars"), Noun("cent", "cents")
_EURO = Noun("euro", "euros")
_POUND, _PENNY = Noun("pound", "pounds"), Noun("penny", "pence")
_YEN = Noun("yen", "yen")
_DATES = Dates(months=_MONTHS, written="{month} {day}, {year}", time=_clock, month_first=True)
_DAY_FIRST = replace(_DATES, month_first=False, written="{day} {month} {year}")
_NUMBERS = Numbers(code="en", point="point", decimal=".", group=",", spelled=True)

LANGUAGE = Language(
    numbers=_NUMBERS,
    counting=Counting(
        scales=nouns(
            _={
                "hundred": "hundred", "thousand": "thousand", "million": "million",
                "billion": "billion", "trillion": "trillion", "k": "thousand", "K": "thousand",
                "M": "million", "mn": "million", "bn": "billion", "B": "billion",
            }
        ),
        parts={
            2: Noun("half", "halves"), 3: Noun("third", "thirds"), 4: Noun("quarter", "quarters"),
            5: Noun("fifth", "fifths"), 6: Noun("sixth", "sixths"), 7: Noun("seventh", "sevenths"),
            8: Noun("eighth", "eighths"), 9: Noun("ninth", "ninths"), 10: Noun("tenth", "tenths"),
            12: Noun("twelfth", "twelfths"), 16: Noun("sixteenth", "sixteenths"),
            20: Noun("twentieth", "twentieths"), 32: Noun("thirty-second", "thirty-seconds"),
            100: Noun("hundredth", "hundredths"),
        },
        mixed="and {}",
        half="and a half",
    ),
    dates=_DATES,
    money=Money(
        currencies={
            "$": (_DOLLAR, _CENT), "us$": (_DOLLAR, _CENT), "usd": (_DOLLAR, _CENT),
            "dollars": (_DOLLAR, _CENT), "€": (_EURO, _CENT), "eur": (_EURO, _CENT),
            "euros": (_EURO, _CENT), "£": (_POUND, _PENNY), "gbp": (_POUND, _PENNY),
            "chf": (Noun("Swiss franc", "Swiss francs"), Noun("centime", "centimes")),
            "₹": (Noun("rupee", "rupees"), Noun("paisa", "paise")),
            "¥": (_YEN, None), "jpy": (_YEN, None), "¢": (_CENT, None),
        },
        joined="{} and {}",
    ),
    units=nouns(
        _={
            **_regular(
                km="kilometer", m="meter", cm="centimeter", mm="millimeter", kg="kilogram",
                g="gram", mg="milligram", t="ton", l="liter", L="liter", ml="milliliter",
                mL="milliliter", oz="ounce", mi="mile", yd="yard", kWh="kilowatt hour",
                kW="kilowatt", MW="megawatt", W="watt", V="volt", A="amp", kB="kilobyte",
                KB="kilobyte", MB="megabyte", GB="gigabyte", TB="terabyte", ms="millisecond",
                s="second", sec="second", min="minute", mins="minute", h="hour", hr="hour",
                hrs="hour", kcal="kilocalorie", cal="calorie", dB="decibel", ha="hectare",
                lb="pound", lbs="pound", px="pixel",
            ),
            "m²": "square meter/square meters", "m2": "square meter/square meters",
            "km²": "square kilometer/square kilometers",
            "cm²": "square centimeter/square centimeters", "m³": "cubic meter/cubic meters",
            "km/h": "kilometer per hour/kilometers per hour",
            "kmh": "kilometer per hour/kilometers per hour",
            "m/s": "meter per second/meters per second", "mph": "mile per hour/miles per hour",
            "Mbps": "megabit per second/megabits per second",
            "Mbit/s": "megabit per second/megabits per second",
            "ft": "foot/feet", "in.": "inch/inches", "Hz": "hertz", "kHz": "kilohertz",
            "MHz": "megahertz", "GHz": "gigahertz", "%": "percent", "°": "degree/degrees",
            "°C": "degree Celsius/degrees Celsius", "°F": "degree Fahrenheit/degrees Fahrenheit",
        }
    ),
    signs=Signs(
        words={
            "=": "equals", "≠": "is not equal to", "≈": "is about", "≤": "is at most",
            "≥": "is at least", "<": "is less than", ">": "is greater than", "×": "times",
            "*": "times", "·": "times", "÷": "divided by", "/": "divided by", "+": "plus",
            "±": "plus or minus", "−": "minus", "-": "minus", "~": "about",
            "^": "to the power of", "√": "the square root of", "π": "pi", "∞": "infinity",
            "→": "to", "&": "and", "@": "at", "%": "percent", "°": "degrees", "§": "section",
            "№": "number", "©": "copyright", "™": "trademark",
        },
        address={".": "dot", "@": "at", "/": "slash", "_": "underscore"},
        to="to", of="out of", per="per", number="number", squared="squared", cubed="cubed",
    ),
    phrasing=Phrasing(
        openers=words(
            """and but or so because since although while if when where which who that is are was
            were will would can could should has have for from in into on at to with about by of
            than as until before after"""
        ),
        abbreviations=words(
            "mr mrs ms dr prof st jr sr vs etc approx dept no e.g i.e a.m p.m u.s"
        ),
    ),
    codes=r"(?i:codes?|pin|passwords?|extension|ext\.?|order|booking|reference|flight|zip|postcode"
    r"|room)(?: (?:number|is|was|of)){0,2}",
    rules=(
        (r"\b([A-G])#(?!\w)", r"\1 sharp"),
        (r"\b([CF])\+\+", r"\1 plus plus"),
        (r"(?<!\w)[Nn]o\. ?(?=\d)", "number "),
        (r"\b24/7\b", "twenty-four seven"),
        (r"\be\.g\.", "for example"),
        (r"\bi\.e\.", "that is"),
        (r"\bvs\.?(?= )", "versus"),
        (r"\bapprox\.", "approximately"),
        (r"\b(\w+)/(?=(?:she|her|hers|him|his|them|or)\b)", r"\1 or "),
        (r"(?<=\d)(\s?[AaPp]\.?[Mm]\.?)\s?[-–]\s?(?=\d)", r"\1 to "),
        (rf"\b({_MONTH}) (\d{{1,2}})(?:st|nd|rd|th)?\b(?![:\d%])", _month_day),
        (rf"\b(\d{{1,2}})(?:st|nd|rd|th)? (?:of )?({_MONTH})", _day_month),
        (rf"\b({_YEAR})\s?(?:-|–|to)\s?({_YEAR})\b", _years),
        (rf"(\b(?:in|since|year|until|before|after|early|late|from|by|of|Q[1-4]|spring|summer"
         rf"|autumn|fall|winter) |[a-z], |{_MONTH} )"
         rf"({_YEAR})\b(?![,.]?\d|:| ?[%°$€£])", _year),
        (r"\b((?:1[1-9]|20)\d0)s\b", _decade),
        (r"(?<!\w)['’]?([2-9]0)s\b", _decade),
        (rf"\b(\d{{1,2}}):(\d{{2}})(?::\d{{2}})?\s?([AaPp])\.?[Mm]\b{_STOP}(?![:\d])", _half_day),
        (rf"\b(\d{{1,2}})\s?([AaPp])\.?[Mm]\b{_STOP}", _hours),
        (r"\b(\d+) ?h (\d+) ?m(?:in)?\b", r"\1 h \2 min"),
        (r"\b(\d+) ft (\d+) in\b", r"\1 feet \2 inches"),
        (r"\b((?i:room|gate|seat|apartment|flat|platform|row|bus|line)) (\d+)([A-Z])\b", _place),
        (r"\b(\d)['′]\s?(\d{1,2})[\"″]", _feet),
        (r"(?<![\d,.])(\d{1,6})(?:st|nd|rd|th)\b", _ordinal),
    ),
    regions={
        **{region: {"dates": _DAY_FIRST} for region in ("AU", "GB", "IE", "NZ", "ZA")},
        "IN": {"dates": _DAY_FIRST, "numbers": replace(_NUMBERS, code="en_IN")},
    },
)  # fmt: skip
