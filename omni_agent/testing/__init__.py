"""Test doubles and a stage to rehearse conversations on, in virtual time.

::

    @virtual_time
    async def test_the_order_is_looked_up():
        thinker = ScriptedThinker([call("order_status", order_id="A-1")], ["It is on its way."])
        async with rehearse(thinker, tools=[order_status]) as stage:
            await stage.user("Where is order A-1?")
            assert await stage.agent() == "It is on its way."
        thinker.assert_complete()

Nothing here uses threads or models, and no test waits: an hour of conversation
takes milliseconds.
"""

from omni_agent.in_process import InProcessTransport
from omni_agent.testing.context import FakeCall
from omni_agent.testing.doubles import (
    Pause,
    ScriptedEars,
    ScriptedTalker,
    ScriptedThinker,
    call,
)
from omni_agent.testing.stage import FixedWardrobe, Stage, rehearse
from omni_agent.testing.virtual import VirtualTimeLoop, virtual_time

__all__ = [
    "FakeCall",
    "FixedWardrobe",
    "InProcessTransport",
    "Pause",
    "ScriptedEars",
    "ScriptedTalker",
    "ScriptedThinker",
    "Stage",
    "VirtualTimeLoop",
    "call",
    "rehearse",
    "virtual_time",
]
