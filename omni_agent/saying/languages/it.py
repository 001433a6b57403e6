"""Italian."""

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
from omni_agent.saying.numerals import Numerals, roman

_MONTHS = (
    "gennaio", "febbraio", "marzo", "aprile", "maggio", "giugno", "luglio", "agosto",
    "settembre", "ottobre", "novembre", "dicembre",
)  # fmt: skip
_MONTH = rf"(?i:{'|'.join(_MONTHS)})"


def _masculine(match: re.Match[str], say: Numerals) -> str:
    return say.ordinal(int(match[1]))


def _feminine(match: re.Match[str], say: Numerals) -> str:
    return re.sub(r"o$", "a", say.ordinal(int(match[1])))


def _century(match: re.Match[str], say: Numerals) -> str:
    return say.ordinal(roman(match[1]))


def _clock(say: Numerals, hour: int, minute: int) -> str:
    hours = say.cardinal(hour, "f")
    return f"{hours} e {say.cardinal(minute)}" if minute else hours


_DOLLAR, _EURO = Noun("dollaro", "dollari", "m"), Noun("euro", "euro", "m")
_CENT, _PENNY = Noun("centesimo", "centesimi", "m"), Noun("penny", "pence", "m")
_POUND, _YEN = Noun("sterlina", "sterline", "f"), Noun("yen", "yen", "m")
_FRANC = Noun("franco svizzero", "franchi svizzeri", "m")

LANGUAGE = Language(
    numbers=Numbers(
        code="it",
        point="virgola",
        repairs=((r"uno?esimo$", "unesimo"), (r"(milion[ei]|miliard[oi]) e ", r"\1 ")),
        agreement={"m": ((r"^uno$", "un"),), "f": ((r"^uno$", "una"),)},
        nouns=(
            (r"(?:di|del|e|o|a|ad|in|su|per|con|è|sono|ha|al|da|che|si|non|il|la|lo|le|i|gli)", ""),
            (r"(?:problema|sistema|programma|tema|clima|pianeta)", "m"),
            (r"\w+a|\w+(?:ione|tà)|notte|volte?", "f"),
            (r"\w+", "m"),
        ),
        linked=r"(?:milion[ei]|miliard[oi]|bilion[ei])$",
        link=(" di ", " di "),
    ),
    counting=Counting(
        scales=nouns(
            m={
                "mila": "mila", "k": "mila", "milione": "milione", "milioni": "milione/milioni",
                "M": "milione/milioni", "mln": "milione/milioni", "miliardo": "miliardo",
                "miliardi": "miliardo/miliardi", "mld": "miliardo/miliardi",
            }
        ),
        parts={
            2: Noun("mezzo", "mezzi", "m"), 3: Noun("terzo", "terzi", "m"),
            4: Noun("quarto", "quarti", "m"), 5: Noun("quinto", "quinti", "m"),
            6: Noun("sesto", "sesti", "m"), 7: Noun("settimo", "settimi", "m"),
            8: Noun("ottavo", "ottavi", "m"), 9: Noun("nono", "noni", "m"),
            10: Noun("decimo", "decimi", "m"), 12: Noun("dodicesimo", "dodicesimi", "m"),
            16: Noun("sedicesimo", "sedicesimi", "m"), 20: Noun("ventesimo", "ventesimi", "m"),
            100: Noun("centesimo", "centesimi", "m"),
        },
        mixed="e {}",
        half="e mezzo",
    ),
    dates=Dates(months=_MONTHS, written="{day} {month} {year}", time=_clock),
    money=Money(
        currencies={
            "€": (_EURO, _CENT), "eur": (_EURO, _CENT), "euro": (_EURO, _CENT),
            "$": (_DOLLAR, _CENT), "us$": (_DOLLAR, _CENT), "usd": (_DOLLAR, _CENT),
            "dollari": (_DOLLAR, _CENT), "£": (_POUND, _PENNY), "gbp": (_POUND, _PENNY),
            "chf": (_FRANC, _CENT), "¥": (_YEN, None), "jpy": (_YEN, None),
            "₹": (Noun("rupia", "rupie", "f"), Noun("paisa", "paise", "f")),
        },
        joined="{} e {}",
    ),
    units=nouns(
        m={
            "km": "chilometro/chilometri", "m": "metro/metri", "cm": "centimetro/centimetri",
            "mm": "millimetro/millimetri", "kg": "chilogrammo/chilogrammi", "g": "grammo/grammi",
            "mg": "milligrammo/milligrammi", "l": "litro/litri", "L": "litro/litri",
            "ml": "millilitro/millilitri", "kWh": "chilowattora", "kW": "chilowatt",
            "MW": "megawatt", "W": "watt", "V": "volt", "A": "ampere", "kB": "kilobyte",
            "KB": "kilobyte", "MB": "megabyte", "GB": "gigabyte", "TB": "terabyte",
            "ms": "millisecondo/millisecondi", "s": "secondo/secondi", "sec": "secondo/secondi",
            "min": "minuto/minuti", "dB": "decibel", "ha": "ettaro/ettari", "px": "pixel",
            "m²": "metro quadrato/metri quadrati", "m2": "metro quadrato/metri quadrati",
            "mq": "metro quadrato/metri quadrati",
            "km²": "chilometro quadrato/chilometri quadrati",
            "cm²": "centimetro quadrato/centimetri quadrati", "m³": "metro cubo/metri cubi",
            "km/h": "chilometro orario/chilometri orari",
            "m/s": "metro al secondo/metri al secondo", "Mbit/s": "megabit al secondo",
            "Hz": "hertz", "kHz": "kilohertz", "MHz": "megahertz", "GHz": "gigahertz",
            "°": "grado/gradi", "°C": "grado Celsius/gradi Celsius",
            "°F": "grado Fahrenheit/gradi Fahrenheit",
        },
        f={"t": "tonnellata/tonnellate", "h": "ora/ore", "kcal": "chilocaloria/chilocalorie"},
        _={"%": "per cento"},
    ),
    signs=Signs(
        words={
            "=": "uguale", "≠": "è diverso da", "≈": "è circa", "≤": "è al massimo",
            "≥": "è almeno", "<": "è minore di", ">": "è maggiore di", "×": "per", "*": "per",
            "·": "per", "÷": "diviso", "/": "diviso", "+": "più", "±": "più o meno", "−": "meno",
            "-": "meno", "~": "circa", "^": "elevato a", "√": "la radice quadrata di", "π": "pi",
            "∞": "infinito", "→": "a", "&": "e", "@": "chiocciola", "%": "per cento",
            "°": "gradi", "§": "paragrafo", "№": "numero", "©": "copyright",
            "™": "marchio registrato",
        },
        address={".": "punto", "@": "chiocciola", "/": "barra", "_": "trattino basso"},
        to="a", of="su", per="al", number="numero", squared="al quadrato", cubed="al cubo",
    ),
    phrasing=Phrasing(
        openers=words(
            """e o ma però perché poiché mentre se quando dove che chi come per di del della in nel
            nella su con senza tra fra da dal dalla fino verso secondo dopo prima è sono era erano
            sarà può possono deve ha hanno"""
        ),
        abbreviations=words(
            "sig sig.ra dott dott.ssa prof ing avv ecc es pag tel n art cap ca max min v"
        ),
    ),
    codes=r"(?i:codice|pin|password|interno|ordine|prenotazione|riferimento|volo|camera|stanza|cap)"
    r"(?: (?:numero|è|era|di)){0,2}",
    rules=(
        (r"\b([CF])\+\+", r"\1 più più"),
        (r"\b24/7\b", "ventiquattr'ore su ventiquattro"),
        (r"\b[Pp]\. ?es\.|\bad es\.", "per esempio"),
        (r"\becc\.", "eccetera"),
        (r"\bca\.", "circa"),
        (r"\bSig\.ra\b", "signora"),
        (r"\bSig\.(?= )", "signor"),
        (r"\bDott\.(?= )", "dottor"),
        (r"\bpag\.", "pagina"),
        (r"(?<!\w)n\. ?(?=\d)", "numero "),
        (rf"(?<![\d.,])\b1[º°]? (?={_MONTH})", "primo "),
        (r"\b([Aa])lle (?=1:\d\d\b)", r"\1ll'"),
        (r"\b([IVX]{1,6})(?= secol[oi]\b)", _century),
        (r"(?<![\d.,])\b(\d{1,3})º(?=\W|$)", _masculine),
        (r"(?<![\d.,])\b(\d{1,3})ª", _feminine),
        (r"\b(\d{1,3}) ?(?:k|mila)\b", r"\1.000"),
    ),
)  # fmt: skip
