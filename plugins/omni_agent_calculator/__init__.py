"""Arithmetic for a voice agent: one tool, ``calculate``."""

from __future__ import annotations

from collections.abc import Sequence

from omni_agent import Tool, ToolError, hookimpl, tool
from omni_agent_calculator.arithmetic import ArithmeticProblem, evaluate
from omni_agent_calculator.spoken import as_expression, as_words


@tool(
    examples={
        "What is 17 times 4?": {"expression": "17 * 4"},
        "How much is 15% of 80?": {"expression": "15% of 80"},
    }
)
async def calculate(expression: str) -> str:
    """Calculate with numbers. expression: e.g. 12 * 7, 15% of 80, sqrt(2)"""
    try:
        return f"The answer is {as_words(evaluate(as_expression(expression)))}."
    except ArithmeticProblem as problem:
        raise ToolError(str(problem)) from problem


@hookimpl
def register_tools() -> Sequence[Tool]:
    return [calculate]
