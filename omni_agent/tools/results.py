"""What tools return and raise, as text that a Thinker can read and a voice can say."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import itertools
import json
import math
from collections.abc import Iterator, Mapping, Set
from typing import Any

from pydantic import BaseModel

from omni_agent.utf8 import MAX_OUTPUT_CHARS, clean

_MOST_PARTS = 500
"""Of one list or mapping: more would be cut anyway."""
_DEEPEST = 12

_KINDS = (
    (b"\x89PNG\r\n\x1a\n", "an image (image/png, {size})"),
    (b"\xff\xd8\xff", "an image (image/jpeg, {size})"),
    (b"GIF8", "an image (image/gif, {size})"),
    (b"RIFF", "audio or an image (RIFF, {size})"),
    (b"%PDF-", "a document (application/pdf, {size})"),
    (b"OggS", "audio (audio/ogg, {size})"),
    (b"ID3", "audio (audio/mpeg, {size})"),
    (b"PK\x03\x04", "an archive (application/zip, {size})"),
)
"""How files begin, and what they are."""


def render(result: Any) -> str:
    """A tool's return value as text; never raises, never huge, always encodable."""
    try:
        value = _plain(result, _DEEPEST, ())
        if value is None:
            return "done"
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        return clean(text)
    except BaseException:  # whatever hides behind __str__, __len__ or __iter__
        return f"done; the result cannot be told (a {type(result).__name__})"


def _plain(value: Any, depth: int, inside: tuple[int, ...]) -> Any:
    """The value in JSON's terms, as far as it is worth reading."""
    match value:
        case enum.Enum():
            return _plain(value.value, depth, inside)
        case None | bool():
            return value
        case int():
            return int(value) if abs(value) < 10**100 else "a very large number"
        case float():
            return float(value) if math.isfinite(value) else _no_number(value)
        case str():
            return str.__str__(value)[: MAX_OUTPUT_CHARS + 1]
        case bytes() | bytearray() | memoryview():
            return _described(bytes(value))
        case datetime.date() | datetime.time():
            return value.isoformat()
    if id(value) in inside or not depth:
        return "…"
    inside = (*inside, id(value))
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json")
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        pairs = itertools.islice(value.items(), _MOST_PARTS)
        return {_key(key): _plain(part, depth - 1, inside) for key, part in pairs}
    if isinstance(value, list | tuple | Set | Iterator):
        parts = itertools.islice(value, _MOST_PARTS)
        return [_plain(part, depth - 1, inside) for part in parts]
    return str.__str__(str(value))[: MAX_OUTPUT_CHARS + 1]


def _key(key: Any) -> str:
    return str.__str__(key if isinstance(key, str) else str(key))


def _no_number(value: float) -> str:
    return "not a number" if math.isnan(value) else "infinite"


def _described(data: bytes) -> str:
    """Text as text; for anything else, what it is."""
    size = f"{len(data) / 1000:.0f} kB" if len(data) >= 1000 else f"{len(data)} bytes"
    for beginning, words in _KINDS:
        if data.startswith(beginning):
            return words.format(size=size)
    try:
        text = data[: MAX_OUTPUT_CHARS + 1].decode()
    except UnicodeDecodeError:
        return f"binary data ({size})"
    return text if "\0" not in text else f"binary data ({size})"
