"""Other scripts in Latin letters, for a voice that reads no others."""

from __future__ import annotations

import pytest

from omni_agent.engines.local.latin import latin
from omni_agent.saying import Said


@pytest.mark.parametrize(
    ("written", "spelled"),
    [
        ("你好, my friend", "Ni Hao, my friend"),
        ("Привет", "Privet"),
        ("こんにちは", "konnichiha"),
        ("สวัสดี", "swasdi"),
        ("café — “yes”", "café — “yes”"),
    ],
)
def test_letters_of_other_scripts_are_spelled(written: str, spelled: str) -> None:
    assert latin(Said.as_written(written)).text == spelled


def test_a_letter_has_been_said_with_the_last_of_those_that_spell_it() -> None:
    said = latin(Said.as_written("a щ"))
    assert said.text == "a shch"
    assert [said.written(n) for n in range(7)] == [0, 1, 2, 2, 2, 2, 3]
