"""Finding a language's words."""

from __future__ import annotations

import sys

import pytest

from omni_agent.errors import EngineUnavailable
from omni_agent.saying import Saying, phrasing, saying
from omni_agent.saying.language import Phrasing
from omni_agent.saying.languages.de import LANGUAGE


@pytest.mark.parametrize("tag", ["sv", "xx", "zh-Hant", "../en", "", "en.language", "__init__"])
def test_a_language_without_a_file_has_no_words_and_marks_alone_part_it(tag: str) -> None:
    assert saying(tag) is None
    assert phrasing(tag) == Phrasing()


@pytest.mark.parametrize("tag", ["de", "DE", "de-AT", "de-Latn-DE", "de_CH", "de-1996"])
def test_a_tag_is_read_by_its_language(tag: str) -> None:
    known = saying(tag)
    assert known is not None
    assert known.say("5 km").text == "fünf Kilometer"


def test_regions_that_make_no_difference_share_one() -> None:
    assert saying("de-AT") is saying("de") is saying("de-DE")
    assert saying("fr-CH") is not saying("fr")


def test_a_package_that_is_missing_is_told_with_the_command_that_helps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "num2words", None)
    with pytest.raises(EngineUnavailable, match=r"need num2words: pip install .*\[saying\]"):
        Saying(LANGUAGE)
