"""Tools in a call: they end with it, or it ends without them."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import AfterValidator, Field

from omni_agent import Allow, Ask, CallContext, Deny, Persona, events, hookimpl, tool
from omni_agent.call.session import Session
from omni_agent.call.state import Call
from omni_agent.call.tool_runs import ToolRuns
from omni_agent.conversation import Conversation, Message, ToolCall, ToolResult
from omni_agent.lines.in_process import InProcessTransport
from omni_agent.personas.outfit import Outfit
from omni_agent.stages import Stages
from omni_agent.testing import ScriptedTalker, ScriptedThinker, call, rehearse, virtual_time
from omni_agent.thinker import ToolCallRequest, ToolSchema
from omni_agent.tools.approval import Verdict
from omni_agent.tools.ledger import FAILED, CallState, Ledger
from omni_agent.tools.panels import Panel, PanelRow
from omni_agent.wishes import Wishes

ROOT = Path(__file__).parents[2]
CHILD = """
import asyncio, signal, sys, threading
from contextlib import asynccontextmanager

from omni_agent import CallContext, events, tool
from omni_agent.testing import ScriptedThinker, call, rehearse


@tool
def hangs() -> str:
    threading.Event().wait()


@tool
async def swallows() -> str:
    await for_ever()


@tool
async def leaks(call: CallContext) -> str:
    call.background(for_ever())
    return "leaking"


async def for_ever() -> None:
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            pass


@asynccontextmanager
async def talking(app=None):
    calls = [call("leaks"), call("hangs"), call("swallows")]
    async with rehearse(ScriptedThinker(calls), tools=[hangs, swallows, leaks]) as stage:
        stage.types("Go.")
        for _ in calls:
            await stage.until(events.ToolStarted)
        await asyncio.sleep(0.1)
        print("talking", flush=True)
        yield


async def main():
    async with talking():
        await asyncio.Event().wait()


if sys.argv[1] == "SIGINT":
    # A test run in a shell's background inherits that it is ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    asyncio.run(main())
else:
    import uvicorn
    from starlette.applications import Starlette

    uvicorn.Server(uvicorn.Config(Starlette(lifespan=talking), port=0)).run()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_tools_that_never_end_do_not_keep_the_process(name: str, tmp_path: Path) -> None:
    script = tmp_path / "child.py"
    script.write_text(CHILD)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, str(script), name],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as child:
        try:
            assert child.stdout is not None
            assert child.stdout.readline() == "talking\n"
            child.send_signal(getattr(signal, name))
            child.wait(60)  # they have two seconds, and a busy machine many more
        finally:
            child.kill()


@virtual_time
async def test_a_call_ends_although_a_tool_and_its_leak_refuse_to() -> None:
    over = asyncio.Event()

    async def stubborn() -> None:
        while not over.is_set():
            try:
                await over.wait()
            except asyncio.CancelledError:
                continue

    @tool
    async def leaks(call: CallContext) -> str:
        """Leaves something behind."""
        call.background(stubborn())
        await stubborn()
        return ""

    async with rehearse(ScriptedThinker([call("leaks")]), tools=[leaks]) as stage:
        stage.types("Go.")
        await stage.until(events.ToolStarted)
    assert stage.seen(events.SessionEnded)[-1].reason == "hangup"
    over.set()
    await asyncio.sleep(0)


@virtual_time
async def test_a_call_that_is_cancelled_before_it_begins_has_a_result_too() -> None:
    seen: list[events.Event] = []
    async with asyncio.TaskGroup() as tasks:
        session = Call(
            session_id="s",
            stages=Stages(ScriptedThinker(), ScriptedTalker()),
            transport=InProcessTransport(),
            conversation=Conversation(),
            ledger=Ledger(),
            outfit=Outfit(Persona(name="test", fillers=()), {}, ()),
            emit=seen.append,
            spawn=tasks.create_task,
        )
        request = ToolCallRequest("c1", "order", {})
        session.ledger.open(request, {})
        runs = ToolRuns(session, lambda text: None, lambda reply: None)
        runs.start("r1", ToolCall(request.call_id, request.name, request.arguments)).cancel()
    assert session.ledger.running == ()
    assert [type(event) for event in seen] == [events.ToolStarted, events.ToolFinished]
    _, result = session.conversation.items
    assert isinstance(result, ToolResult)
    assert (result.output, result.ok) == ("Cancelled.", False)


class Strict:
    @hookimpl
    def before_tool(self, tool_call: ToolCallRequest) -> object:
        return Deny("Not today.") if tool_call.name == "denied" else None


@pytest.mark.parametrize("name", ["order", "misfit", "denied", "unknown"])
@virtual_time
async def test_every_call_is_told_and_on_record_with_what_came_of_it(name: str) -> None:
    def takes(number: int) -> str:
        """Take it. number: how many."""
        return "taken"

    tools = [tool(name=each)(takes) for each in ("order", "misfit", "denied")]
    number = "many" if name == "misfit" else 1
    made = call(name, number=number)
    async with rehearse(
        ScriptedThinker([made], ["Well."]), tools=tools, plugins=[Strict()]
    ) as stage:
        stage.types("Go on.")
        await stage.agent()
        (started,), (finished,) = stage.seen(events.ToolStarted), stage.seen(events.ToolFinished)
        assert started.call_id == finished.call_id == made.call_id
        assert started.arguments == {"number": number}
        assert finished.ok is (name == "order")
        items = [item for item in stage.session.conversation if not isinstance(item, Message)]
        assert [type(item) for item in items] == [ToolCall, ToolResult]
        state = stage.session._call.ledger.state(made.call_id)
        assert state is (CallState.DONE if finished.ok else CallState.FAILED)


@virtual_time
async def test_a_tool_that_exits_costs_its_result_alone() -> None:
    @tool
    async def exits(call: CallContext) -> str:
        """As argparse does."""
        call.background(also_exits())
        sys.exit("usage: …")

    async def also_exits() -> None:
        sys.exit(2)

    thinker = ScriptedThinker([call("exits")], ["That did not work."], ["Still here."])
    async with rehearse(thinker, tools=[exits]) as stage:
        await stage.user("Go, please.")
        assert await stage.agent() == "That did not work."
        await stage.user("Are you still there?")
        assert await stage.agent() == "Still here."


@virtual_time
async def test_what_a_tool_says_and_tells_is_text_that_can_be_sent() -> None:
    @tool
    async def mumbles(call: CallContext) -> str:
        """Half characters everywhere."""
        call.progress("half \ud83d")
        call.say("ding \ude00dong")
        call.say("\ud83d")
        return "ok"

    async with rehearse(ScriptedThinker([call("mumbles")], ["Done."]), tools=[mumbles]) as stage:
        await stage.user("Go, please.")
        assert await stage.agent() == "Done."
        assert await stage.agent() == "ding dong"
        assert stage.seen(events.ToolProgress)[0].text == "half "


@virtual_time
async def test_background_work_that_is_none_is_the_tools_failure() -> None:
    @tool
    async def confused(call: CallContext) -> str:
        """Passes a function."""
        call.background(asyncio.sleep)  # type: ignore[arg-type]  # that is the point
        return "ok"

    async with rehearse(ScriptedThinker([call("confused")], ["Sorry."]), tools=[confused]) as stage:
        await stage.user("Go, please.")
        assert await stage.agent() == "Sorry."
        assert not stage.seen(events.ToolFinished)[0].ok


@virtual_time
async def test_what_tools_show_is_bounded_and_time_makes_room() -> None:
    @tool(timeout_s=100)
    async def shows(call: CallContext) -> str:
        """Show."""
        rows = [PanelRow(label="a" * 1000, value="b")] * 20_000
        call.show("n" * 1000, Panel(title="t" * 5_000_000, rows=rows))
        for _ in range(20_000):
            call.progress("x" * 4000)
        await asyncio.sleep(60)
        call.progress("done")
        return "ok"

    async with rehearse(ScriptedThinker([call("shows")], ["Done."]), tools=[shows]) as stage:
        stage.types("Go.")
        await stage.agent()
        (panel,) = stage.seen(events.PanelShown)
        told = stage.seen(events.ToolProgress)
        assert len(str(panel)) < 200_000
        assert len(told) == 100
        assert all(len(event.text) < 400 for event in told)
        assert told[-1].text == "done"


class Waits:
    @hookimpl
    def before_tool(self) -> Verdict:
        return Ask("May it?")


@virtual_time
async def test_a_client_s_call_that_it_never_learned_of_has_no_result() -> None:
    wishes = Wishes(tools=(ToolSchema("locate", "Where.", {"type": "object"}),))
    async with rehearse(
        ScriptedThinker([call("locate")]), plugins=[Waits()], wishes=wishes
    ) as stage:
        stage.types("Where am I?")
        await stage.until(events.ToolWaiting)
        line, session = stage.line, stage.session
    assert not [e for e in line.events if isinstance(e, events.ToolStarted | events.ToolFinished)]
    assert not [item for item in session.conversation if isinstance(item, ToolResult)]


class HangsUp:
    """Ends the call as a tool starts."""

    session: Session

    @hookimpl
    def event_emitted(self, event: events.Event) -> None:
        if isinstance(event, events.ReplyStarted):
            self.session.end("hangup")


@virtual_time
async def test_a_tool_that_starts_as_the_call_ends_is_on_record_with_what_came_of_it() -> None:
    watcher = HangsUp()
    async with rehearse(
        ScriptedThinker([call("visit", room="x")]), tools=[visit], plugins=[watcher]
    ) as stage:
        watcher.session = stage.session
        stage.types("Go.")
        await asyncio.sleep(1)
        session = stage.session
    calls = [type(item) for item in session.conversation if not isinstance(item, Message)]
    assert calls == [ToolCall, ToolResult]
    assert session._call.ledger.running == ()


# -- what judges a call ---------------------------------------------------------------------------


class Keeper:
    """Lets nobody into the vault by force."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    @hookimpl
    def before_tool(self, tool_call: ToolCallRequest) -> Verdict:
        self.asked.append(tool_call.arguments)
        arguments = tool_call.arguments
        return Deny("No.") if arguments["room"] == "vault" and arguments["force"] else Allow()


@tool(approval="Shall I open the {room}, and leave it open for {minutes} minutes?")
def unlock(room: Literal["vault", "cellar"], force: bool = False, minutes: int = 5) -> str:
    """Unlock."""
    return f"{room} {force} {minutes}"


@virtual_time
async def test_a_guard_and_a_question_see_what_a_tool_would_run_with() -> None:
    keeper = Keeper()
    forced, asked = call("unlock", room=" VAULT", force="true"), call("unlock", room="Cellar")
    thinker = ScriptedThinker([forced], ["No."], [asked], ["Open."])
    async with rehearse(thinker, tools=[unlock], plugins=[keeper]) as stage:
        stage.types("Open the vault")
        assert await stage.agent() == "No."
        stage.types("Then the cellar")
        assert await stage.agent() == "Shall I open the cellar, and leave it open for 5 minutes?"
        stage.types("yes")
        assert await stage.agent() == "Open."
        outputs = [finished.output for finished in stage.seen(events.ToolFinished)]
    assert keeper.asked == [
        {"room": "vault", "force": True, "minutes": 5},
        {"room": "cellar", "force": False, "minutes": 5},
    ]
    assert outputs == ["No.", "cellar False 5"]


class Stern(Deny):
    """A plugin's own kind of no."""


class Stranger:
    @hookimpl
    def before_tool(self) -> Verdict:
        return Stern("Never.")


@virtual_time
async def test_a_verdict_of_a_plugin_s_own_kind_counts_as_what_it_is() -> None:
    thinker = ScriptedThinker([call("unlock", room="cellar")], ["Well."])
    async with rehearse(thinker, tools=[unlock], plugins=[Stranger()]) as stage:
        stage.types("Open the cellar.")
        assert await stage.agent() == "Well."
        (finished,) = stage.seen(events.ToolFinished)
    assert finished.output == "Never."


@virtual_time
async def test_a_client_s_tool_is_judged_whatever_its_arguments_are() -> None:
    schema = ToolSchema("pay", "Pay.", {"properties": {"euros": {"type": "integer"}}})
    thinker = ScriptedThinker([call("pay", euros=["all"])], ["Well."])
    wishes = Wishes(tools=(schema,))
    async with rehearse(thinker, plugins=[Stranger()], wishes=wishes) as stage:
        stage.types("Pay.")
        (finished,) = [await stage.until(events.ToolFinished)]
        assert (finished.output, finished.ok) == ("Never.", False)


class Occupied:
    """A room that is free from the second look on."""

    looked = 0

    @classmethod
    def look(cls, room: str) -> str:
        cls.looked += 1
        if cls.looked == 1:
            raise ValueError("somebody is in there")
        return room


@tool(approval="Shall I open it?")
def open_room(room: Annotated[str, AfterValidator(Occupied.look)]) -> str:
    """Open a room."""
    return f"{room} is open"


@virtual_time
async def test_what_could_not_be_judged_does_not_run_though_it_fits_a_moment_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Occupied, "looked", 0)
    thinker = ScriptedThinker([call("open_room", room="cellar")], ["It is not free."])
    async with rehearse(thinker, tools=[open_room]) as stage:
        stage.types("Open the cellar.")
        assert await stage.agent() == "It is not free."
        (finished,) = stage.seen(events.ToolFinished)
    assert not finished.ok
    assert "somebody is in there" in thinker.requests[1].items[-1].output  # type: ignore[union-attr]


_tickets = itertools.count(1)


@tool(approval="Shall I book ticket {ticket}?")
def book_ticket(
    seats: Iterable[int], ticket: Annotated[int, Field(default_factory=lambda: next(_tickets))]
) -> str:
    """Book."""
    return f"{ticket} for {list(seats)}"


@virtual_time
async def test_what_was_judged_is_what_runs() -> None:
    booked = call("book_ticket", seats=["1", 2])
    async with rehearse(ScriptedThinker([booked], ["Well."]), tools=[book_ticket]) as stage:
        stage.types("Book two seats.")
        asked = await stage.agent()
        stage.types("yes")
        (finished,) = [await stage.until(events.ToolFinished)]
    assert asked.removesuffix("?") == f"Shall I book ticket {finished.output[0]}"
    assert finished.output.endswith(" for [1, 2]")


def _trips(value: str) -> str:
    raise KeyError(value)


@tool
def visit(room: Annotated[str, AfterValidator(_trips)]) -> str:
    """Visit a room."""
    return room


@virtual_time
async def test_a_validator_that_breaks_fails_its_tool_alone() -> None:
    thinker = ScriptedThinker([call("visit", room="cellar")], ["Something is wrong there."])
    async with rehearse(thinker, tools=[visit]) as stage:
        stage.types("Visit the cellar.")
        assert await stage.agent() == "Something is wrong there."
        (finished,) = stage.seen(events.ToolFinished)
        assert (finished.output, finished.ok) == (FAILED, False)
