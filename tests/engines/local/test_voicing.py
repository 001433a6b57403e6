"""What hibari is given to read."""

from __future__ import annotations

import pytest

from omni_agent.engines.local.voicing import worded


@pytest.mark.parametrize(
    ("language", "written", "said"),
    [
        ("en", "5 km", "five kilometers"),
        ("de-AT", "5 km", "fünf Kilometer"),
        ("sv", "5 km", "five kilometers"),
        ("en", "Привет, 5", "Privet, five"),
    ],
)
def test_words_are_the_language_s_and_english_where_it_has_none(
    language: str, written: str, said: str
) -> None:
    worded_text = worded(written, language)
    assert worded_text.text == said
    assert worded_text.written(len(said)) == len(written)
