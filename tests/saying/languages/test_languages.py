"""What is true of every language that has a file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omni_agent.saying import Said, languages, saying
from omni_agent.saying.language import words
from omni_agent.saying.languages import de, en, es, fr, it, pt

LANGUAGES = {"de": de, "en": en, "es": es, "fr": fr, "it": it, "pt": pt}

of_every_language = pytest.mark.parametrize("code", LANGUAGES)
_TEXT = st.text(
    st.sampled_from("0123456789.,:/-+*=%$€£°ºª()#'\" \u202fkmGBhCFthndxAPIVer½²~√&@é\n"),
    max_size=40,
)


def say(code: str, text: str) -> Said:
    known = saying(code)
    assert known is not None
    return known.say(text)


def test_every_file_is_tested_here() -> None:
    assert set(LANGUAGES) == {path.stem for path in Path(languages.__path__[0]).glob("[a-z]*.py")}


@of_every_language
def test_all_know_words_for_the_same_signs_and_things(code: str) -> None:
    language, english = LANGUAGES[code].LANGUAGE, en.LANGUAGE
    assert language.signs.words.keys() == english.signs.words.keys()
    assert language.signs.address.keys() == english.signs.address.keys()
    assert len(language.dates.months) == 12
    assert {"$", "€", "£", "¥", "₹", "chf", "eur", "usd"} <= language.money.currencies.keys()
    assert language.units.keys() >= words("km m cm kg g l % ° °C km/h m² kWh GB h min s ms")
    assert {2, 3, 4, 5, 8, 10} <= language.counting.parts.keys()


@of_every_language
def test_a_noun_has_a_gender_that_numbers_know(code: str) -> None:
    language = LANGUAGES[code].LANGUAGE
    purse = [noun for pair in language.money.currencies.values() for noun in pair if noun]
    things = [*language.units.values(), *language.counting.scales.values(), *purse]
    known = {"", "m", *language.numbers.agreement}
    assert {noun.gender for noun in things} <= known


@given(code=st.sampled_from(sorted(LANGUAGES)), text=_TEXT)
def test_no_digit_is_left_whatever_is_written(code: str, text: str) -> None:
    assert not re.search(r"[0-9]", say(code, text).text)


@given(code=st.sampled_from(sorted(LANGUAGES)), text=_TEXT)
def test_the_way_back_never_turns_and_ends_at_the_end(code: str, text: str) -> None:
    said = say(code, text)
    assert len(said.reach) == len(said.text)
    ends = [said.written(n) for n in range(len(said.text) + 1)]
    assert ends == sorted(ends)
    assert ends[-1] == len(text)


@given(code=st.sampled_from(sorted(LANGUAGES)), text=_TEXT)
def test_no_number_is_ever_heard_in_part(code: str, text: str) -> None:
    for end in say(code, text).reach:
        assert not (text[:end][-1:].isdecimal() and text[end : end + 1].isdecimal())


@of_every_language
def test_a_model_that_is_stuck_on_a_digit_is_read_out(code: str) -> None:
    for text in ("$" + "1" * 310, "1" * 310 + "/2", "2/" + "1" * 5000, "1" * 19 + ",5 km"):
        assert not re.search(r"[0-9]", say(code, text).text)
