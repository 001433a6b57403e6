"""French as it is said: what is written, and the words it is read in."""

from __future__ import annotations

import pytest

from omni_agent.saying import saying


def say(text: str, region: str = "") -> str:
    known = saying("fr" + region)
    assert known is not None
    return known.say(text).text


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (
            "Ça coûte 1 250,50 € aujourd'hui.",
            "Ça coûte mille deux cent cinquante euros et cinquante centimes aujourd'hui.",
        ),
        ("12,50 euros", "douze euros et cinquante centimes"),
        ("2 000 000 €", "deux millions d'euros"),
        ("2\u202f000\u202f000 habitants", "deux millions d'habitants"),
        ("5 millions d'euros", "cinq millions d'euros"),
        ("1,5 million €", "un virgule cinq million d'euros"),
        ("le 1er mai 1985", "le premier mai mille neuf cent quatre-vingt-cinq"),
        ("2026-11-30", "trente novembre deux mille vingt-six"),
        ("le 30/11/2026", "le trente novembre deux mille vingt-six"),
        ("à 10h30", "à dix heures trente"),
        ("à 10:30", "à dix heures trente"),
        ("à 1h", "à une heure"),
        ("21 h", "vingt et une heures"),
        ("le 3e étage", "le troisième étage"),
        ("la 1re fois", "la première fois"),
        ("2nde", "seconde"),
        ("XXIe siècle", "vingt et unième siècle"),
        ("20 °C", "vingt degrés Celsius"),
        ("50\xa0%", "cinquante pour cent"),
        ("£21", "vingt et une livres"),
        ("1 minute", "une minute"),
        ("21 personnes", "vingt et une personnes"),
        ("3,14", "trois virgule quatorze"),
        ("3,05", "trois virgule zéro cinq"),
        ("1/2", "un demi"),
        ("2½", "deux et demi"),
        ("3/4", "trois quarts"),
        ("p. ex. 5 km/h", "par exemple cinq kilomètres par heure"),
        ("1,5 km", "un virgule cinq kilomètre"),
        ("2 km", "deux kilomètres"),
        ("M. Dupont", "Monsieur Dupont"),
        ("n° 5", "numéro cinq"),
        ("10 - 3 = 7", "dix moins trois égale sept"),
        ("01 23 45 67 89", "zéro un, deux trois, quatre cinq, six sept, huit neuf"),
        ("chambre 204", "chambre deux zéro quatre"),
        ("10 Go", "dix gigaoctets"),
        ("200 000", "deux cent mille"),
        ("80 000 personnes", "quatre-vingt mille personnes"),
        ("les 5 l'ont", "les cinq l'ont"),
        ("5 m²", "cinq mètres carrés"),
        ("le 0 800 123 456", "le zéro, huit zéro zéro, un deux trois, quatre cinq six"),
        ("20h-22h", "vingt heures à vingt-deux heures"),
        ("1/4 l de lait", "un quart de litre de lait"),
        ("1 200 €/mois", "mille deux cents euros par mois"),
        ("1/2 l", "un demi litre"),
    ],
)
def test_numbers_units_and_symbols_are_put_in_words(written: str, said: str) -> None:
    assert say(written) == said


@pytest.mark.parametrize(
    ("region", "written", "said"),
    [
        ("-CH", "71 CHF", "septante et un francs suisses"),
        ("-BE", "95", "nonante-cinq"),
        ("-CA", "71", "soixante et onze"),
    ],
)
def test_a_region_has_its_own_ways(region: str, written: str, said: str) -> None:
    assert say(written, region) == said
