"""Rehearsing a persona file with its plugins, as a developer tests an assistant."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from omni_agent import Agent, Message, Persona, ToolContext, events, hookimpl, tool
from omni_agent.errors import ConfigError, PersonaError
from omni_agent.persona import TurnTaking
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
async def test_plugins_know_that_an_agent_starts_and_stops_around_the_call() -> None:
    told: list[str] = []

    class Opens(Desk):
        @hookimpl
        async def agent_started(self, agent: Agent) -> None:
            told.append(f"started with {agent.wardrobe.default_name}")

        @hookimpl
        def session_started(self) -> None:
            told.append("call")

        @hookimpl
        def agent_stopping(self) -> None:
            told.append("stopping")

    async with rehearse(persona=Persona(name="test", fillers=()), plugins=[Opens()]) as stage:
        await stage.until(events.SessionStarted)
    assert told == ["started with test", "call", "stopping"]


@virtual_time
async def test_a_persona_with_a_learned_end_of_turn_needs_none_to_be_rehearsed() -> None:
    persona = Persona(name="test", turn=TurnTaking(end="smart-turn"), fillers=())
    async with rehearse(ScriptedThinker(["Hi."]), persona=persona, plugins=[Desk()]) as stage:
        await stage.user("Hello, is anybody there?")
        assert await stage.agent() == "Hi."


@virtual_time
async def test_a_bundled_persona_is_rehearsed_by_its_name() -> None:
    thinker = ScriptedThinker(["It is noon."])
    async with rehearse(thinker, persona="concierge") as stage:
        await stage.agent()
        stage.types("What time is it?")
        assert await stage.agent() == "It is noon."
        assert {tool.name for tool in thinker.requests[0].tools} > {"get_time"}


@tool
def to_the_doctor(call: ToolContext) -> str:
    """Hand over to the doctor."""
    call.hand_over("doctor")
    return "handed over"


@pytest.mark.parametrize("name", ["Doctor Who", "Doctor"])
def test_a_handoff_to_another_persona_s_file_is_rehearsed(tmp_path: Path, name: str) -> None:
    (tmp_path / "robin.md").write_text("---\nname: Robin\nfillers: []\n---\nYou are Robin.")
    doctor = f"---\nname: {name}\nfillers: []\nturn: {{end: smart-turn}}\n---\nYou heal."
    (tmp_path / "doctor.md").write_text(doctor)

    @virtual_time
    async def scenario() -> None:
        thinker = ScriptedThinker([call("to_the_doctor")], ["Here they are."], ["Hello."])
        async with rehearse(
            thinker,
            persona=tmp_path / "robin.md",
            personas=[tmp_path / "doctor.md"],
            tools=[to_the_doctor],
        ) as stage:
            await stage.user("I would like to see the doctor, please.")
            assert await stage.agent() == "Here they are."
            await stage.user("Good evening, it is my knee.")
            assert await stage.agent() == "Hello."
        assert [event.persona for event in stage.seen(events.PersonaChanged)] == [name]
        assert thinker.requests[-1].instructions.startswith("You heal.")

    scenario()


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


@virtual_time
async def test_a_plugin_gets_the_conversation_when_a_call_has_ended() -> None:
    said: list[str] = []

    class Remembers:
        @hookimpl
        async def session_ended(self, caller: str, items: Sequence[Message]) -> None:
            await asyncio.sleep(3)
            said.extend(f"{caller} {item.role}: {item.text}" for item in items)

    async with rehearse(ScriptedThinker(["Hi."]), plugins=[Remembers()], caller="anna") as stage:
        stage.types("Hello")
        await stage.agent()
    assert said == ["anna user: Hello", "anna assistant: Hi."]
