"""Text that can be written: no halves of characters, however it came."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def whole(text: str) -> str:
    """``text`` without halves of characters: two that meet become one, a lone one U+FFFD.

    JSON can spell a half of a UTF-16 pair, and servers, tools and clients do; UTF-8 cannot, so
    that one in a conversation would fail every later turn.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def whole_json(value: Any) -> Any:
    """A JSON value whose every text is whole."""
    match value:
        case str():
            return whole(value)
        case Mapping():
            return {whole_json(key): whole_json(item) for key, item in value.items()}
        case list() | tuple():
            return [whole_json(item) for item in value]
        case _:
            return value


MAX_OUTPUT_CHARS = 4000
"""A longer result is cut before the Thinker reads it: it must not fill the context."""


def clean(text: str, most: int = MAX_OUTPUT_CHARS) -> str:
    """Text without halves of characters, cut to so many."""
    cut = len(text) > most
    whole = text[:most].encode("utf-16", "surrogatepass").decode("utf-16", "ignore")
    return f"{whole} … (cut)" if cut else whole
