"""Dice for omni_agent."""

import random
from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from omni_agent import Tool, hookimpl, tool


@tool(examples={"Roll two dice.": {"count": 2}})
def roll_dice(count: Annotated[int, Field(ge=1, le=10)] = 1) -> str:
    """Roll six-sided dice. count: how many."""
    rolls = [random.randint(1, 6) for _ in range(count)]
    return f"You rolled {' and '.join(map(str, rolls))}, {sum(rolls)} in all."


@hookimpl
def register_tools() -> Sequence[Tool]:
    return [roll_dice]
