"""A call and who is asked beside it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from typing import cast

from omni_agent import (
    CallRequest,
    Deny,
    InProcessTransport,
    Persona,
    Session,
    Stages,
    Tool,
    Transport,
    tool,
)
from omni_agent.call.counsel import Counsel
from omni_agent.conversation import Part, TextPart
from omni_agent.hookspecs import Turn
from omni_agent.personas.outfit import Outfit
from omni_agent.testing import (
    FixedWardrobe,
    Rehearsal,
    ScriptedEars,
    ScriptedTalker,
    ScriptedThinker,
    call,
    virtual_time,
)
from omni_agent.thinker import ToolCallRequest
from omni_agent.tools.approval import Verdict

FOUND = "The pool closes at ten."


class Careful:
    """Knows one thing, after a while, and lets nothing run."""

    def __init__(self, takes_s: float = 0.0) -> None:
        self.takes_s = takes_s
        self.judged: list[tuple[str, str, str]] = []

    def retrieve(self, turn: Turn) -> Awaitable[Sequence[Part]] | None:
        return self._found() if "pool" in turn.text else None

    async def _found(self) -> Sequence[Part]:
        await asyncio.sleep(self.takes_s)
        return [TextPart(FOUND)]

    def judge(self, tool_call: ToolCallRequest, session_id: str, caller: str) -> Verdict:
        self.judged.append((tool_call.name, session_id, caller))
        return Deny("not today")


@asynccontextmanager
async def counselled(
    thinker: ScriptedThinker, counsel: Counsel, *tools: Tool
) -> AsyncIterator[Rehearsal]:
    persona = Persona(name="test", fillers=())
    wardrobe = FixedWardrobe(Outfit(persona, {tool.name: tool for tool in tools}, ()))
    line, ears = InProcessTransport(), ScriptedEars()
    stages = Stages(thinker, ScriptedTalker(), ears)
    request = CallRequest(session_id="c1", caller="anna")
    session = Session(stages, cast("Transport", line), wardrobe, request, counsel=counsel)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(session.run())
        yield Rehearsal(session, line, ears)
        line.hang_up()


@virtual_time
async def test_a_session_asks_whatever_counsel_it_has() -> None:
    @tool
    def swim() -> str:
        """Swim."""
        return "Done."

    thinker, counsel = ScriptedThinker([call("swim")], ["Not today."]), Careful()
    async with counselled(thinker, counsel, swim) as stage:
        stage.types("Can I swim in the pool?")
        assert await stage.agent() == "Not today."
        assert stage.transcript[0] == ("system", FOUND)
    assert counsel.judged == [("swim", "c1", "anna")]


@virtual_time
async def test_a_barge_in_while_a_turn_is_looked_up_ends_that_reply_alone() -> None:
    thinker = ScriptedThinker(["Good."])
    async with counselled(thinker, Careful(takes_s=3.0)) as stage:
        await stage.user("When does the pool close?", then_silence_ms=650)
        await stage.user("Never mind all of that.")
        assert await stage.agent() == "Good."
        assert stage.transcript[1:3] == [
            ("user", "Never mind all of that."),
            ("assistant", "Good."),
        ]
