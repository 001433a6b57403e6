"""Items of a conversation, as prompts take them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from omni_agent.conversation import Item, ToolCall, ToolResult, assistant, rounds, user


def items_of(kinds: str) -> list[Item]:
    """``u``: user, ``a``: assistant, ``c``: a call, ``r``: the result of the call before."""
    made: dict[str, Item] = {"u": user("hi"), "a": assistant("yes")}
    return [
        made.get(kind) or (ToolCall(str(at), "t", {}) if kind == "c" else ToolResult(str(at), "ok"))
        for at, kind in enumerate(kinds)
    ]


def test_calls_made_at_once_are_one_round_and_a_result_ends_it() -> None:
    items = items_of("uccrrcracu")
    sizes = [len(group) for group in rounds(items)]
    assert sizes == [1, 2, 1, 1, 1, 1]


@given(st.text("uacr", max_size=20))
def test_rounds_hold_everything_but_results_in_order(kinds: str) -> None:
    items = items_of(kinds)
    groups = list(rounds(items))
    assert all(groups)
    assert [item for group in groups for item in group] == [
        item for item in items if not isinstance(item, ToolResult)
    ]
