"""A call's arguments, as models and servers write them."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any, NoReturn

from omni_agent.utf8 import whole_json

Arguments = dict[str, Any]

LEFTOVER = re.compile(r"(?:\s|<[|｜][^<>]*[|｜]>|</?[\w:]+>|`{3}\w*)*")
"""What a server's parser may leave around the object: special tokens, tags, fences."""


def complete(written: str) -> bool:
    """Whether this is an object to its end."""
    if not written.rstrip().endswith("}"):
        return False
    try:
        return isinstance(json.loads(written), dict)
    except (ValueError, RecursionError):
        return False


def arguments(written: str) -> list[Arguments]:
    """One object for each call that was written here: some servers join parallel calls.

    Nothing, ``null`` and an empty list are no arguments; JSON in a JSON string is read as well;
    an object that comes twice counts once. Raises ValueError.
    """
    try:
        objects = list(map(_object, _values(written)))
    except RecursionError as error:
        raise ValueError("arguments are nested too deep") from error
    given = [each for place, each in enumerate(objects) if each and each not in objects[:place]]
    return given or [{}]


def value(written: str) -> Any:
    """JSON, without what JSON has no word for (NaN, infinities). Raises ValueError."""
    return _DECODER.decode(written)


def _values(written: str) -> Iterator[Any]:
    at = past(written, 0)
    while at < len(written):
        found, at = _DECODER.raw_decode(written, at)
        yield found
        at = past(written, at)


def past(written: str, at: int, what: re.Pattern[str] = LEFTOVER) -> int:
    """The place after what stands there; by default what a parser left."""
    found = what.match(written, at)
    return found.end() if found else at


def _object(found: Any, depth: int = 0) -> Arguments:
    if isinstance(found, dict):
        return dict(whole_json(found))
    if found is None or found == [] or found == "":
        return {}
    if isinstance(found, str) and depth < 2:
        return _object(value(found), depth + 1)
    raise ValueError("arguments are not an object")


def _number(written: str) -> float:
    number = float(written)
    if not math.isfinite(number):
        raise ValueError(f"{written[:40]} is too large")
    return number


def _no_number(written: str) -> NoReturn:
    raise ValueError(f"{written} is not JSON")


_DECODER = json.JSONDecoder(parse_float=_number, parse_constant=_no_number)
