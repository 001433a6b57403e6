"""Tools in a call: they end with it, or it ends without them."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from omni_agent import CallContext, Persona, events, tool
from omni_agent.call import Call, Outfit, Stages
from omni_agent.conversation import Conversation, ToolResult
from omni_agent.in_process import InProcessTransport
from omni_agent.ledger import Ledger
from omni_agent.testing import ScriptedTalker, ScriptedThinker, call, rehearse, virtual_time
from omni_agent.thinker import ToolCallRequest
from omni_agent.tool_runs import ToolRuns
from omni_agent.tools import Panel, PanelRow

ROOT = Path(__file__).parent.parent
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
            ledger=Ledger({}),
            outfit=Outfit(Persona(name="test", fillers=()), {}, ()),
            emit=seen.append,
            spawn=tasks.create_task,
            retrieve=lambda text: "",
        )
        request = ToolCallRequest("c1", "order", {})
        session.ledger.open(request)
        runs = ToolRuns(session, lambda text: None, lambda reply: None)
        runs.start("r1", request).cancel()
    assert session.ledger.running == ()
    assert [type(event) for event in seen] == [events.ToolStarted, events.ToolFinished]
    (result,) = session.conversation.items
    assert isinstance(result, ToolResult)
    assert (result.output, result.ok) == ("Cancelled.", False)


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
