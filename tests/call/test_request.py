"""What a call is begun with is looked at before it begins."""

from __future__ import annotations

from typing import Any

import pytest

from omni_agent.call.request import CallRequest
from omni_agent.conversation import Message, TextPart, ToolCall, ToolResult, user
from omni_agent.errors import ConfigError
from omni_agent.wishes import Wishes

ANY: Any = None
SAID = user("Hello", "a")


@pytest.mark.parametrize(
    ("history", "why"),
    [
        (None, "sequence of items, not None"),
        ("Hello", r"history\[0\] is no item .*: 'H'"),
        ([SAID, None], r"history\[1\] is no item .*: None"),
        ([{"role": "user"}], r"history\[0\] is no item"),
        ([Message("user", ANY)], "no item"),
        ([Message("user", (TextPart(ANY),))], "no item"),
        ([ToolCall(["x"], "n", {})], "no item"),  # type: ignore[arg-type]  # what is hostile
        ([ToolCall("c", "n", ANY)], "no item"),
        ([ToolResult("c", ANY)], "no item"),
        ([Message("user", (TextPart("Hello"),), id="")], "no item"),
        ([SAID, user("Again", "a")], r"history\[1\] has the id of history\[0\], 'a'"),
    ],
)
def test_a_history_of_something_else_is_an_error_at_once(history: Any, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        CallRequest(history=history)


@pytest.mark.parametrize(
    "wrong",
    [
        {"persona": 5},
        {"caller": None},
        {"wishes": {"turns": "manual"}},
        {"wishes": Wishes(tools=({"name": "a", "description": "", "parameters": {}},))},  # type: ignore[arg-type]
        {"wishes": Wishes(instructions="\ud800")},
        {"idle_s": "60"},
        {"idle_s": 0},
        {"idle_s": float("nan")},
        {"max_call_s": -1},
        {"session_id": ""},
    ],
)
def test_what_cannot_be_is_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=rf"(?i){next(iter(wrong))}|no ToolSchema"):
        CallRequest(**wrong)


def test_its_history_is_what_it_was() -> None:
    kept = CallRequest(history=(items := [SAID]))
    items.clear()
    assert kept.history == (SAID,)
