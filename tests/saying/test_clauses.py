"""Clauses: short first, whole in sum, and the same however the text arrives."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omni_agent.saying import phrasing
from omni_agent.saying.clauses import Clause, ClauseSplitter


def clauses(pieces: list[str], language: str = "en") -> list[Clause]:
    splitter = ClauseSplitter(phrasing(language))
    found = [clause for piece in pieces for clause in splitter.push(piece)]
    rest = splitter.flush()
    return [*found, rest] if rest else found


def texts(text: str, language: str = "en") -> list[str]:
    return [clause.text for clause in clauses([text], language)]


chunks = st.lists(
    st.text(st.sampled_from("ab Tz.,!?;:—'\" \n0319$%é-你，。ก"), max_size=8), max_size=20
)


@given(chunks)
def test_any_cut_of_the_text_gives_the_same_clauses(pieces: list[str]) -> None:
    assert clauses(pieces) == clauses(["".join(pieces)]) == clauses(list("".join(pieces)))


@given(chunks)
def test_clauses_join_up_to_the_text(pieces: list[str]) -> None:
    text = "".join(pieces)
    found = clauses(pieces)
    end = 0
    for clause in found:
        assert clause.start == end
        assert clause.text == text[clause.start : clause.end]
        end = clause.end
    assert not any(character.isalnum() for character in text[end:])


@given(chunks)
def test_every_clause_has_something_to_say(pieces: list[str]) -> None:
    assert all(any(c.isalnum() for c in clause.text) for clause in clauses(pieces))


def test_the_first_clause_ends_at_the_first_comma() -> None:
    assert texts("Sure, the timer is set. Anything else?")[0] == "Sure, "


def test_later_commas_split_only_longer_clauses() -> None:
    text = "Okay. Sure. Fine. Red, green, blue and so on, then white. "
    later = ["Red, green, blue and so on, ", "then white. "]
    assert texts(text) == ["Okay. ", "Sure. ", "Fine. ", *later]


def test_a_comma_after_a_number_parts_nothing() -> None:
    assert texts("On March 5, 2024. ") == ["On March 5, 2024. "]
    assert texts("Only 3, 4. ") == ["Only 3, 4. "]


def test_without_punctuation_clauses_grow_from_a_short_first_one() -> None:
    lengths = [len(clause.split()) for clause in texts("word " * 70)]
    assert lengths == [5, 9, 16, 30, 10]


def test_an_amount_and_its_unit_stay_together() -> None:
    assert not any(text.endswith("20 ") for text in texts("one two three four 20 € five six"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("好的，我来看看。今天很好！", ["好的，", "我来看看。", "今天很好！"]),
        ("はい。そうです。", ["はい。", "そうです。"]),
        ("สวัสดีครับวันนี้อากาศดีมาก" * 2, 3),
    ],
)
def test_where_words_have_no_spaces_clauses_still_end(text: str, expected: list[str] | int) -> None:
    found = texts(text)
    assert found == expected if isinstance(expected, list) else len(found) >= expected


@pytest.mark.parametrize("unit", ["7", "a", "你、", "a-", "[a"])
def test_what_never_ends_is_cut(unit: str) -> None:
    assert max(len(text) for text in texts(unit * 3000)) <= 401


def test_a_long_beginning_is_cut_before_a_word_that_opens_a_phrase() -> None:
    first = clauses(["The old town hall clock is always late by a minute."])[0]
    assert (first.text, first.soft) == ("The old town hall clock ", True)


@pytest.mark.parametrize(
    "text",
    [
        "It costs $3.50 now.",
        "Dr. Smith called.",
        "Meet at 10:30 today.",
        "J. Smith called.",
        "Use e.g. tea.",
    ],
)
def test_points_inside_numbers_and_abbreviations_end_nothing(text: str) -> None:
    assert texts(text) == [text]


def test_text_without_punctuation_is_given_at_the_end() -> None:
    assert texts("all done") == ["all done"]


def test_text_without_anything_to_say_gives_nothing() -> None:
    assert texts(" … — !\n") == []


def test_an_endless_sentence_is_cut_all_the_same() -> None:
    found = texts("word " * 200)
    assert max(len(clause.split()) for clause in found) <= 30
