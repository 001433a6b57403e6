"""Portuguese as it is said: what is written, and the words it is read in."""

from __future__ import annotations

import pytest

from omni_agent.saying import saying


def say(text: str, region: str = "") -> str:
    known = saying("pt" + region)
    assert known is not None
    return known.say(text).text


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (
            "Custa 1.250,50 € hoje.",
            "Custa mil duzentos e cinquenta euros e cinquenta cêntimos hoje.",
        ),
        ("R$ 1.250,50", "mil duzentos e cinquenta reais e cinquenta centavos"),
        ("R$ 1,5 milhão", "um vírgula cinco milhão de reais"),
        ("2 casas", "duas casas"),
        ("200 pessoas", "duzentas pessoas"),
        ("1 dia", "um dia"),
        ("2.000.000 pessoas", "dois milhões de pessoas"),
        ("1 de maio de 1985", "primeiro de maio de mil novecentos e oitenta e cinco"),
        ("2026-11-30", "trinta de novembro de dois mil e vinte e seis"),
        ("às 10h30", "às dez e trinta"),
        ("às 10:30", "às dez e trinta"),
        ("às 14:00", "às catorze horas"),
        ("1h", "uma hora"),
        ("século XXI", "século vinte e um"),
        ("3ª vez", "terceira vez"),
        ("3º andar", "terceiro andar"),
        ("20 °C", "vinte graus Celsius"),
        ("50 %", "cinquenta por cento"),
        ("3,14", "três vírgula catorze"),
        ("1/2", "um meio"),
        ("2½", "dois e meio"),
        ("p. ex. 5 km/h", "por exemplo cinco quilómetros por hora"),
        ("16", "dezasseis"),
        ("1.500.000.000", "mil quinhentos milhões"),
        ("quarto 204", "quarto dois zero quatro"),
        ("0800 123 4567", "zero oito zero zero, um dois três, quatro cinco seis sete"),
        ("(11) 91234-5678", "um um, nove um dois três quatro, cinco seis sete oito"),
        ("3/4 l", "três quartos de litro"),
        ("9h-18h", "nove horas a dezoito horas"),
        ("R$ 5/kg", "cinco reais por quilograma"),
    ],
)
def test_numbers_units_and_symbols_are_put_in_words(written: str, said: str) -> None:
    assert say(written) == said


@pytest.mark.parametrize(
    ("region", "written", "said"),
    [
        ("-BR", "16 km", "dezesseis quilômetros"),
        ("_br", "1.500.000.000", "um bilhão quinhentos milhões"),
        ("-PT", "16 km", "dezasseis quilómetros"),
    ],
)
def test_a_region_has_its_own_ways(region: str, written: str, said: str) -> None:
    assert say(written, region) == said
