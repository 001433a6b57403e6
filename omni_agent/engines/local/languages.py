"""Languages as people tag them (BCP 47) and as Whisper's tokens name them."""

from __future__ import annotations

from collections.abc import Collection

from omni_agent.text import language_of

_WHISPER = {
    # Tags that BCP 47 has replaced, but files still carry.
    "iw": "he",
    "in": "id",
    "ji": "yi",
    "mo": "ro",
    "sh": "sr",
    # Languages that Whisper hears under another one's name.
    "nb": "no",
    "fil": "tl",
    "jv": "jw",
    "cmn": "zh",
    "yue": "zh",
    "arb": "ar",
    "prs": "fa",
    "pes": "fa",
    "swh": "sw",
    "zsm": "ms",
    "ekk": "et",
    "lvs": "lv",
    "als": "sq",
    "uzn": "uz",
    "azj": "az",
    "khk": "mn",
    "npi": "ne",
    "ydd": "yi",
    "gsw": "de",
}
"""The 99 codes of openai/whisper, tokenizer.py, LANGUAGES, are ISO 639-1 except for ``jw``,
``haw`` and ``tl``; macrolanguages stand for their members (IANA language subtag registry)."""


def objection(tag: str, known: Collection[str]) -> str:
    """Why ears that know these languages are deaf for a tag, and what would work; empty when they
    are not."""
    if whisper_code(tag, known):
        return ""
    if len(known) == 1:
        return (
            f"these ears hear English only, not {tag!r}: leave out --light, or write language: en"
        )
    return (
        f"these ears do not know the language {tag!r}: write one of {', '.join(sorted(known))} "
        "(a region may follow, as in pt-BR)"
    )


def whisper_code(tag: str, known: Collection[str]) -> str | None:
    """Whisper's code for a language tag, of those it knows; None when it hears no such language.

    Script, region and variants make no difference: zh-Hant and zh-CN are both zh.
    """
    primary = language_of(tag)
    # A model that has a token of its own for it (Cantonese, since large-v3) is asked for that.
    return next((code for code in (primary, _WHISPER.get(primary)) if code in known), None)
