"""Which of a conversation's items a prompt holds when not all of them fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeGuard

from omni_agent.conversation import Item, Message, ToolCall, ToolResult

_DROPPED = 8
"""Items that leave at once, so that the prompts after that share what is left."""


def is_user(item: Item) -> TypeGuard[Message]:
    return isinstance(item, Message) and item.role == "user"


def latest_turn(items: Sequence[Item]) -> int:
    """Where the latest turn begins: with what the user said last."""
    users = (at for at in range(len(items) - 1, -1, -1) if is_user(items[at]))
    return next(users, max(0, len(items) - 1))


def beginnings(latest: int) -> list[int]:
    """Where a conversation may begin: the whole first, then eight less at a time, then one."""
    eights = range(0, latest + 1, _DROPPED)
    return [*eights, *range(eights[-1] + 1, latest + 1)]


def kept(items: Sequence[Item], begin: int) -> list[Item]:
    """The items from there on, and the calls whose results are among them."""
    rest = items[begin:]
    answered = {item.call_id for item in rest if isinstance(item, ToolResult)}
    calls = (item for item in items[:begin] if isinstance(item, ToolCall))
    return [*(call for call in calls if call.call_id in answered), *rest]
