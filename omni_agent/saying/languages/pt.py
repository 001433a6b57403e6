"""Portuguese, as in Portugal; numbers of Brazil differ ("dezesseis", "bilhão"), and so does $."""

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
    "janeiro", "fevereiro", "março", "abril", "maio", "junho", "julho", "agosto", "setembro",
    "outubro", "novembro", "dezembro",
)  # fmt: skip
_MONTH = rf"(?i:{'|'.join(_MONTHS)})"


def _masculine(match: re.Match[str], say: Numerals) -> str:
    return say.ordinal(int(match[1]))


def _feminine(match: re.Match[str], say: Numerals) -> str:
    return re.sub(r"o\b", "a", say.ordinal(int(match[1])))


def _century(match: re.Match[str], say: Numerals) -> str:
    return f"{match[1]} {say.cardinal(roman(match[2]))}"


def _hours(match: re.Match[str], say: Numerals) -> str:
    hour, minute = int(match[1]), int(match[2] or 0)
    return _clock(say, hour, minute) if hour <= 24 and minute <= 59 else match[0]


def _clock(say: Numerals, hour: int, minute: int) -> str:
    hours = say.cardinal(hour, "f")
    if minute:
        return f"{hours} e {say.cardinal(minute)}"
    return f"{hours} hora{'' if hour == 1 else 's'}"


_DOLLAR, _EURO = Noun("dólar", "dólares", "m"), Noun("euro", "euros", "m")
_REAL, _CENTAVO = Noun("real", "reais", "m"), Noun("centavo", "centavos", "m")
_CENT, _PENNY = Noun("cêntimo", "cêntimos", "m"), Noun("penny", "pence", "m")
_POUND, _YEN = Noun("libra", "libras", "f"), Noun("iene", "ienes", "m")
_FRANC = Noun("franco suíço", "francos suíços", "m")
_NUMBERS = Numbers(
    code="pt",
    point="vírgula",
    plural_from=2,
    agreement={
        "f": (
            (r"\bum$", "uma"),
            (r"\bdois$", "duas"),
            (r"(?<=[a-z])entos\b(?!.*(?:mil[hi]|bili|bilh))", "entas"),
        )
    },
    nouns=(
        (r"(?:de|do|da|e|ou|a|ao|em|no|na|é|são|por|com|para|que|se|não|está|foi|mais)", ""),
        (r"(?:dia|problema|sistema|programa|tema|mapa|idioma|planeta)s?", "m"),
        (r"\w+as?|\w+(?:ção|ções|são|sões|dade|dades)|ve(?:z|zes)|noites?", "f"),
        (r"\w+", "m"),
    ),
    linked=r"(?:milhão|milhões|bilhão|bilhões|bilião|biliões|trilhão|trilhões)$",
    link=(" de ", " de "),
)
_UNITS = nouns(
    m={
        "km": "quilómetro/quilómetros", "m": "metro/metros", "cm": "centímetro/centímetros",
        "mm": "milímetro/milímetros", "kg": "quilograma/quilogramas", "g": "grama/gramas",
        "mg": "miligrama/miligramas", "l": "litro/litros", "L": "litro/litros",
        "ml": "mililitro/mililitros", "kWh": "quilowatt-hora/quilowatts-hora",
        "kW": "quilowatt/quilowatts", "MW": "megawatt/megawatts", "W": "watt/watts",
        "V": "volt/volts", "A": "ampere/amperes", "kB": "kilobyte/kilobytes",
        "KB": "kilobyte/kilobytes", "MB": "megabyte/megabytes", "GB": "gigabyte/gigabytes",
        "TB": "terabyte/terabytes", "ms": "milissegundo/milissegundos", "s": "segundo/segundos",
        "min": "minuto/minutos", "dB": "decibel/decibéis", "ha": "hectare/hectares",
        "px": "píxel/píxeis", "m²": "metro quadrado/metros quadrados",
        "m2": "metro quadrado/metros quadrados",
        "km²": "quilómetro quadrado/quilómetros quadrados",
        "cm²": "centímetro quadrado/centímetros quadrados", "m³": "metro cúbico/metros cúbicos",
        "km/h": "quilómetro por hora/quilómetros por hora",
        "m/s": "metro por segundo/metros por segundo",
        "Mbit/s": "megabit por segundo/megabits por segundo", "Hz": "hertz", "kHz": "quilohertz",
        "MHz": "megahertz", "GHz": "gigahertz", "°": "grau/graus",
        "°C": "grau Celsius/graus Celsius", "ºC": "grau Celsius/graus Celsius",
        "°F": "grau Fahrenheit/graus Fahrenheit",
    },
    f={"t": "tonelada/toneladas", "h": "hora/horas", "kcal": "quilocaloria/quilocalorias"},
    _={"%": "por cento"},
)  # fmt: skip
_IN_BRAZIL = {
    symbol: Noun(unit.one.replace("ó", "ô"), unit.many.replace("ó", "ô"), unit.gender)
    for symbol, unit in _UNITS.items()
}
"""Quilômetro."""

LANGUAGE = Language(
    numbers=_NUMBERS,
    counting=Counting(
        scales=nouns(
            m={
                "mil": "mil", "k": "mil", "milhão": "milhão", "milhões": "milhão/milhões",
                "M": "milhão/milhões", "mi": "milhão/milhões", "bilhão": "bilhão",
                "bilhões": "bilhão/bilhões", "bi": "bilhão/bilhões", "biliões": "bilião/biliões",
                "trilhões": "trilhão/trilhões",
            }
        ),
        parts={
            2: Noun("meio", "meios", "m"), 3: Noun("terço", "terços", "m"),
            4: Noun("quarto", "quartos", "m"), 5: Noun("quinto", "quintos", "m"),
            6: Noun("sexto", "sextos", "m"), 7: Noun("sétimo", "sétimos", "m"),
            8: Noun("oitavo", "oitavos", "m"), 9: Noun("nono", "nonos", "m"),
            10: Noun("décimo", "décimos", "m"), 12: Noun("doze avos", "doze avos", "m"),
            16: Noun("dezasseis avos", "dezasseis avos", "m"),
            20: Noun("vinte avos", "vinte avos", "m"),
            100: Noun("centésimo", "centésimos", "m"),
        },
        mixed="e {}",
        half="e meio",
    ),
    dates=Dates(months=_MONTHS, written="{day} de {month} de {year}", time=_clock),
    money=Money(
        currencies={
            "€": (_EURO, _CENT), "eur": (_EURO, _CENT), "euro": (_EURO, _CENT),
            "euros": (_EURO, _CENT), "r$": (_REAL, _CENTAVO), "brl": (_REAL, _CENTAVO),
            "reais": (_REAL, _CENTAVO), "$": (_DOLLAR, _CENTAVO), "us$": (_DOLLAR, _CENTAVO),
            "usd": (_DOLLAR, _CENTAVO), "dólares": (_DOLLAR, _CENTAVO), "£": (_POUND, _PENNY),
            "gbp": (_POUND, _PENNY), "chf": (_FRANC, _CENT), "¥": (_YEN, None),
            "jpy": (_YEN, None), "₹": (Noun("rupia", "rupias", "f"), Noun("paisa", "paisas", "f")),
        },
        joined="{} e {}",
    ),
    units=_UNITS,
    signs=Signs(
        words={
            "=": "é igual a", "≠": "é diferente de", "≈": "é aproximadamente",
            "≤": "é no máximo", "≥": "é no mínimo", "<": "é menor que", ">": "é maior que",
            "×": "vezes", "*": "vezes", "·": "vezes", "÷": "dividido por", "/": "dividido por",
            "+": "mais", "±": "mais ou menos", "−": "menos", "-": "menos", "~": "cerca de",
            "^": "elevado a", "√": "a raiz quadrada de", "π": "pi", "∞": "infinito", "→": "para",
            "&": "e", "@": "arroba", "%": "por cento", "°": "graus", "§": "parágrafo",
            "№": "número", "©": "copyright", "™": "marca registada",
        },
        address={".": "ponto", "@": "arroba", "/": "barra", "_": "sublinhado"},
        to="a", of="de", per="por", number="número", squared="ao quadrado", cubed="ao cubo",
    ),
    phrasing=Phrasing(
        openers=words(
            """e ou mas porém porque embora enquanto se quando onde que quem como para por de do da
            em no na com sem sobre entre desde até segundo depois antes é são era eram está estão
            será pode podem deve tem têm"""
        ),
        abbreviations=words("sr sra dr dra prof profa eng av tel pág núm p ex aprox art cap min"),
    ),
    codes=r"(?i:códigos?|pin|senha|palavra-passe|ramal|pedido|reserva|referência|voo|quarto|cep)"
    r"(?: (?:número|é|era|de)){0,2}",
    rules=(
        (r"\b([CF])\+\+", r"\1 mais mais"),
        (r"\b24/7\b", "vinte e quatro horas por dia"),
        (r"\bp\. ?ex\.", "por exemplo"),
        (r"\baprox\.", "aproximadamente"),
        (r"\bSr\.(?= )", "senhor"),
        (r"\bSra\.(?= )", "senhora"),
        (r"\bpág\.", "página"),
        (rf"(?<![\d.,])\b1(?:\.?[º°])? de (?={_MONTH})", "primeiro de "),
        (r"\b([Ss]éculos?) ([IVX]{1,6})\b", _century),
        (r"(?<=\dh)\s?[-–]\s?(?=\d)", " a "),
        (r"(?<![\d.,])\b(\d{1,2}) ?h(?: ?(\d{2})(?:min)?)?(?![\w/])", _hours),
        (r"\b(\d{1,2}):(\d{2}) ?h(?:oras)?\b", _hours),
        (r"(?<![\d.,])\b(\d{1,3})\.?º(?! ?[CF]\b)(?=\W|$)", _masculine),
        (r"(?<![\d.,])\b(\d{1,3})\.?ª", _feminine),
    ),
    regions={"BR": {"numbers": replace(_NUMBERS, code="pt_BR"), "units": _IN_BRAZIL}},
)  # fmt: skip
