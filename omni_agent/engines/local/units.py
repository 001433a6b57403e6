"""Units and currencies in English words."""

from __future__ import annotations

CURRENCIES: dict[str, tuple[str, str, str, str]] = {
    "$": ("dollar", "dollars", "cent", "cents"),
    "us$": ("dollar", "dollars", "cent", "cents"),
    "usd": ("dollar", "dollars", "cent", "cents"),
    "€": ("euro", "euros", "cent", "cents"),
    "eur": ("euro", "euros", "cent", "cents"),
    "£": ("pound", "pounds", "penny", "pence"),
    "gbp": ("pound", "pounds", "penny", "pence"),
    "chf": ("Swiss franc", "Swiss francs", "centime", "centimes"),
    "₹": ("rupee", "rupees", "paisa", "paise"),
    "¥": ("yen", "yen", "", ""),
    "jpy": ("yen", "yen", "", ""),
}
"""By sign or code, lower case: one, many, and the hundredth part (empty: has none)."""


def _regular(**words: str) -> dict[str, tuple[str, str]]:
    return {unit: (word, f"{word}s") for unit, word in words.items()}


UNITS: dict[str, tuple[str, str]] = {
    **_regular(
        km="kilometer", m="meter", cm="centimeter", mm="millimeter", kg="kilogram", g="gram",
        mg="milligram", t="ton", l="liter", L="liter", ml="milliliter", mL="milliliter",
        oz="ounce", mi="mile", yd="yard", kWh="kilowatt hour", kW="kilowatt", MW="megawatt",
        W="watt", V="volt", A="amp", kB="kilobyte", KB="kilobyte", MB="megabyte", GB="gigabyte",
        TB="terabyte", ms="millisecond", s="second", sec="second",
        min="minute", mins="minute", h="hour", hr="hour", hrs="hour", kcal="kilocalorie",
        cal="calorie", dB="decibel", ha="hectare", lb="pound", lbs="pound", px="pixel",
    ),
    "m²": ("square meter", "square meters"),
    "m2": ("square meter", "square meters"),
    "km²": ("square kilometer", "square kilometers"),
    "cm²": ("square centimeter", "square centimeters"),
    "m³": ("cubic meter", "cubic meters"),
    "km/h": ("kilometer per hour", "kilometers per hour"),
    "kmh": ("kilometer per hour", "kilometers per hour"),
    "m/s": ("meter per second", "meters per second"),
    "mph": ("mile per hour", "miles per hour"),
    "Mbps": ("megabit per second", "megabits per second"),
    "Mbit/s": ("megabit per second", "megabits per second"),
    "ft": ("foot", "feet"),
    "in.": ("inch", "inches"),
    "Hz": ("hertz", "hertz"),
    "kHz": ("kilohertz", "kilohertz"),
    "MHz": ("megahertz", "megahertz"),
    "GHz": ("gigahertz", "gigahertz"),
}  # fmt: skip
"""By symbol: one, many."""
