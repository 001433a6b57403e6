"""The ledger: each call once, each failure an outcome."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from omni_agent import ToolError, tool
from omni_agent.runtime.scope import LEFT_BEHIND_S, Scope
from omni_agent.testing import FakeCall, call, virtual_time
from omni_agent.thinker import ToolCallRequest
from omni_agent.tools.ledger import FAILED, CallState, Ledger, Outcome


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


class Mute(Exception):
    def __str__(self) -> str:
        raise SystemExit(3)


class MuteToolError(ToolError):
    __str__ = Mute.__str__


class Fatal(BaseException):
    """As a test framework, or a greenlet library, has them."""


@tool
def raises(kind: str) -> str:
    """Fails in a thread."""
    raise KINDS[kind]()


@tool
async def raises_on_the_loop(kind: str) -> str:
    """Fails on the event loop."""
    raise KINDS[kind]()


@tool
async def says_too_much() -> str:
    """Fails with a secret."""
    raise ConnectionError("postgres://user:password@db.internal")


@tool(timeout_s=2)
async def ignores_its_end() -> str:
    """Never ends, whatever one does."""
    while not LET_GO:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            continue
    return ""


@tool
def half_a_face() -> str:
    """Returns half a surrogate pair."""
    return "\ud83d"


KINDS: dict[str, type[BaseException]] = {
    kind.__name__: kind
    for kind in (
        ValueError, StopIteration, StopAsyncIteration, RecursionError, TimeoutError, Mute,
        SystemExit, KeyboardInterrupt, GeneratorExit, asyncio.CancelledError, Fatal,
    )
}  # fmt: skip
LET_GO: list[bool] = []
TOOLS = {
    t.name: t
    for t in (
        double, broken, refuses, hangs, nonsense, raises, raises_on_the_loop, says_too_much,
        ignores_its_end, half_a_face,
    )
}  # fmt: skip


def in_a_call(request: ToolCallRequest) -> FakeCall:
    return FakeCall()


async def outcome(name: str, **arguments: Any) -> tuple[Outcome, CallState]:
    ledger = Ledger()
    request = call(name, **arguments)
    assert ledger.open(request, TOOLS)
    result = await ledger.run(request.call_id, in_a_call, Scope())
    return result, ledger.state(request.call_id)


@virtual_time
async def test_a_call_waits_until_all_that_it_asks_is_answered_and_its_time_stands_still() -> None:
    states: list[CallState] = []

    @tool(timeout_s=2)
    async def asks() -> str:
        """Asks two things at once."""
        for _ in range(2):
            with ledger.asking(request.call_id) as waits, ledger.asking(request.call_id):
                assert waits
                with pytest.raises(RuntimeError, match="begun already"):
                    await ledger.run(request.call_id, in_a_call, Scope())
                await asyncio.sleep(100)
                states.append(ledger.state(request.call_id))
            states.append(ledger.state(request.call_id))
            await asyncio.sleep(0.5)
        return "asked"

    ledger, request = Ledger(), call("asks")
    ledger.open(request, {"asks": asks})
    result = await ledger.run(request.call_id, in_a_call, Scope())
    assert (result.output, result.ms) == ("asked", pytest.approx(1000))
    assert states == 2 * [CallState.WAITING, CallState.RUNNING]
    with ledger.asking(request.call_id) as waits:
        assert not waits, "it has ended"
    assert ledger.state(request.call_id) is CallState.DONE


@virtual_time
async def test_a_call_that_works_is_done() -> None:
    result, state = await outcome("double", number=21)
    assert (result.output, result.ok, state) == ("42", True, CallState.DONE)


@pytest.mark.parametrize(
    ("name", "arguments", "says"),
    [
        ("broken", {}, FAILED),
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
    ledger = Ledger()
    request = call("double", number=1)
    assert ledger.open(request, TOOLS)
    assert not ledger.open(request, TOOLS)


@virtual_time
async def test_a_cancelled_call_is_recorded_and_cannot_move_again() -> None:
    ledger = Ledger()
    request = call("hangs")
    ledger.open(request, TOOLS)
    task = asyncio.ensure_future(ledger.run(request.call_id, in_a_call, Scope()))
    await asyncio.sleep(1)
    assert ledger.running == (request.call_id,)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ledger.state(request.call_id) is CallState.CANCELLED
    with pytest.raises(RuntimeError, match="cannot become"):
        await ledger.run(request.call_id, in_a_call, Scope())


@pytest.mark.parametrize("tool_name", ["raises", "raises_on_the_loop"])
@pytest.mark.parametrize("kind", list(KINDS))
def test_whatever_a_tool_raises_is_an_outcome(tool_name: str, kind: str) -> None:
    @virtual_time
    async def check() -> None:
        result, state = await outcome(tool_name, kind=kind)
        assert (result.output, result.ok, state) == (FAILED, False, CallState.FAILED)

    check()


@virtual_time
async def test_a_tool_error_that_cannot_speak_is_an_outcome_too() -> None:
    KINDS["MuteToolError"] = MuteToolError
    result, _ = await outcome("raises", kind="MuteToolError")
    assert (result.output, result.ok) == ("MuteToolError", False)


@virtual_time
async def test_an_exceptions_text_is_for_the_log_alone(caplog: pytest.LogCaptureFixture) -> None:
    result, _ = await outcome("says_too_much")
    assert result.output == FAILED
    assert "tool says_too_much failed" in caplog.text
    assert "password@db.internal" in caplog.text


@virtual_time
async def test_a_tool_that_refuses_to_end_is_left_behind_by_name(
    caplog: pytest.LogCaptureFixture,
) -> None:
    LET_GO.clear()
    before = asyncio.all_tasks()
    result, state = await outcome("ignores_its_end")
    assert result.output == "It did not answer within 2 seconds."
    assert state is CallState.FAILED
    assert asyncio.get_running_loop().time() == 2 + LEFT_BEHIND_S
    assert "tool ignores_its_end did not end when it was cancelled" in caplog.text
    assert asyncio.all_tasks() == before
    LET_GO.append(True)
    await asyncio.sleep(3601)  # it ends before its loop does


@virtual_time
async def test_half_a_character_never_joins_the_conversation() -> None:
    result, _ = await outcome("half_a_face")
    assert result.ok
    result.output.encode()
