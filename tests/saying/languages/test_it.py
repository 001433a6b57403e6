"""Italian as it is said: what is written, and the words it is read in."""

from __future__ import annotations

import pytest

from omni_agent.saying import saying


def say(text: str, region: str = "") -> str:
    known = saying("it" + region)
    assert known is not None
    return known.say(text).text


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("Costa 1.250,50 € oggi.", "Costa milleduecentocinquanta euro e cinquanta centesimi oggi."),
        ("1 euro", "un euro"),
        ("€ 5", "cinque euro"),
        ("2.000.000 di abitanti", "due milioni di abitanti"),
        ("2.000.000 €", "due milioni di euro"),
        ("5 milioni di euro", "cinque milioni di euro"),
        ("1,5 milioni €", "uno virgola cinque milioni di euro"),
        ("il 1º maggio 1985", "il primo maggio millenovecentottantacinque"),
        ("2026-11-30", "trenta novembre duemilaventisei"),
        ("alle 10:30", "alle dieci e trenta"),
        ("alle 1:00", "all'una"),
        ("XXI secolo", "ventunesimo secolo"),
        ("la 3ª volta", "la terza volta"),
        ("20 °C", "venti gradi Celsius"),
        ("50 %", "cinquanta per cento"),
        ("1 ora", "una ora"),
        ("1 giorno", "un giorno"),
        ("23 persone", "ventitré persone"),
        ("3,14", "tre virgola quattordici"),
        ("1/2", "un mezzo"),
        ("2½", "due e mezzo"),
        ("ad es. 5 km/h", "per esempio cinque chilometri orari"),
        ("n. 5", "numero cinque"),
        ("10 - 3 = 7", "dieci meno tre uguale sette"),
        ("10mila", "diecimila"),
        ("1.234.567", "un milione duecentotrentaquattromilacinquecentosessantasette"),
        ("camera 204", "camera due zero quattro"),
        ("06 1234567", "zero sei, uno due tre quattro cinque sei sette"),
        ("3/4 l", "tre quarti di litro"),
        ("12 €/kg", "dodici euro al chilogrammo"),
    ],
)
def test_numbers_units_and_symbols_are_put_in_words(written: str, said: str) -> None:
    assert say(written) == said
