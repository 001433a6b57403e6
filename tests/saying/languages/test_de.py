"""German as it is said: what is written, and the words it is read in."""

from __future__ import annotations

import pytest

from omni_agent.saying import saying


def say(text: str, region: str = "") -> str:
    known = saying("de" + region)
    assert known is not None
    return known.say(text).text


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (
            "Das kostet 1.250,50 € heute.",
            "Das kostet eintausendzweihundertfünfzig Euro und fünfzig Cent heute.",
        ),
        ("12,50 Euro", "zwölf Euro und fünfzig Cent"),
        ("1 Million Euro", "eine Million Euro"),
        ("1,5 Mio. €", "eins Komma fünf Millionen Euro"),
        ("Am 3. Mai 1985 war es.", "Am dritten Mai neunzehnhundertfünfundachtzig war es."),
        ("Der 3. Mai ist ein Feiertag.", "Der dritte Mai ist ein Feiertag."),
        ("3. Mai 2026", "dritter Mai zweitausendsechsundzwanzig"),
        ("am 24.12. um 10:30 Uhr", "am vierundzwanzigsten Dezember um zehn Uhr dreißig"),
        ("2026-11-30", "dreißigster November zweitausendsechsundzwanzig"),
        ("vom 01.02.2024", "vom ersten Februar zweitausendvierundzwanzig"),
        ("um 1 Uhr", "um ein Uhr"),
        ("10.30 Uhr", "zehn Uhr dreißig"),
        ("14:05", "vierzehn Uhr fünf"),
        ("im 2. Stock", "im zweiten Stock"),
        ("der 1. FC", "der erste FC"),
        ("1 Tag und 1 Stunde", "ein Tag und eine Stunde"),
        ("21 Tage", "einundzwanzig Tage"),
        ("-5 °C", "minus fünf Grad Celsius"),
        ("3,14", "drei Komma eins vier"),
        ("z. B. 5 km/h", "zum Beispiel fünf Kilometer pro Stunde"),
        ("50–60 %", "fünfzig bis sechzig Prozent"),
        ("1/2 Liter", "ein halb Liter"),
        ("2½ Stunden", "zwei einhalb Stunden"),
        ("3/4", "drei Viertel"),
        ("die 1990er Jahre", "die neunzehnhundertneunziger Jahre"),
        ("1914–1918", "neunzehnhundertvierzehn bis neunzehnhundertachtzehn"),
        ("seit 1985", "seit neunzehnhundertfünfundachtzig"),
        ("im Jahr 2005", "im Jahr zweitausendfünf"),
        ("Nr. 5", "Nummer fünf"),
        ("me@example.com", "me ät example Punkt com"),
        ("10 - 3 = 7", "zehn minus drei gleich sieben"),
        ("+49 30 1234567", "plus vier neun, drei null, eins zwei drei vier fünf sechs sieben"),
        ("0171 1234567", "null eins sieben eins, eins zwei drei vier fünf sechs sieben"),
        ("Zimmer 204", "Zimmer zwei null vier"),
        ("1.234.567", "eine Million zweihundertvierunddreißigtausendfünfhundertsiebenundsechzig"),
        ("80 km/h", "achtzig Kilometer pro Stunde"),
        ("2²", "zwei Quadrat"),
        ("5 & 6", "fünf und sechs"),
        ("1,01 €", "ein Euro und ein Cent"),
        ("0,99 €", "neunundneunzig Cent"),
        ("2.000.000 Einwohner", "zwei Millionen Einwohner"),
        ("ca. 20 Leute", "circa zwanzig Leute"),
        ("Es sind 3.", "Es sind drei."),
        ("Er wurde 1984 geboren.", "Er wurde neunzehnhundertvierundachtzig geboren."),
        ("1500 m", "fünfzehnhundert Meter"),
        ("1.500 Euro", "eintausendfünfhundert Euro"),
        ("1/4 l Milch", "ein Viertel Liter Milch"),
        ("12 €/kg", "zwölf Euro pro Kilogramm"),
        ("1 Schwester", "eine Schwester"),
        ("Zimmer 12, 21. Stock", "Zimmer zwölf, einundzwanzigster Stock"),
        ("Haus 4, 3. Obergeschoss, links", "Haus vier, drittes Obergeschoss, links"),
        ("2. Etage", "zweite Etage"),
        ("Es sind 12, 21. Stockholm ist da.", "Es sind zwölf, einundzwanzig. Stockholm ist da."),
        ("mit 1 Hund", "mit einem Hund"),
        ("nach 1 Stunde", "nach einer Stunde"),
        ("von 1 Million", "von einer Million"),
        ("Er kam mit 1 Hund. Dann ging er.", "Er kam mit einem Hund. Dann ging er."),
        ("von 1 Uhr", "von ein Uhr"),
        ("für 1 Hund", "für ein Hund"),
        ("bei 1 GB", "bei ein Gigabyte"),
        ("von 1 Mio. Euro", "von eine Million Euro"),
        ("mit 1 Euro 50", "mit ein Euro fünfzig"),
        ("Mo., 3. Mai", "Montag, dritter Mai"),
        ("Fr. 24.12. um 10:30 Uhr", "Freitag vierundzwanzigster Dezember um zehn Uhr dreißig"),
        ("Mo.–Fr. ab 9 Uhr", "Montag bis Freitag ab neun Uhr"),
        ("So. um 9 Uhr", "Sonntag um neun Uhr"),
        ("Fr. Meier", "Fr. Meier"),
        ("Tel.: 030 123456", "Telefon: null drei null, eins zwei drei vier fünf sechs"),
    ],
)
def test_numbers_units_and_symbols_are_put_in_words(written: str, said: str) -> None:
    assert say(written) == said
