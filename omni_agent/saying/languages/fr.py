"""French."""

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
from omni_agent.saying.numerals import Numerals, roman

_MONTHS = (
    "janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre",
    "octobre", "novembre", "décembre",
)  # fmt: skip
_MONTH = rf"(?i:{'|'.join(_MONTHS)})"


def _joined(match: re.Match[str], say: Numerals) -> str:
    """Thousands are parted by spaces."""
    return match[0].replace(" ", "")


def _ordinal(match: re.Match[str], say: Numerals) -> str:
    number, ending = int(match[1]), match[2]
    if ending.startswith("nd"):
        return "second" if ending == "nd" else "seconde"
    return "première" if ending in ("re", "ère") else say.ordinal(number)


def _century(match: re.Match[str], say: Numerals) -> str:
    return say.ordinal(roman(match[1]))


def _hours(match: re.Match[str], say: Numerals) -> str:
    hour, minute = int(match[1]), int(match[2] or 0)
    return _clock(say, hour, minute) if hour <= 24 and minute <= 59 else match[0]


def _clock(say: Numerals, hour: int, minute: int) -> str:
    hours = f"{say.cardinal(hour, 'f')} heure{'s' if hour > 1 else ''}"
    return f"{hours} {say.cardinal(minute)}" if minute else hours


_DOLLAR, _EURO = Noun("dollar", "dollars", "m"), Noun("euro", "euros", "m")
_CENT, _CENTIME = Noun("cent", "cents", "m"), Noun("centime", "centimes", "m")
_POUND, _PENNY = Noun("livre", "livres", "f"), Noun("penny", "pence", "m")
_FRANC, _YEN = Noun("franc suisse", "francs suisses", "m"), Noun("yen", "yens", "m")
_NUMBERS = Numbers(
    code="fr",
    point="virgule",
    plural_from=2,
    agreement={"f": ((r"\bun$", "une"),)},
    nouns=(
        (
            r"(?:heure|minute|seconde|semaine|journée|année|personne|chose|place|table|nuit"
            r"|page|chambre|étoile|livre|tonne|question|réponse|étape|option|tasse|fille|femme"
            r"|voiture|maison|tâche|note|ligne|station|ville|rue|part|fois|cuillère)s?",
            "f",
        ),
        (r"(?:de|du|des|et|ou|à|en|est|sont|sur|par|pour|dans|que|qui|le|la|les|un|une)", ""),
        (r"\w+", "m"),
    ),
    linked=r"(?:million|milliard|billion)s?$",
    link=(" de ", " d'"),
)

LANGUAGE = Language(
    numbers=_NUMBERS,
    counting=Counting(
        scales=nouns(
            m={
                "mille": "mille", "k": "mille", "million": "million",
                "millions": "million/millions", "M": "million/millions",
                "milliard": "milliard", "milliards": "milliard/milliards",
                "Md": "milliard/milliards", "Mds": "milliard/milliards",
            }
        ),
        parts={
            2: Noun("demi", "demis", "m"), 3: Noun("tiers", "tiers", "m"),
            4: Noun("quart", "quarts", "m"), 5: Noun("cinquième", "cinquièmes", "m"),
            6: Noun("sixième", "sixièmes", "m"), 7: Noun("septième", "septièmes", "m"),
            8: Noun("huitième", "huitièmes", "m"), 9: Noun("neuvième", "neuvièmes", "m"),
            10: Noun("dixième", "dixièmes", "m"), 12: Noun("douzième", "douzièmes", "m"),
            16: Noun("seizième", "seizièmes", "m"), 20: Noun("vingtième", "vingtièmes", "m"),
            100: Noun("centième", "centièmes", "m"),
        },
        mixed="et {}",
        half="et demi",
    ),
    dates=Dates(months=_MONTHS, written="{day} {month} {year}", time=_clock),
    money=Money(
        currencies={
            "€": (_EURO, _CENTIME), "eur": (_EURO, _CENTIME), "euro": (_EURO, _CENTIME),
            "euros": (_EURO, _CENTIME), "$": (_DOLLAR, _CENT), "us$": (_DOLLAR, _CENT),
            "usd": (_DOLLAR, _CENT), "dollars": (_DOLLAR, _CENT), "£": (_POUND, _PENNY),
            "gbp": (_POUND, _PENNY), "chf": (_FRANC, _CENTIME), "¥": (_YEN, None),
            "jpy": (_YEN, None),
            "₹": (Noun("roupie", "roupies", "f"), Noun("paisa", "paisas", "m")),
        },
        joined="{} et {}",
    ),
    units=nouns(
        m={
            "km": "kilomètre/kilomètres", "m": "mètre/mètres", "cm": "centimètre/centimètres",
            "mm": "millimètre/millimètres", "kg": "kilogramme/kilogrammes", "g": "gramme/grammes",
            "mg": "milligramme/milligrammes", "l": "litre/litres", "L": "litre/litres",
            "ml": "millilitre/millilitres", "mL": "millilitre/millilitres",
            "cl": "centilitre/centilitres", "kWh": "kilowattheure/kilowattheures",
            "kW": "kilowatt/kilowatts", "MW": "mégawatt/mégawatts", "W": "watt/watts",
            "V": "volt/volts", "A": "ampère/ampères", "ko": "kilo-octet/kilo-octets",
            "Ko": "kilo-octet/kilo-octets", "Mo": "mégaoctet/mégaoctets",
            "Go": "gigaoctet/gigaoctets", "To": "téraoctet/téraoctets",
            "MB": "mégaoctet/mégaoctets",
            "GB": "gigaoctet/gigaoctets", "TB": "téraoctet/téraoctets", "dB": "décibel/décibels",
            "ha": "hectare/hectares", "px": "pixel/pixels", "m²": "mètre carré/mètres carrés",
            "m2": "mètre carré/mètres carrés", "km²": "kilomètre carré/kilomètres carrés",
            "cm²": "centimètre carré/centimètres carrés", "m³": "mètre cube/mètres cubes",
            "km/h": "kilomètre par heure/kilomètres par heure",
            "m/s": "mètre par seconde/mètres par seconde",
            "Mbit/s": "mégabit par seconde/mégabits par seconde", "Hz": "hertz", "kHz": "kilohertz",
            "MHz": "mégahertz", "GHz": "gigahertz", "°": "degré/degrés",
            "°C": "degré Celsius/degrés Celsius", "°F": "degré Fahrenheit/degrés Fahrenheit",
        },
        f={
            "t": "tonne/tonnes", "ms": "milliseconde/millisecondes", "s": "seconde/secondes",
            "min": "minute/minutes", "h": "heure/heures", "kcal": "kilocalorie/kilocalories",
        },
        _={"%": "pour cent"},
    ),
    signs=Signs(
        words={
            "=": "égale", "≠": "est différent de", "≈": "est environ", "≤": "est au plus",
            "≥": "est au moins", "<": "est inférieur à", ">": "est supérieur à", "×": "fois",
            "*": "fois", "·": "fois", "÷": "divisé par", "/": "divisé par", "+": "plus",
            "±": "plus ou moins", "−": "moins", "-": "moins", "~": "environ", "^": "puissance",
            "√": "racine carrée de", "π": "pi", "∞": "l'infini", "→": "vers", "&": "et",
            "@": "arobase", "%": "pour cent", "°": "degrés", "§": "paragraphe", "№": "numéro",
            "©": "copyright", "™": "marque déposée",
        },
        address={".": "point", "@": "arobase", "/": "barre oblique", "_": "tiret bas"},
        to="à", of="sur", per="par", number="numéro", squared="au carré", cubed="au cube",
    ),
    phrasing=Phrasing(
        openers=words(
            """et ou mais car donc parce puisque bien quand lorsque si où qui que dont comme pour
            de du des en dans sur sous avec sans chez vers par entre depuis jusque avant après
            est sont était étaient sera seront peut peuvent doit a ont"""
        ),
        abbreviations=words(
            "m mm mme mlle mlles dr me pr st ste av env tél p ex c.-à-d cf art chap vol boul apr"
        ),
    ),
    codes=r"(?i:codes?|pin|mot de passe|poste|commande|réservation|référence|vol|chambre"
    r"|code postal)(?: (?:numéro|est|était|de)){0,2}",
    rules=(
        (r"(?<![\w.,])(?<!\d )[1-9]\d{0,2}(?: \d{3})+(?!\d)", _joined),
        (r"\b([CF])\+\+", r"\1 plus plus"),
        (r"\b24/7\b|\b24 ?h/24\b", "vingt-quatre heures sur vingt-quatre"),
        (r"\b7 ?j/7\b", "sept jours sur sept"),
        (r"\bp\. ?ex\.", "par exemple"),
        (r"\bc\.-à-d\.", "c'est-à-dire"),
        (r"\benv\.", "environ"),
        (r"\bMme\b", "Madame"),
        (r"\bMlle\b", "Mademoiselle"),
        (r"\bM\. (?=[A-ZÀ-Ý])", "Monsieur "),
        (rf"(?<![\d.,])\b1(?:er)? (?={_MONTH})", "premier "),
        (r"\b([IVX]{1,6})(?:e|ᵉ|ème)\b", _century),
        (r"(?<![\d.,])\b(\d{1,3})(er|re|ère|e|ᵉ|è|ème|nde|nd)\b", _ordinal),
        (r"(?<=\d[hH])\s?[-–]\s?(?=\d)", " à "),
        (r"(?<![\d.,])\b(\d{1,2}) ?[hH](?: ?(\d{2}))?(?![\w/])", _hours),
    ),
    regions={
        region: {"numbers": replace(_NUMBERS, code=f"fr_{region}")} for region in ("BE", "CH")
    },
)  # fmt: skip
