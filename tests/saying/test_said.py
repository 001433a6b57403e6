"""Where in the written text what is said is: never inside what was put in other words."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omni_agent.saying import Said, saying
from omni_agent.text import words_heard


def say(text: str, language: str = "en") -> Said:
    known = saying(language)
    assert known is not None
    return known.say(text)


def heard(written: str, said_so_far: str) -> str:
    """What history keeps when speech stops after ``said_so_far``."""
    said = say(written)
    assert said.text.startswith(said_so_far)
    return words_heard(written, said.written(len(said_so_far)))


@pytest.mark.parametrize(
    ("said_so_far", "kept"),
    [
        ("It", "It"),
        ("It costs", "It costs"),
        ("It costs one thousand", "It costs"),
        ("It costs one thousand two hundred and fifty dollars", "It costs"),
        ("It costs one thousand two hundred and fifty dollars and fifty cent", "It costs"),
        (
            "It costs one thousand two hundred and fifty dollars and fifty cents",
            "It costs $1,250.50",
        ),
        (
            "It costs one thousand two hundred and fifty dollars and fifty cents today.",
            "It costs $1,250.50 today.",
        ),
    ],
)
def test_speech_that_stops_in_an_amount_leaves_history_before_it(
    said_so_far: str, kept: str
) -> None:
    assert heard("It costs $1,250.50 today.", said_so_far) == kept


@pytest.mark.parametrize(
    ("written", "said_so_far", "kept"),
    [
        ("3 to 5 days", "three to five", "3 to 5"),
        ("3-5 days", "three to", ""),
        ("5 million euros", "five million", "5 million"),
        ("On March 5, 2024 we met", "On March fifth", "On March"),
        ("On March 5, 2024 we met", "On March fifth, twenty", "On March 5,"),
        ("On March 5, 2024 we met", "On March fifth, twenty twenty-four", "On March 5, 2024"),
        ("at 10:30 AM sharp", "at ten", "at"),
        ("e.g. this", "for", ""),
        ("ask me@example.com please", "ask me at example", "ask"),
    ],
)
def test_what_is_one_thing_is_heard_as_a_whole(written: str, said_so_far: str, kept: str) -> None:
    assert heard(written, said_so_far) == kept


@given(st.text(st.sampled_from("abc .,!?"), max_size=40))
def test_plain_words_are_where_they_are(text: str) -> None:
    said = say(text)
    at = [said.written(n) for n in range(1, len(said.text))]
    assert all(b - a >= 1 for a, b in itertools.pairwise(at))
    assert all(text[end - 1] == letter for end, letter in zip(at, said.text, strict=False))
