"""Rehearsing a persona file with its plugins, as a developer tests an assistant."""

from __future__ import annotations

from pathlib import Path

import pytest

from omni_agent import Persona, events, hookimpl, tool
from omni_agent.errors import ConfigError, PersonaError
from omni_agent.testing import ScriptedThinker, call, rehearse, virtual_time

FRONT_DESK = """---
name: Front desk
tools: [desk]
filters: [no-markdown]
greeting: Good evening.
fillers: []
---
You are the front desk of a small hotel.
"""


@tool
def room_of(guest: str) -> str:
    """Which room a guest has. guest: who."""
    return f"{guest} has room 12"


class Desk:
    """A plugin, and the name personas know it by."""

    __name__ = "desk"

    def __init__(self) -> None:
        self.seen: list[type[events.Event]] = []

    @hookimpl
    def register_tools(self) -> list[object]:
        return [room_of]

    @hookimpl
    def event_emitted(self, session_id: str, event: events.Event) -> None:
        self.seen.append(type(event))


@pytest.mark.parametrize("as_text", [True, False])
def test_a_persona_file_is_rehearsed_with_the_plugins_it_names(
    tmp_path: Path, as_text: bool
) -> None:
    path = tmp_path / "front_desk.md"
    path.write_text(FRONT_DESK)
    plugin = Desk()

    @virtual_time
    async def scenario() -> None:
        thinker = ScriptedThinker([call("room_of", guest="Ann")], ["She has *room twelve*."])
        persona = str(path) if as_text else path
        async with rehearse(thinker, persona=persona, plugins=[plugin]) as stage:
            assert await stage.agent() == "Good evening."
            await stage.user("Which room has Ann, please?")
            assert await stage.agent() == "She has room twelve."
        assert "front desk" in thinker.requests[0].instructions
        assert events.ToolFinished in plugin.seen

    scenario()


@virtual_time
async def test_a_bundled_persona_is_rehearsed_by_its_name() -> None:
    thinker = ScriptedThinker(["It is noon."])
    async with rehearse(thinker, persona="concierge") as stage:
        await stage.agent()
        stage.types("What time is it?")
        assert await stage.agent() == "It is noon."
        assert {tool.name for tool in thinker.requests[0].tools} > {"get_time"}


@virtual_time
async def test_a_persona_made_in_code_may_name_plugins_too() -> None:
    plugin = Desk()
    persona = Persona(name="test", tools=("room_of",), fillers=())
    async with rehearse(ScriptedThinker(["Hi."]), persona=persona, plugins=[plugin]) as stage:
        stage.types("Hello")
        assert await stage.agent() == "Hi."


@pytest.mark.parametrize(
    ("persona", "error"),
    [("nobody", PersonaError), (Persona(name="test", tools=("nothing",)), ConfigError)],
)
def test_what_is_wrong_with_it_is_an_error_before_the_call(
    persona: str | Persona, error: type[Exception]
) -> None:
    @virtual_time
    async def scenario() -> None:
        async with rehearse(persona=persona, plugins=[Desk()]):
            pass

    with pytest.raises(error):
        scenario()
