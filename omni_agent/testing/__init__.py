"""Test doubles and a stage to rehearse conversations on, in virtual time.

::

    @virtual_time
    async def test_the_order_is_looked_up():
        thinker = ScriptedThinker([call("order_status", order_id="A-1")], ["It is on its way."])
        async with rehearse(thinker, tools=[order_status]) as stage:
            await stage.user("Where is order A-1?")
            assert await stage.agent() == "It is on its way."
        thinker.assert_complete()

There are no models here, no threads but those of plain tools, and no test waits: an hour of
conversation takes milliseconds. ``doubles`` are scripted models, ``rehearsal`` is where they meet,
``context`` a tool's call without one, ``virtual`` the time, ``plugin`` what pytest loads.
"""

from typing import TYPE_CHECKING

from omni_agent._moved import moved_names
from omni_agent.lines.in_process import InProcessTransport
from omni_agent.testing.context import FakeCall
from omni_agent.testing.doubles import (
    Pause,
    ScriptedEars,
    ScriptedTalker,
    ScriptedThinker,
    ScriptedTurnEnd,
    call,
)
from omni_agent.testing.rehearsal import FixedWardrobe, Rehearsal, rehearse
from omni_agent.testing.virtual import VirtualTimeLoop, virtual_time

__all__ = [
    "FakeCall",
    "FixedWardrobe",
    "InProcessTransport",
    "Pause",
    "Rehearsal",
    "ScriptedEars",
    "ScriptedTalker",
    "ScriptedThinker",
    "ScriptedTurnEnd",
    "VirtualTimeLoop",
    "call",
    "rehearse",
    "virtual_time",
]

if not TYPE_CHECKING:  # who checks types is told of the old names
    __getattr__ = moved_names(__name__)
