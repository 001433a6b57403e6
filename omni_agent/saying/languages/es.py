"""Spanish."""

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
    "enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre",
    "octubre", "noviembre", "diciembre",
)  # fmt: skip
_MONTH = rf"(?i:{'|'.join(_MONTHS)}|setiembre)"


def _masculine(match: re.Match[str], say: Numerals) -> str:
    return say.ordinal(int(match[1]))


def _short(match: re.Match[str], say: Numerals) -> str:
    """Before a noun: "primer", "tercer"."""
    return re.sub(r"(primer|tercer)o$", r"\1", say.ordinal(int(match[1])))


def _feminine(match: re.Match[str], say: Numerals) -> str:
    return re.sub(r"o\b", "a", say.ordinal(int(match[1])))


def _century(match: re.Match[str], say: Numerals) -> str:
    return f"{match[1]} {say.cardinal(roman(match[2]))}"


def _clock(say: Numerals, hour: int, minute: int) -> str:
    hours = say.cardinal(hour, "f")
    if not minute:
        return f"{hours} horas" if hour == 0 or hour > 12 else hours
    return f"{hours} y {say.cardinal(minute)}"


_DOLLAR, _EURO = Noun("dólar", "dólares", "m"), Noun("euro", "euros", "m")
_CENT, _CENTIME = Noun("centavo", "centavos", "m"), Noun("céntimo", "céntimos", "m")
_POUND, _PENNY = Noun("libra", "libras", "f"), Noun("penique", "peniques", "m")
_FRANC, _YEN = Noun("franco suizo", "francos suizos", "m"), Noun("yen", "yenes", "m")
_PESO = Noun("peso", "pesos", "m")
_NUMBERS = Numbers(
    code="es",
    point="coma",
    repairs=(
        (r"veintiuno (?=mil|bill)", "veintiún "),
        (r"\buno (?=mil|bill)", "un "),
        (r"^décimoprimero$", "undécimo"),
        (r"^décimosegundo$", "duodécimo"),
        (r"\bquadragésimo", "cuadragésimo"),
    ),
    agreement={
        "m": ((r"veintiuno$", "veintiún"), (r"\buno$", "un")),
        "f": ((r"uno$", "una"), (r"(cient|quinient)os\b(?!.*(?:mill|bill))", r"\1as")),
    },
    nouns=(
        (r"(?:de|del|y|o|u|a|al|en|es|son|por|con|para|que|si|se|e|no|está|fue|más|menos)", ""),
        (r"(?:día|problema|sistema|programa|tema|mapa|idioma|planeta)s?", "m"),
        (r"\w+as?|\w+(?:ción|ciones|dad|dades)|ve(?:z|ces)|noches?", "f"),
        (r"\w+", "m"),
    ),
    linked=r"(?:millón|millones|billón|billones)$",
    link=(" de ", " de "),
)
_MONEY = Money(
    currencies={
        "€": (_EURO, _CENTIME), "eur": (_EURO, _CENTIME), "euro": (_EURO, _CENTIME),
        "euros": (_EURO, _CENTIME), "$": (_DOLLAR, _CENT), "us$": (_DOLLAR, _CENT),
        "usd": (_DOLLAR, _CENT), "dólares": (_DOLLAR, _CENT), "£": (_POUND, _PENNY),
        "gbp": (_POUND, _PENNY), "chf": (_FRANC, _CENTIME), "¥": (_YEN, None),
        "jpy": (_YEN, None), "mxn": (_PESO, _CENT), "pesos": (_PESO, _CENT),
        "₹": (Noun("rupia", "rupias", "f"), Noun("paisa", "paisas", "f")),
    },
    joined="{} con {}",
)  # fmt: skip
_POINT = ("419", "US", "GT", "HN", "NI", "PA", "PE", "PR", "SV")
_POINTED = replace(_NUMBERS, point="punto", decimal=".", group=",")
"""As in Mexico and its neighbours (Ortografía de la lengua española, 2010, VIII 2.3)."""
_PESOS = replace(_MONEY, currencies={**_MONEY.currencies, "$": (_PESO, _CENT)})

LANGUAGE = Language(
    numbers=_NUMBERS,
    counting=Counting(
        scales=nouns(
            m={
                "mil": "mil", "k": "mil", "millón": "millón", "millones": "millón/millones",
                "M": "millón/millones", "MM": "millón/millones", "billón": "billón",
                "billones": "billón/billones",
            }
        ),
        parts={
            2: Noun("medio", "medios", "m"), 3: Noun("tercio", "tercios", "m"),
            4: Noun("cuarto", "cuartos", "m"), 5: Noun("quinto", "quintos", "m"),
            6: Noun("sexto", "sextos", "m"), 7: Noun("séptimo", "séptimos", "m"),
            8: Noun("octavo", "octavos", "m"), 9: Noun("noveno", "novenos", "m"),
            10: Noun("décimo", "décimos", "m"), 12: Noun("doceavo", "doceavos", "m"),
            16: Noun("dieciseisavo", "dieciseisavos", "m"),
            20: Noun("veinteavo", "veinteavos", "m"),
            100: Noun("centésimo", "centésimos", "m"),
        },
        mixed="y {}",
        half="y medio",
    ),
    dates=Dates(months=_MONTHS, written="{day} de {month} de {year}", time=_clock),
    money=_MONEY,
    units=nouns(
        m={
            "km": "kilómetro/kilómetros", "m": "metro/metros", "cm": "centímetro/centímetros",
            "mm": "milímetro/milímetros", "kg": "kilogramo/kilogramos", "g": "gramo/gramos",
            "mg": "miligramo/miligramos", "l": "litro/litros", "L": "litro/litros",
            "ml": "mililitro/mililitros", "kWh": "kilovatio hora/kilovatios hora",
            "kW": "kilovatio/kilovatios", "MW": "megavatio/megavatios", "W": "vatio/vatios",
            "V": "voltio/voltios", "A": "amperio/amperios", "kB": "kilobyte/kilobytes",
            "KB": "kilobyte/kilobytes", "MB": "megabyte/megabytes", "GB": "gigabyte/gigabytes",
            "TB": "terabyte/terabytes", "ms": "milisegundo/milisegundos", "s": "segundo/segundos",
            "min": "minuto/minutos", "dB": "decibelio/decibelios", "px": "píxel/píxeles",
            "m²": "metro cuadrado/metros cuadrados", "m2": "metro cuadrado/metros cuadrados",
            "km²": "kilómetro cuadrado/kilómetros cuadrados",
            "cm²": "centímetro cuadrado/centímetros cuadrados",
            "m³": "metro cúbico/metros cúbicos",
            "km/h": "kilómetro por hora/kilómetros por hora",
            "m/s": "metro por segundo/metros por segundo",
            "Mbit/s": "megabit por segundo/megabits por segundo", "Hz": "hercio/hercios",
            "kHz": "kilohercio/kilohercios", "MHz": "megahercio/megahercios",
            "GHz": "gigahercio/gigahercios", "°": "grado/grados",
            "°C": "grado centígrado/grados centígrados", "°F": "grado Fahrenheit/grados Fahrenheit",
            "º": "grado/grados", "ºC": "grado centígrado/grados centígrados",
        },
        f={"t": "tonelada/toneladas", "h": "hora/horas", "ha": "hectárea/hectáreas",
           "kcal": "kilocaloría/kilocalorías"},
        _={"%": "por ciento"},
    ),
    signs=Signs(
        words={
            "=": "es igual a", "≠": "es distinto de", "≈": "es aproximadamente",
            "≤": "es como máximo", "≥": "es como mínimo", "<": "es menor que",
            ">": "es mayor que", "×": "por", "*": "por", "·": "por", "÷": "entre", "/": "entre",
            "+": "más", "±": "más menos", "−": "menos", "-": "menos", "~": "unos", "^": "elevado a",
            "√": "la raíz cuadrada de", "π": "pi", "∞": "infinito", "→": "a", "&": "y",
            "@": "arroba", "%": "por ciento", "°": "grados", "§": "sección", "№": "número",
            "©": "copyright", "™": "marca registrada",
        },
        address={".": "punto", "@": "arroba", "/": "barra", "_": "guion bajo"},
        to="a", of="de", per="por", number="número", squared="al cuadrado", cubed="al cubo",
    ),
    phrasing=Phrasing(
        openers=words(
            """y e o u pero porque aunque mientras si cuando donde que quien cual como para por
            de del en con sin sobre entre desde hasta hacia según tras es son era eran está están
            será puede pueden debe ha han"""
        ),
        abbreviations=words(
            "sr sra srta dr dra prof ud uds d dña ee uu aprox pág tel núm p ej avda av art cap"
        ),
    ),
    codes=r"(?i:códigos?|pin|contraseña|extensión|pedido|reserva|referencia|vuelo|habitación)"
    r"(?: (?:número|es|era|de)){0,2}",
    rules=(
        (r"\b([CF])\+\+", r"\1 más más"),
        (r"\b24/7\b", "veinticuatro horas al día"),
        (r"\bp\. ?ej\.", "por ejemplo"),
        (r"\bEE\. ?UU\.", "Estados Unidos"),
        (r"\baprox\.", "aproximadamente"),
        (r"\bSr\.(?= )", "señor"),
        (r"\bSra\.(?= )", "señora"),
        (r"\bUd\.", "usted"),
        (r"\bUds\.", "ustedes"),
        (r"\bpág\.", "página"),
        (r"\b[Nn]úm\. ?(?=\d)", "número "),
        (rf"(?<![\d.,])\b1(?:\.?[º°])? de (?={_MONTH})", "primero de "),
        (r"\b([Ss]iglos?) ([IVX]{1,6})\b", _century),
        (r"(?<=\d) ?a\. ?m\.?(?!\w)", " de la mañana"),
        (r"(?<=\d) ?p\. ?m\.?(?!\w)", " de la tarde"),
        (r"\b(\d{1,2}:\d{2}) ?h(?:oras)?\b", r"\1"),
        (r"(?<![\d.,])(\d{1,3})\.?(?:er|ᵉʳ)\b", _short),
        (r"(?<![\d.,])(\d{1,3})\.?º(?! ?[CF]\b)(?=\W|$)", _masculine),
        (r"(?<![\d.,])(\d{1,3})\.?ª", _feminine),
    ),
    regions={
        **{region: {"numbers": _POINTED} for region in _POINT},
        **{region: {"money": _PESOS} for region in ("AR", "CL", "CO", "CU", "UY")},
        **{region: {"numbers": _POINTED, "money": _PESOS} for region in ("DO", "MX")},
    },
)  # fmt: skip
