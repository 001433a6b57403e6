"""A language's words made into patterns, and what is said into what they match."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from omni_agent.hearing.words import Patterns

_MARKS = str.maketrans("’，、；：。．｡！？", "',,;:...!?", "¿¡")
"""Marks of other scripts as the patterns have them."""
_BEFORE_MARK = re.compile(r"\s+(?=[,.!?;:])")
"""As the French write it."""
_BETWEEN = re.compile(r"[,.!?;:…—–]+|\s-\s")


def any_of(patterns: Patterns, around: str = "{}") -> re.Pattern[str]:
    """One that matches what any of them does, of none nothing; around: what stands around it."""
    return re.compile(around.format(f"(?:{'|'.join(patterns) or '(?!)'})"))


def plain(text: str) -> str:
    """Lower case, with one space between words, and a mark follows at once."""
    composed = unicodedata.normalize("NFC", text).translate(_MARKS).lower()
    return _BEFORE_MARK.sub("", " ".join(composed.split()))


def phrases(text: str) -> Iterator[str]:
    """What stands between marks, in lower case."""
    for phrase in _BETWEEN.split(plain(text)):
        if said := phrase.strip():
            yield said
