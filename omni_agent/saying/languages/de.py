"""German."""

from __future__ import annotations

import re

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
    "Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September",
    "Oktober", "November", "Dezember",
)  # fmt: skip
_MONTH = (
    rf"(?:{'|'.join(_MONTHS)}|Jänner|Jan\.|Feb\.|Apr\.|Jun\.|Jul\.|Aug\.|Sept?\.|Okt\.|Nov\.|Dez\.)"
)
_WEAK = r"(?i:am|vom|zum|zur|beim|im|dem|den|des|ab|bis|seit|nach|vor|diesem|diesen|jedem|jeden)"
"""After these an ordinal ends in -n …"""
_ARTICLE = r"(?i:der|die|das|diese|dieser|dieses|jede|jeder|jedes)"
"""… and after these in nothing more."""


def _ordinal(match: re.Match[str], say: Numerals) -> str:
    """Without a word before it, it is a date's: "dritter Mai"."""
    before, number = match[1] or "", match[2]
    ending = "r"
    if before:
        ending = "n" if re.fullmatch(_WEAK, before.strip()) else ""
    return f"{before}{say.ordinal(int(number))}{ending} "


_FLOORS = {
    "Stock": "r", "Geburtstag": "r", "Stockwerk": "s", "Obergeschoss": "s", "Untergeschoss": "s",
    "OG": "s", "UG": "s", "Jahrhundert": "s", "Etage": "",
}  # fmt: skip
"""What ordinals stand before without an article, as in an address, and how they end there."""


def _bare_ordinal(match: re.Match[str], say: Numerals) -> str:
    return f"{say.ordinal(int(match[1]))}{_FLOORS[match[2]]} {match[2]}"


_DATIVE = r"(?i:mit|bei|von|aus|nach|seit)"
"""Prepositions with no other case."""
_ONE = r"(?!(?:Uhr|Mio|Mrd|Tsd|Std|Sek|Min)\b)[A-ZÄÖÜ][a-zäöüß]{2,}\b(?! \d)"
"""What is counted, written in full."""


def _dative_one(match: re.Match[str], say: Numerals) -> str:
    return f"{match[1]} {'einer' if say.gender(match[2]) == 'f' else 'einem'} {match[2]}"


_WEEKDAYS = {
    "Mo": "Montag", "Di": "Dienstag", "Mi": "Mittwoch", "Do": "Donnerstag", "Fr": "Freitag",
    "Sa": "Samstag", "So": "Sonntag",
}  # fmt: skip
_WEEKDAY = rf"\b({'|'.join(_WEEKDAYS)})\."
_WHEN = (
    rf",| (?:\d{{1,2}}\.(?:\d{{1,2}}\.| ?{_MONTH})"
    r"|\d{1,2}\.\d{2} ?Uhr|\d{1,2}:\d{2}|(?:um|ab) \d)"
)
"""What makes a weekday of two letters and a stop ("Fr. 5" are francs)."""


def _weekday(match: re.Match[str], say: Numerals) -> str:
    return _WEEKDAYS[match[1]]


def _weekdays(match: re.Match[str], say: Numerals) -> str:
    return f"{_WEEKDAYS[match[1]]} bis {_WEEKDAYS[match[2]]}"


def _day_and_month(match: re.Match[str], say: Numerals) -> str:
    day, month = int(match[1]), int(match[2])
    if not (1 <= day <= 31 and 1 <= month <= 12):
        return match[0]
    return f"{day}. {_MONTHS[month - 1]}"


def _decade(match: re.Match[str], say: Numerals) -> str:
    return f"{say.year(int(match[1]))}er"


def _hours(match: re.Match[str], say: Numerals) -> str:
    hour, minute = int(match[1]), int(match[2])
    return _clock(say, hour, minute) if hour <= 24 and minute <= 59 else match[0]


def _clock(say: Numerals, hour: int, minute: int) -> str:
    hours = f"{say.cardinal(hour, 'm')} Uhr"
    return f"{hours} {say.cardinal(minute)}" if minute else hours


_DOLLAR, _EURO = Noun("Dollar", "Dollar", "m"), Noun("Euro", "Euro", "m")
_CENT, _PENNY = Noun("Cent", "Cent", "m"), Noun("Penny", "Pence", "m")
_POUND, _YEN = Noun("Pfund", "Pfund", "m"), Noun("Yen", "Yen", "m")
_FRANC, _RAPPEN = Noun("Schweizer Franken", "Schweizer Franken", "m"), Noun("Rappen", "Rappen", "m")

LANGUAGE = Language(
    numbers=Numbers(
        code="de",
        point="Komma",
        spelled=True,
        hundreds=True,
        agreement={"m": ((r"^eins$", "ein"),), "f": ((r"^eins$", "eine"),)},
        nouns=(
            (r"(?:Name|Käse|Junge|Ende|Kunde|Kollege|Gebäude|Auge)", "m"),
            (r"(?:Person|Nacht|Stadt|Frau|Antwort|Zahl|Tür|Hand|Schwester|Mutter|Tochter|Nummer|Mail|App|SMS"
             r"|Bahn|Wand|Bank)", "f"),
            (r"[A-ZÄÖÜ]\w*(?:e|ung|heit|keit|ion|tät)", "f"),
            (r"[A-ZÄÖÜ]\w+", "m"),
        ),
    ),
    counting=Counting(
        scales=nouns(
            m={"hundert": "hundert", "tausend": "tausend", "Tsd.": "tausend", "k": "tausend"},
            f={
                "Million": "Million", "Millionen": "Million/Millionen", "M": "Million/Millionen",
                "Mio.": "Million/Millionen", "Mio": "Million/Millionen",
                "Milliarde": "Milliarde", "Milliarden": "Milliarde/Milliarden",
                "Mrd.": "Milliarde/Milliarden", "Mrd": "Milliarde/Milliarden",
                "Billion": "Billion", "Billionen": "Billion/Billionen",
            },
        ),
        parts={
            2: Noun("halb", "halbe", "m"), 3: Noun("Drittel", "Drittel", "m"),
            4: Noun("Viertel", "Viertel", "m"), 5: Noun("Fünftel", "Fünftel", "m"),
            6: Noun("Sechstel", "Sechstel", "m"), 7: Noun("Siebtel", "Siebtel", "m"),
            8: Noun("Achtel", "Achtel", "m"), 9: Noun("Neuntel", "Neuntel", "m"),
            10: Noun("Zehntel", "Zehntel", "m"), 12: Noun("Zwölftel", "Zwölftel", "m"),
            16: Noun("Sechzehntel", "Sechzehntel", "m"),
            20: Noun("Zwanzigstel", "Zwanzigstel", "m"),
            100: Noun("Hundertstel", "Hundertstel", "m"),
        },
        mixed="{}",
        half="einhalb",
    ),
    dates=Dates(months=_MONTHS, written="{day}. {month} {year}", time=_clock),
    money=Money(
        currencies={
            "€": (_EURO, _CENT), "eur": (_EURO, _CENT), "euro": (_EURO, _CENT),
            "$": (_DOLLAR, _CENT), "us$": (_DOLLAR, _CENT), "usd": (_DOLLAR, _CENT),
            "dollar": (_DOLLAR, _CENT), "£": (_POUND, _PENNY), "gbp": (_POUND, _PENNY),
            "chf": (_FRANC, _RAPPEN), "sfr": (_FRANC, _RAPPEN), "¥": (_YEN, None),
            "jpy": (_YEN, None), "ct": (_CENT, None),
            "₹": (Noun("Rupie", "Rupien", "f"), Noun("Paisa", "Paise", "m")),
        },
        joined="{} und {}",
    ),
    units=nouns(
        m={
            "km": "Kilometer", "m": "Meter", "cm": "Zentimeter", "mm": "Millimeter",
            "kg": "Kilogramm", "g": "Gramm", "mg": "Milligramm", "l": "Liter", "L": "Liter",
            "ml": "Milliliter", "kW": "Kilowatt", "MW": "Megawatt", "W": "Watt", "V": "Volt",
            "A": "Ampere", "kB": "Kilobyte", "KB": "Kilobyte", "MB": "Megabyte",
            "GB": "Gigabyte", "TB": "Terabyte", "dB": "Dezibel", "ha": "Hektar", "px": "Pixel",
            "m²": "Quadratmeter", "m2": "Quadratmeter", "qm": "Quadratmeter",
            "km²": "Quadratkilometer", "cm²": "Quadratzentimeter", "m³": "Kubikmeter",
            "km/h": "Kilometer pro Stunde", "m/s": "Meter pro Sekunde",
            "Mbit/s": "Megabit pro Sekunde", "Hz": "Hertz", "kHz": "Kilohertz",
            "MHz": "Megahertz", "GHz": "Gigahertz", "%": "Prozent", "°": "Grad",
            "°C": "Grad Celsius", "°F": "Grad Fahrenheit", "Zoll": "Zoll",
        },
        f={
            "t": "Tonne/Tonnen", "kWh": "Kilowattstunde/Kilowattstunden",
            "ms": "Millisekunde/Millisekunden", "s": "Sekunde/Sekunden", "Sek.": "Sekunde/Sekunden",
            "min": "Minute/Minuten", "Min.": "Minute/Minuten", "h": "Stunde/Stunden",
            "Std.": "Stunde/Stunden", "kcal": "Kilokalorie/Kilokalorien",
        },
    ),
    signs=Signs(
        words={
            "=": "gleich", "≠": "ungleich", "≈": "ungefähr", "≤": "höchstens", "≥": "mindestens",
            "<": "kleiner als", ">": "größer als", "×": "mal", "*": "mal", "·": "mal",
            "÷": "geteilt durch", "/": "geteilt durch", "+": "plus", "±": "plus minus",
            "−": "minus", "-": "minus", "~": "etwa", "^": "hoch", "√": "Wurzel aus", "π": "Pi",
            "∞": "unendlich", "→": "nach", "&": "und", "@": "ät", "%": "Prozent", "°": "Grad",
            "§": "Paragraf", "№": "Nummer", "©": "Copyright", "™": "Trademark",
        },
        address={".": "Punkt", "@": "ät", "/": "Schrägstrich", "_": "Unterstrich"},
        to="bis", of="von", per="pro", number="Nummer", squared="Quadrat", cubed="hoch drei",
    ),
    phrasing=Phrasing(
        openers=words(
            """und aber oder denn weil da obwohl während wenn falls als wo wer was wie dass ob
            damit sodass für von aus in im an am auf mit ohne bei über unter nach vor bis seit
            durch gegen zum zur ist sind war waren wird werden kann können soll hat haben"""
        ),
        abbreviations=words(
            """hr hrn fr dr prof dipl ing st str nr bzw ca usw etc evtl ggf inkl exkl vgl
            abs art bd max min mio mrd tel z b d h u a i s o std sek zzgl
            mo di mi do sa"""
        ),
        ordinal_stop=True,
    ),
    codes=r"(?i:code|pin|passwort|durchwahl|bestellung|bestellnummer|buchung|buchungsnummer|flug"
    r"|postleitzahl|plz|zimmer|kundennummer|referenz)(?: (?:nummer|ist|war|lautet|nr\.)){0,2}",
    rules=(
        (r"\bC#(?!\w)", "C sharp"),
        (r"\b([CF])\+\+", r"\1 plus plus"),
        (r"\b24/7\b", "rund um die Uhr"),
        (r"\bz\. ?B\.", "zum Beispiel"),
        (r"\bd\. ?h\.", "das heißt"),
        (r"\bu\. ?a\.", "unter anderem"),
        (r"\bi\. ?d\. ?R\.", "in der Regel"),
        (r"\bz\. ?T\.", "zum Teil"),
        (r"\busw\.", "und so weiter"),
        (r"\bbzw\.", "beziehungsweise"),
        (r"\bca\.", "circa"),
        (r"\bevtl\.", "eventuell"),
        (r"\bggf\.", "gegebenenfalls"),
        (r"\binkl\.", "inklusive"),
        (r"\bzzgl\.", "zuzüglich"),
        (r"\bvgl\.", "vergleiche"),
        (r"\bNr\. ?(?=\d)", "Nummer "),
        (r"\bTel\.(?=:? ?[\d+(])", "Telefon"),
        (rf"{_WEEKDAY} ?[–-] ?{_WEEKDAY[2:]}", _weekdays),
        (rf"{_WEEKDAY}(?={_WHEN})", _weekday),
        (r"\b([1-9]|[12]\d|3[01])\.(0?[1-9]|1[0-2])\.(?!\d)", _day_and_month),
        (rf"(\b{_WEAK} |\b{_ARTICLE} |)(?<![\d.,])\b(\d{{1,2}})\. ?(?={_MONTH})", _ordinal),
        (rf"(\b(?:{_WEAK}|{_ARTICLE}) )(\d{{1,3}})\. (?=\w)", _ordinal),
        (rf"(?:^|(?<=[,;:(] ))(\d{{1,2}})\. ({'|'.join(_FLOORS)})\b", _bare_ordinal),
        (rf"\b({_DATIVE}) 1 ({_ONE})", _dative_one),
        (r"(?<![\w,.])((?:1[1-9]|20)\d0|[2-9]0)er\b", _decade),
        (r"\b(\d{1,2})[:.](\d{2}) ?Uhr\b", _hours),
    ),
)  # fmt: skip
