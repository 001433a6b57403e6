"""Languages by BCP 47 tag, and what Whisper calls them."""

from __future__ import annotations

import pytest

from omni_agent.engines.local.languages import whisper_code

WHISPER = ("en", "de", "fr", "he", "id", "jw", "no", "nn", "pt", "tl", "zh", "haw", "ro", "sr")


@pytest.mark.parametrize(
    ("tag", "code"),
    [
        ("en", "en"),
        ("en-GB", "en"),
        ("EN_us", "en"),
        ("pt-BR", "pt"),
        ("zh-Hant", "zh"),
        ("zh-Hans-CN", "zh"),
        ("cmn-TW", "zh"),
        ("yue-HK", "zh"),
        ("nb", "no"),
        ("nb-NO", "no"),
        ("nn-NO", "nn"),
        ("fil-PH", "tl"),
        ("tl", "tl"),
        ("iw", "he"),
        ("in", "id"),
        ("jv", "jw"),
        ("mo", "ro"),
        ("sh", "sr"),
        ("haw", "haw"),
        ("tlh", None),
        ("xx-YY", None),
    ],
)
def test_a_tag_is_whispers_language_whatever_its_script_region_and_age(
    tag: str, code: str | None
) -> None:
    assert whisper_code(tag, WHISPER) == code


def test_a_language_with_a_name_of_its_own_in_the_model_goes_by_it() -> None:
    assert whisper_code("yue", (*WHISPER, "yue")) == "yue"
    assert whisper_code("jv", ("jv", "jw")) == "jv"
