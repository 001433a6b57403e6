"""Arguments as small models and servers really write them, made to fit their schema.

``"5"`` for an integer, ``null`` for what is optional, one value for a list: fitted where only
one thing can be meant, and left as they are otherwise, for the schema to refuse.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]
Fits = Callable[[Any, Schema], bool]

_INTEGER = re.compile(r"[+-]?\d{1,15}")
_NUMBER = re.compile(r"[+-]?(\d{1,15}(\.\d{0,15})?|\.\d{1,15})")
_TRUTH = {"true": True, "false": False}
_ABSENT: tuple[Any, ...] = (None, "")
"""What stands for an optional argument that is not there, where its type has no such value."""
_MAX_JSON_CHARS = 20_000


def fitted(arguments: Mapping[str, Any], schema: Schema, fits: Fits) -> dict[str, Any]:
    """The arguments with what does not fit its schema replaced by what does.

    fits: whether a value is valid for a schema.
    """
    properties = schema.get("properties") or {}
    required = schema.get("required") or ()
    made: dict[str, Any] = {}
    for name, value in arguments.items():
        inner = properties.get(name)
        if not isinstance(inner, Mapping) or fits(value, inner):
            made[name] = value
        elif value not in _ABSENT or name in required:
            made[name] = _fit(value, inner, fits)
    return made


def _fit(value: Any, schema: Schema, fits: Fits) -> Any:
    """The one reading of a value that fits; the value itself when there are none, or several."""
    tried: list[Any] = []
    readings: list[Any] = []
    for reading in _readings(value, schema, fits):
        if any(reading == one and type(reading) is type(one) for one in tried):
            continue  # a hundred alternatives may read it alike, and each look is at all of them
        tried.append(reading)
        if fits(reading, schema) and reading not in readings:
            readings.append(reading)
    return readings[0] if len(readings) == 1 else value


def _readings(value: Any, schema: Schema, fits: Fits) -> Iterator[Any]:
    for option in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        if isinstance(option, Mapping):
            yield from _readings(value, option, fits)
    yield from _choices(value, schema)
    match schema.get("type"):
        case "integer":
            yield from _integers(value)
        case "number":
            if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
                yield float(value)
        case "boolean":
            if isinstance(value, str) and value.strip().lower() in _TRUTH:
                yield _TRUTH[value.strip().lower()]
        case "string":
            number = isinstance(value, int) and not isinstance(value, bool)
            if number and "format" not in schema:  # a number is no date
                yield str(value)
        case "array":
            yield from _arrays(value, schema, fits)
        case "object":
            if isinstance(found := _decoded(value), Mapping):
                yield fitted(found, schema, fits)


def _choices(value: Any, schema: Schema) -> Iterator[Any]:
    """The value of an enumeration, in another case or between spaces."""
    if isinstance(value, str):
        for choice in schema.get("enum", ()):
            if isinstance(choice, str) and choice.lower() == value.strip().lower():
                yield choice


def _integers(value: Any) -> Iterator[int]:
    if isinstance(value, str) and _INTEGER.fullmatch(value.strip()):
        yield int(value)
    elif isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        value = float(value)
    if isinstance(value, float) and value.is_integer():
        yield int(value)


def _arrays(value: Any, schema: Schema, fits: Fits) -> Iterator[list[Any]]:
    items = schema.get("items")
    items = items if isinstance(items, Mapping) else {}
    found = _decoded(value)
    parts = found if isinstance(found, list) else [value]
    yield [part if fits(part, items) else _fit(part, items, fits) for part in parts]


def _decoded(value: Any) -> Any:
    """A text that is JSON, decoded."""
    if not isinstance(value, str) or len(value) > _MAX_JSON_CHARS:
        return value
    if not value.lstrip().startswith(("[", "{")):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value
