"""Spanish as it is said: what is written, and the words it is read in."""

from __future__ import annotations

import pytest

from omni_agent.saying import saying


def say(text: str, region: str = "") -> str:
    known = saying("es" + region)
    assert known is not None
    return known.say(text).text


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (
            "Cuesta 1.250,50 € hoy.",
            "Cuesta mil doscientos cincuenta euros con cincuenta céntimos hoy.",
        ),
        ("21 libros", "veintiún libros"),
        ("21 casas", "veintiuna casas"),
        ("200 personas", "doscientas personas"),
        ("2.000.000 €", "dos millones de euros"),
        ("2.000.000 personas", "dos millones de personas"),
        ("5 millones de euros", "cinco millones de euros"),
        ("1,5 millones €", "uno coma cinco millones de euros"),
        ("31 días", "treinta y un días"),
        ("21.000 km", "veintiún mil kilómetros"),
        ("1 de cada 3", "uno de cada tres"),
        ("3,14", "tres coma catorce"),
        ("el 1 de mayo de 1985", "el primero de mayo de mil novecientos ochenta y cinco"),
        ("2026-11-30", "treinta de noviembre de dos mil veintiséis"),
        ("30/11/2026", "treinta de noviembre de dos mil veintiséis"),
        ("a las 10:30", "a las diez y treinta"),
        ("a la 1:00", "a la una"),
        ("a las 14:00", "a las catorce horas"),
        ("10:30 p. m.", "diez y treinta de la tarde"),
        ("el 3.er piso", "el tercer piso"),
        ("la 3ª vez", "la tercera vez"),
        ("11º", "undécimo"),
        ("siglo XXI", "siglo veintiuno"),
        ("20 °C", "veinte grados centígrados"),
        ("20ºC", "veinte grados centígrados"),
        ("50 %", "cincuenta por ciento"),
        ("£200", "doscientas libras"),
        ("1/2", "un medio"),
        ("2½", "dos y medio"),
        ("$20", "veinte dólares"),
        ("me@example.com", "me arroba example punto com"),
        ("p. ej. 5", "por ejemplo cinco"),
        ("habitación 204", "habitación dos cero cuatro"),
        ("n.º 5", "número cinco"),
        ("10 - 3 = 7", "diez menos tres es igual a siete"),
        ("80 km/h", "ochenta kilómetros por hora"),
        ("1 km", "un kilómetro"),
        ("1 h", "una hora"),
        ("De 9:00 a 18:00 h.", "De nueve a dieciocho horas."),
        ("1/4 l", "un cuarto de litro"),
        ("1.200 €/mes", "mil doscientos euros por mes"),
    ],
)
def test_numbers_units_and_symbols_are_put_in_words(written: str, said: str) -> None:
    assert say(written) == said


@pytest.mark.parametrize(
    ("region", "written", "said"),
    [
        ("-MX", "$1,250.50", "mil doscientos cincuenta pesos con cincuenta centavos"),
        ("-MX", "3.14", "tres punto catorce"),
        ("-419", "1,250", "mil doscientos cincuenta"),
        ("-AR", "$1.250", "mil doscientos cincuenta pesos"),
        ("-ES", "1.250", "mil doscientos cincuenta"),
    ],
)
def test_a_region_has_its_own_ways(region: str, written: str, said: str) -> None:
    assert say(written, region) == said
