"""What is wrong with a front matter, in the words of someone who writes personas."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

_BODY = ("thinker", "talker")
"""Fields of a persona that are no keys: they are sections of the file's body."""


def explained(problem: Any, model: type[BaseModel], within: Sequence[str] = ()) -> str:
    """One problem of pydantic's (``ValidationError.errors``) with a model; within: its keys."""
    *parents, last = problem["loc"]
    named = [*within, *(part for part in problem["loc"] if isinstance(part, str))]
    where = ".".join(named) or "front matter"
    if problem["type"] == "extra_forbidden":
        fields = _fields(model, parents)
        close = difflib.get_close_matches(str(last), fields, 1)
        hint = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(fields)}"
        return f"unknown key {where!r}; {hint}" if fields else f"unknown key {where!r}"
    if problem["type"] == "missing":
        return f"{where!r} is missing"
    if problem["type"] == "too_long":
        most = problem["ctx"]["max_length"]
        return f"{where}: should have at most {most} entries"
    if problem["type"] == "tuple_type":
        return f"{where}: should be a list, such as [{problem['input']}]"
    if problem["type"] in ("dict_type", "model_type"):
        return f"{where}: should be keys and values, not {_shown(problem['input'])}"
    if problem["type"] == "value_error":
        return f"{where}: {problem['msg'].removeprefix('Value error, ')}"
    message = problem["msg"].removeprefix("Input should ").removeprefix("String should ")
    return f"{where}: should {message}, not {_shown(problem['input'])}"


def _fields(model: Any, parents: Sequence[str | int]) -> list[str]:
    """The keys there are at a place of a model; none where that is not known."""
    for part in parents:
        field = getattr(model, "model_fields", {}).get(part)
        model = getattr(field, "annotation", None)
    return [name for name in getattr(model, "model_fields", ()) if name not in _BODY]


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    text = repr(value)
    return text if len(text) <= 40 else text[:40] + "…"
