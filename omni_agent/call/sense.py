"""Whether a command is what it says it is: lines are plugins, whose commands may have anything in
them."""

from __future__ import annotations

import math
from dataclasses import fields
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from omni_agent.commands import (
    AddItem,
    ChoosePersona,
    ClearAudio,
    CommitAudio,
    Configure,
    DeleteItem,
    Digit,
    Interrupt,
    ReplyRequest,
    Truncate,
)
from omni_agent.conversation import is_item
from omni_agent.thinker import ToolSchema
from omni_agent.utf8 import whole
from omni_agent.wishes import Wishes


def nonsense(command: Any) -> str:
    """What is wrong with it; empty when nothing is."""
    match command:
        case Configure(wishes):
            return _wrong_wishes(wishes)
        case ChoosePersona(name, wishes) if isinstance(name, str):
            return _wrong_wishes(wishes)
        case ReplyRequest(wishes, items):
            some = items is None or (isinstance(items, tuple) and all(map(is_item, items)))
            return _wrong_wishes(wishes) or ("" if some else "its items are none")
        case AddItem(item):
            right = is_item(item)
        case DeleteItem(name) | Digit(name):
            right = isinstance(name, str)
        case Truncate(item_id, end_ms):
            number = isinstance(end_ms, int | float) and math.isfinite(end_ms)
            right = number and isinstance(item_id, str)
        case Interrupt() | CommitAudio() | ClearAudio():
            right = True
        case _:
            right = False
    return "" if right else f"a {type(command).__name__} that makes no sense came over the line"


def _wrong_wishes(wishes: Any) -> str:
    why = _misfit(Wishes, wishes)
    for tool in wishes.tools or () if not why else ():
        why = why or _misfit(ToolSchema, tool)
    return why


def _misfit(kind: Any, value: Any) -> str:
    """Which field of a dataclass has something else in it than it says."""
    if not isinstance(value, kind):
        return f"a {type(value).__name__} is no {kind.__name__}"
    given = {one.name: getattr(value, one.name) for one in fields(kind)}
    try:
        _adapter(kind).validate_python(given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        return f"{kind.__name__}: {where}: {first['msg']}"
    for where, text in given.items():
        if isinstance(text, str) and text != whole(text):
            return f"{kind.__name__}: {where}: half a character is in it"
    return ""


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
