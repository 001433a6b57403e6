"""The ledger: each call once, each failure an outcome."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from omni_agent import ToolError, tool
from omni_agent.ledger import CallState, Ledger, Outcome
from omni_agent.testing import call, virtual_time


@tool
def double(number: int) -> int:
    """Twice a number."""
    return 2 * number


@tool
def broken() -> str:
    """Always fails."""
    raise RuntimeError("boom")


@tool
def refuses() -> str:
    """Refuses politely."""
    raise ToolError("The kitchen is closed.")


@tool(timeout_s=2)
async def hangs() -> str:
    """Never answers."""
    await asyncio.Event().wait()
    return ""


@tool
def nonsense() -> Any:
    """Returns something that is not JSON."""
    return {1: object(), "x": {2, 3}}


TOOLS = {t.name: t for t in (double, broken, refuses, hangs, nonsense)}


async def outcome(name: str, **arguments: Any) -> tuple[Outcome, CallState]:
    ledger = Ledger(TOOLS)
    request = call(name, **arguments)
    assert ledger.open(request)
    result = await ledger.run(request.call_id, lambda request: None)  # type: ignore[arg-type, return-value]  # these tools take no context
    return result, ledger.state(request.call_id)


@virtual_time
async def test_a_call_that_works_is_done() -> None:
    result, state = await outcome("double", number=21)
    assert (result.output, result.ok, state) == ("42", True, CallState.DONE)


@pytest.mark.parametrize(
    ("name", "arguments", "says"),
    [
        ("broken", {}, "boom"),
        ("refuses", {}, "The kitchen is closed."),
        ("hangs", {}, "did not answer within 2 seconds"),
        ("double", {"number": "many"}, "number"),
        ("double", {}, "number"),
        ("no_such_tool", {}, "There is no tool"),
    ],
)
def test_every_failure_is_an_outcome_with_a_reason(
    name: str, arguments: dict[str, Any], says: str
) -> None:
    @virtual_time
    async def check() -> None:
        result, state = await outcome(name, **arguments)
        assert not result.ok
        assert says in result.output
        assert state is CallState.FAILED

    check()


@virtual_time
async def test_nonsense_is_rendered_not_raised() -> None:
    result, _ = await outcome("nonsense")
    assert result.ok
    assert result.output


@virtual_time
async def test_the_same_call_is_never_entered_twice() -> None:
    ledger = Ledger(TOOLS)
    request = call("double", number=1)
    assert ledger.open(request)
    assert not ledger.open(request)


@virtual_time
async def test_a_cancelled_call_is_recorded_and_cannot_move_again() -> None:
    ledger = Ledger(TOOLS)
    request = call("hangs")
    ledger.open(request)
    task = asyncio.ensure_future(ledger.run(request.call_id, lambda request: None))  # type: ignore[arg-type, return-value]  # takes no context
    await asyncio.sleep(1)
    assert ledger.running == (request.call_id,)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ledger.state(request.call_id) is CallState.CANCELLED
    with pytest.raises(RuntimeError, match="cannot become"):
        await ledger.run(request.call_id, lambda request: None)  # type: ignore[arg-type, return-value]  # takes no context
