"""Time and timers, in virtual time where something rings."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Coroutine
from typing import Any
from zoneinfo import ZoneInfo

import omni_agent_clock as clock
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from omni_agent_clock.timers import Timers, duration_words
from omni_agent_clock.zones import UnknownPlace, Zone, zone_of

from omni_agent import Panel, Persona, ToolError
from omni_agent.errors import SettingsError, ToolArgumentsError
from omni_agent.registry.registry import Registry
from omni_agent.testing import FakeCall, virtual_time


def shown(call: FakeCall) -> list[str]:
    return [row.label for row in call.panels["timers"].rows]


@virtual_time
async def test_a_timer_rings_when_its_time_has_come() -> None:
    call = FakeCall()
    answer = await clock.set_timer.call({"amount": 10, "unit": "minutes"}, call)
    assert answer == "Timer set for 10 minutes."
    assert shown(call) == ["timer"]
    await asyncio.sleep(599)
    assert call.said == []
    await asyncio.sleep(2)
    assert call.said == ["Your 10 minute timer is done."]
    assert shown(call) == []


@virtual_time
async def test_the_page_is_told_when_a_timer_rings_and_counts_down_by_itself() -> None:
    call = FakeCall()
    before = time.time()
    await clock.set_timer.call({"amount": 10, "unit": "minutes", "label": "tea"}, call)
    after = time.time()
    (row,) = call.panels["timers"].rows
    assert (row.label, row.value) == ("tea", "10 minutes")
    assert row.until is not None
    assert before + 600 <= row.until <= after + 600


@virtual_time
async def test_timers_ring_in_their_order_by_their_names() -> None:
    call = FakeCall()
    await clock.set_timer.call({"amount": 1.5, "unit": "hours", "label": "the roast timer"}, call)
    await clock.set_timer.call({"amount": 90, "unit": "seconds", "label": "tea"}, call)
    assert shown(call) == ["tea", "roast"]
    assert await clock.list_timers.call({}, call) == (
        "The tea timer has 1 minute and 30 seconds left. "
        "The roast timer has 1 hour and 30 minutes left."
    )
    await asyncio.gather(*call.tasks)
    assert call.said == ["Your tea timer is done.", "Your roast timer is done."]


@virtual_time
async def test_a_cancelled_timer_does_not_ring() -> None:
    call = FakeCall()
    await clock.set_timer.call({"amount": 5, "unit": "minutes"}, call)
    assert await clock.cancel_timer.call({}, call) == "The 5 minute timer is cancelled."
    assert shown(call) == []
    await asyncio.sleep(1000)
    assert call.said == []
    assert call.tasks[0].cancelled()


@pytest.mark.parametrize(
    ("label", "left"),
    [
        ("pasta", ["tea", "10 minute"]),
        ("The Pasta timer", ["tea", "10 minute"]),
        ("paste", ["tea", "10 minute"]),
        ("10 minutes", ["tea", "pasta"]),
        ("ten minute 10", ["tea", "pasta"]),
        ("all", []),
        ("all timers", []),
    ],
)
def test_the_timer_that_is_meant_is_cancelled(label: str, left: list[str]) -> None:
    @virtual_time
    async def run() -> None:
        call = FakeCall()
        for amount, name in ((1, "tea"), (10, ""), (12, "pasta")):
            await clock.set_timer.call({"amount": amount, "unit": "minutes", "label": name}, call)
        await clock.cancel_timer.call({"label": label}, call)
        assert [timer.name for timer in Timers.of(call).running] == left

    run()


@virtual_time
async def test_when_it_is_not_clear_which_timer_is_meant_it_asks() -> None:
    call = FakeCall()
    for name in ("tea", "pasta"):
        await clock.set_timer.call({"amount": 1, "unit": "minutes", "label": name}, call)
    for label in ("", "laundry"):
        with pytest.raises(ToolError, match=r"Which timer\? Running are: tea, pasta\."):
            await clock.cancel_timer.call({"label": label}, call)


@virtual_time
async def test_without_timers_there_is_nothing_to_list_or_cancel() -> None:
    call = FakeCall()
    assert await clock.list_timers.call({}, call) == "There is no timer running."
    assert await clock.cancel_timer.call({"label": "tea"}, call) == "There is no timer running."


@virtual_time
async def test_timers_are_bounded_in_length_and_number() -> None:
    call = FakeCall()
    for amount, unit in ((0, "seconds"), (-5, "minutes"), (25, "hours"), (1e308, "hours")):
        with pytest.raises(ToolError, match="from one second to 24 hours"):
            await clock.set_timer.call({"amount": amount, "unit": unit}, call)
    for _ in range(20):
        await clock.set_timer.call({"amount": 1, "unit": "minutes"}, call)
    with pytest.raises(ToolError, match="too many"):
        await clock.set_timer.call({"amount": 1, "unit": "minutes"}, call)


async def test_a_unit_that_is_none_is_refused() -> None:
    with pytest.raises(ToolArgumentsError, match="unit"):
        await clock.set_timer.call({"amount": 1, "unit": "weeks"}, FakeCall())


@pytest.mark.parametrize(
    ("place", "key", "shown"),
    [
        # cities
        ("Tokyo", "Asia/Tokyo", "Tokyo"),
        ("new york", "America/New_York", "New York"),
        ("New York City", "America/New_York", "New York City"),
        ("the city of Oslo", "Europe/Oslo", "Oslo"),
        ("Europe/Oslo", "Europe/Oslo", "Oslo"),
        ("America/Argentina/Buenos_Aires", "America/Argentina/Buenos_Aires", "Buenos Aires"),
        ("San Francisco", "America/Los_Angeles", "San Francisco"),
        ("São Paulo", "America/Sao_Paulo", "Sao Paulo"),
        ("Mexico City", "America/Mexico_City", "Mexico City"),
        ("Washington, D.C.", "America/New_York", "Washington DC"),
        ("Perth", "Australia/Perth", "Perth"),
        ("Reykyavik", "Atlantic/Reykjavik", "Reykjavik"),
        ("Los Angelos", "America/Los_Angeles", "Los Angeles"),
        ("UTC", "UTC", "UTC"),
        # a city in something wider
        ("Oslo, Norway", "Europe/Oslo", "Oslo"),
        ("Berlin Germany", "Europe/Berlin", "Berlin"),
        ("Sydney, Australia", "Australia/Sydney", "Sydney"),
        ("Denver, USA", "America/Denver", "Denver"),
        ("Paris, France", "Europe/Paris", "Paris"),
        ("Paris, Texas", "America/Chicago", "Paris"),
        ("London, Ontario", "America/Toronto", "London"),
        ("London, England", "Europe/London", "London"),
        ("Springfield, Illinois", "America/Chicago", "Illinois"),
        ("Lima, Peru", "America/Lima", "Lima"),
        # parts of countries
        ("Texas", "America/Chicago", "Texas"),
        ("Hawaii", "Pacific/Honolulu", "Hawaii"),
        ("New South Wales", "Australia/Sydney", "New South Wales"),
        ("Scotland", "Europe/London", "Scotland"),
        ("Wales", "Europe/London", "Wales"),
        # countries
        ("Argentina", "America/Argentina/Buenos_Aires", "Argentina"),
        ("Austria", "Europe/Vienna", "Austria"),
        ("Belgium", "Europe/Brussels", "Belgium"),
        ("Bosnia and Herzegovina", "Europe/Sarajevo", "Bosnia And Herzegovina"),
        ("Chile", "America/Santiago", "Chile"),
        ("China", "Asia/Shanghai", "China"),
        ("Colombia", "America/Bogota", "Colombia"),
        ("Cuba", "America/Havana", "Cuba"),
        ("Cyprus", "Asia/Nicosia", "Cyprus"),
        ("Czechia", "Europe/Prague", "Czechia"),
        ("Denmark", "Europe/Copenhagen", "Denmark"),
        ("Egypt", "Africa/Cairo", "Egypt"),
        ("Germany", "Europe/Berlin", "Germany"),
        ("Holland", "Europe/Amsterdam", "Holland"),
        ("Hong Kong", "Asia/Hong_Kong", "Hong Kong"),
        ("Iceland", "Atlantic/Reykjavik", "Iceland"),
        ("India", "Asia/Kolkata", "India"),
        ("Iran", "Asia/Tehran", "Iran"),
        ("Ireland", "Europe/Dublin", "Ireland"),
        ("Ivory Coast", "Africa/Abidjan", "Ivory Coast"),
        ("Japan", "Asia/Tokyo", "Japan"),
        ("Kenya", "Africa/Nairobi", "Kenya"),
        ("Korea", "Asia/Seoul", "Korea"),
        ("Malaysia", "Asia/Kuala_Lumpur", "Malaysia"),
        ("Nepal", "Asia/Kathmandu", "Nepal"),
        ("New Zealand", "Pacific/Auckland", "New Zealand"),
        ("Niger", "Africa/Niamey", "Niger"),
        ("Nigeria", "Africa/Lagos", "Nigeria"),
        ("North Korea", "Asia/Pyongyang", "North Korea"),
        ("Norway", "Europe/Oslo", "Norway"),
        ("Pakistan", "Asia/Karachi", "Pakistan"),
        ("Peru", "America/Lima", "Peru"),
        ("Philippines", "Asia/Manila", "Philippines"),
        ("Portugal", "Europe/Lisbon", "Portugal"),
        ("Singapore", "Asia/Singapore", "Singapore"),
        ("Slovakia", "Europe/Bratislava", "Slovakia"),
        ("Slovenia", "Europe/Ljubljana", "Slovenia"),
        ("South Africa", "Africa/Johannesburg", "South Africa"),
        ("Spain", "Europe/Madrid", "Spain"),
        ("Sweden", "Europe/Stockholm", "Sweden"),
        ("Switzerland", "Europe/Zurich", "Switzerland"),
        ("Taiwan", "Asia/Taipei", "Taiwan"),
        ("the UK", "Europe/London", "the UK"),
        ("Turkey", "Europe/Istanbul", "Turkey"),
        ("Ukraine", "Europe/Kyiv", "Ukraine"),
        ("United Arab Emirates", "Asia/Dubai", "United Arab Emirates"),
        ("United Kingdom", "Europe/London", "United Kingdom"),
        ("Venezuela", "America/Caracas", "Venezuela"),
        ("Vietnam", "Asia/Ho_Chi_Minh", "Vietnam"),
    ],
)
def test_places_have_their_time_zone(place: str, key: str, shown: str) -> None:
    zone = zone_of(place)
    assert zone.zone == ZoneInfo(key)
    assert zone.name == shown


@pytest.mark.parametrize(
    "country",
    [
        "Australia", "Brazil", "Canada", "Indonesia", "Mexico", "Mongolia", "Russia", "USA",
        "the United States", "America",
    ],
)  # fmt: skip
def test_in_a_country_with_several_zones_it_asks_for_a_city(country: str) -> None:
    with pytest.raises(UnknownPlace, match=r"has several time zones\. Which city\?"):
        zone_of(country)


@pytest.mark.parametrize(
    ("place", "question"),
    [
        ("Austrlia", "Do you mean Australia or Austria?"),
        ("Columbia", "Do you mean Colombia?"),
        ("Irland", "Do you mean Ireland?"),
        ("Georgia", "Do you mean the country of Georgia or the state?"),
        ("Congo", "There are two countries called Congo"),
        ("Sydney, Canada", "Canada has several time zones"),
    ],
)
def test_a_country_that_is_not_certain_is_asked_back(place: str, question: str) -> None:
    with pytest.raises(UnknownPlace) as asked:
        zone_of(place)
    assert str(asked.value).startswith(question)


async def test_the_time_is_told_with_the_date() -> None:
    shape = r"it is (1[0-2]|[1-9]):[0-5]\d [AP]M on \w+day, \w+ [1-3]?\d\."
    assert re.fullmatch(shape, (await clock.get_time.call({}, FakeCall())).lower(), re.IGNORECASE)
    there = await clock.get_time.call({"city": "Tokyo"}, FakeCall())
    assert re.fullmatch(f"In Tokyo {shape}", there)


async def test_an_unknown_place_is_said_to_be_unknown() -> None:
    with pytest.raises(ToolError, match="I do not know the time zone of Wakanda"):
        await clock.get_time.call({"city": "Wakanda"}, FakeCall())


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "1 second"),
        (60, "1 minute"),
        (61, "1 minute and 1 second"),
        (3600, "1 hour"),
        (7325, "2 hours, 2 minutes and 5 seconds"),
    ],
)
def test_durations_are_said_in_words(seconds: float, words: str) -> None:
    assert duration_words(seconds) == words


# A busy machine is no failure: no deadline, no health check of the clock.
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(max_size=40))
def test_any_place_has_a_zone_or_is_unknown(place: str) -> None:
    try:
        zone_of(place)
    except UnknownPlace as problem:
        assert str(problem).endswith((".", "?"))  # noqa: PT017  # either outcome is right


def test_the_plugin_brings_four_tools() -> None:
    names = [tool.name for tool in clock.register_tools()]
    assert names == ["get_time", "set_timer", "list_timers", "cancel_timer"]


class Unlucky(FakeCall):
    """Takes no more background work."""

    def background(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        work.close()
        raise ToolError("Too much is going on in the background already.")


@virtual_time
async def test_a_timer_that_cannot_ring_is_not_there() -> None:
    call = Unlucky()
    with pytest.raises(ToolError, match="Too much is going on"):
        await clock.set_timer.call({"amount": 5, "unit": "minutes"}, call)
    assert await clock.list_timers.call({}, call) == "There is no timer running."


class Pageless(FakeCall):
    """Its page shows the first panel only."""

    def show(self, name: str, panel: Panel) -> None:
        if self.panels:
            raise RuntimeError("no page")
        super().show(name, panel)


@virtual_time
async def test_a_timer_rings_although_the_page_cannot_show_it() -> None:
    call = Pageless()
    await clock.set_timer.call({"amount": 5, "unit": "minutes"}, call)
    await asyncio.gather(*call.tasks, return_exceptions=True)
    assert call.said == ["Your 5 minute timer is done."]


# -- the persona's home -----------------------------------------------------------------------


async def test_where_no_place_is_named_it_is_the_personas_home(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []

    def noting(place: str) -> Zone:
        asked.append(place)
        return zone_of(place)

    monkeypatch.setattr(clock, "zone_of", noting)
    call = FakeCall(settings=[clock.ClockSettings(home="Tokyo")])
    assert (await clock.get_time.call({}, call)).startswith("It is ")
    assert (await clock.get_time.call({"city": "Paris"}, call)).startswith("In Paris it is ")
    await clock.get_time.call({}, FakeCall())
    assert asked == ["Tokyo", "Tokyo", "Paris", ""]  # the first is asked by the settings


def test_a_home_that_is_nowhere_is_told_when_the_persona_is_loaded() -> None:
    persona = Persona(name="x", plugins={"clock": {"home": "Atlantis"}})
    with pytest.raises(SettingsError, match=r"plugins\.clock\.home: I do not know the time zone"):
        Registry().outfit(persona)
