"""The dice plugin, through the public API only."""

import omni_agent_dice
import pytest

from omni_agent.errors import ToolArgumentsError
from omni_agent.testing import ScriptedThinker, call, rehearse, virtual_time


@virtual_time
async def test_dice_are_rolled_in_a_call() -> None:
    thinker = ScriptedThinker([call("roll_dice", count=3)], ["Here you go."])
    async with rehearse(thinker, tools=omni_agent_dice.register_tools()) as stage:
        await stage.user("Roll three dice for me.")
        assert await stage.agent() == "Here you go."


def test_eleven_dice_are_refused() -> None:
    with pytest.raises(ToolArgumentsError, match="count"):
        omni_agent_dice.roll_dice.validate({"count": 11})
