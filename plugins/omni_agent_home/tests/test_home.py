"""The house: its state, what is said about it, and what is shown."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from omni_agent_home import register_tools
from omni_agent_home.house import House, HouseProblem

from omni_agent import Tool, ToolError
from omni_agent.errors import ToolArgumentsError
from omni_agent.testing import FakeCall


class Home:
    """A new house, its tools by name, and a call."""

    def __init__(self) -> None:
        self.tools: dict[str, Tool] = {tool.name: tool for tool in register_tools()}
        self.call = FakeCall()

    async def do(self, name: str, **arguments: Any) -> str:
        return await self.tools[name].call(arguments, self.call)

    def value(self, label: str, group: str = "") -> str:
        rows = self.call.panels["home"].rows
        (row,) = (r for r in rows if (r.label, r.group) == (label, group))
        return row.value


@pytest.fixture
def home() -> Home:
    return Home()


async def test_a_light_is_switched_and_shown(home: Home) -> None:
    assert await home.do("set_light", room="kitchen", state="on") == "The kitchen light is on."
    assert home.value("Light", "Kitchen") == "100 %"
    assert await home.do("set_light", room="kitchen", state="off") == "The kitchen light is off."
    assert home.value("Light", "Kitchen") == "off"


async def test_a_light_is_dimmed_and_stays_dimmed(home: Home) -> None:
    answer = await home.do("set_light", room="bedroom", state="on", brightness=30)
    assert answer == "The bedroom light is on at 30 percent."
    await home.do("set_light", room="bedroom", state="on")
    assert home.value("Light", "Bedroom") == "30 %"
    assert await home.do("set_light", room="bedroom", state="on", brightness=0) == (
        "The bedroom light is off."
    )
    assert home.value("Light", "Bedroom") == "off"


async def test_all_lights_and_blinds_are_worked_at_once(home: Home) -> None:
    assert await home.do("set_light", room="all", state="on") == "All lights are on."
    assert (
        await home.do("set_blinds", room="everywhere", state="closed") == "All blinds are closed."
    )
    assert home.value("Light", "Office") == "100 %"
    assert home.value("Blinds", "Bathroom") == "closed"


@pytest.mark.parametrize(
    ("said", "room"),
    [
        ("kitchen", "kitchen"),
        ("The Kitchen", "kitchen"),
        ("kitchen lights", "kitchen"),
        ("in the kitchen.", "kitchen"),
        ("kichen", "kitchen"),
        ("livingroom", "living room"),
        ("the lounge", "living room"),
        ("hall", "hallway"),
        ("Bathrooms", "bathroom"),
        ("home office", "office"),
        ("my bed room", "bedroom"),
        ("all kitchen lights", "kitchen"),
        ("the office at home", "office"),
    ],
)
def test_rooms_may_be_said_sloppily(said: str, room: str) -> None:
    assert House().named(said) == [room]


@pytest.mark.parametrize(
    "said", ["all", "all lights", "the whole house", "everywhere", "Everything"]
)
def test_all_rooms_may_be_said_in_several_ways(said: str) -> None:
    assert House().named(said) == list(House().rooms)


@pytest.mark.parametrize(
    ("said", "reason"), [("garage", "no room called garage"), ("", "which room")]
)
async def test_a_room_that_is_none_changes_nothing(home: Home, said: str, reason: str) -> None:
    before = House().panel()
    with pytest.raises(ToolError, match=rf"(?i){reason}.* There are: living room, kitchen"):
        await home.do("set_light", room=said, state="on")
    with pytest.raises(ToolError):
        await home.do("set_blinds", room=said, state="closed")
    await home.do("get_home")
    assert home.call.panels.get("home") == before


async def test_the_thermostat_is_set_within_its_range(home: Home) -> None:
    answer = await home.do("set_thermostat", degrees=21.3)
    assert answer == "The thermostat is set to 21.5 degrees."
    assert home.value("Thermostat") == "21.5 °C"
    for degrees in (4, 31, 1e300):
        with pytest.raises(ToolError, match="goes from 5 to 30 degrees"):
            await home.do("set_thermostat", degrees=degrees)
    assert home.value("Thermostat") == "21.5 °C"


async def test_the_door_is_locked_and_unlocked(home: Home) -> None:
    assert await home.do("set_lock", state="unlocked") == "The front door is unlocked."
    assert home.value("Front door") == "unlocked"
    assert await home.do("set_lock", state="locked") == "The front door is locked."


async def test_the_house_tells_its_state(home: Home) -> None:
    assert await home.do("get_home") == (
        "The front door is locked. The thermostat is at 20 degrees. All lights are off."
    )
    await home.do("set_light", room="office", state="on", brightness=40)
    await home.do("set_light", room="hall", state="on")
    await home.do("set_blinds", room="office", state="closed")
    assert await home.do("get_home") == (
        "The front door is locked. The thermostat is at 20 degrees. "
        "Lights are on in the office and the hallway. Blinds are closed in the office."
    )
    assert await home.do("get_home", room="the office") == (
        "In the office the light is on at 40 percent and the blinds are closed."
    )
    assert (await home.do("get_home", room="house")).startswith("The front door is locked.")
    await home.do("set_light", room="all", state="on")
    await home.do("set_blinds", room="all", state="closed")
    assert (await home.do("get_home")).endswith("All lights are on. All blinds are closed.")
    with pytest.raises(ToolError, match="no room called garage"):
        await home.do("get_home", room="garage")


async def test_every_agent_has_its_own_house(home: Home) -> None:
    await home.do("set_lock", state="unlocked")
    assert (await Home().do("get_home")).startswith("The front door is locked.")


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("set_light", {"room": "kitchen", "state": "dim"}),
        ("set_light", {"room": "kitchen", "state": "on", "brightness": 101}),
        ("set_light", {"room": "kitchen", "state": "on", "brightness": "half"}),
        ("set_lock", {}),
        ("set_thermostat", {"degrees": "warm"}),
    ],
)
async def test_arguments_that_fit_nothing_are_refused(
    home: Home, name: str, arguments: dict[str, Any]
) -> None:
    with pytest.raises(ToolArgumentsError):
        await home.do(name, **arguments)


# A busy machine is no failure: no deadline, no health check of the clock.
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.text(max_size=30),
    st.sampled_from(["on", "off"]),
    st.none() | st.integers(0, 100),
)
def test_any_room_name_is_understood_or_refused(
    said: str, state: Any, brightness: int | None
) -> None:
    house = House()
    try:
        names = house.named(said)
    except HouseProblem:
        with pytest.raises(HouseProblem):
            house.set_light(said, state, brightness)
        return
    house.set_light(said, state, brightness)
    expected = 0 if state == "off" else 100 if brightness is None else brightness
    assert all(house.rooms[name].light == expected for name in names)
    others = set(house.rooms) - set(names)
    assert all(house.rooms[name].light == 0 for name in others)
