"""Time and timers for a voice agent. Timers ring in the call they were set in."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, field_validator

from omni_agent import Tool, ToolContext, ToolError, hookimpl, tool
from omni_agent_clock.timers import Timer, Timers, duration_words
from omni_agent_clock.zones import UnknownPlace, zone_of

MAX_SECONDS = 24 * 3600.0
_SECONDS = {"seconds": 1, "minutes": 60, "hours": 3600}


class ClockSettings(BaseModel):
    """home: the place whose time it is where the user names none; empty is the machine's."""

    home: str = ""

    @field_validator("home")
    @classmethod
    def _is_a_place(cls, home: str) -> str:
        try:
            zone_of(home)
        except UnknownPlace as problem:
            raise ValueError(str(problem)) from problem
        return home


@tool(
    examples={
        "What time is it?": {},
        "What time is it in Tokyo?": {"city": "Tokyo"},
    }
)
async def get_time(call: ToolContext, city: str = "") -> str:
    """Tell the time and the date, here or in a city. city: only when the user names one"""
    try:
        zone = zone_of(city or call.settings(ClockSettings).home)
    except UnknownPlace as problem:
        raise ToolError(str(problem)) from problem
    now = datetime.now(zone.zone)
    where = f"In {zone.name} it" if city and zone.name else "It"
    return f"{where} is {_clock_face(now)} on {now:%A}, {now:%B} {now.day}."


@tool(
    examples={
        "Please set a timer for 5 minutes.": {"amount": 5, "unit": "minutes"},
        "Wake me in 2 hours for the train.": {"amount": 2, "unit": "hours", "label": "train"},
    }
)
async def set_timer(
    amount: float,
    unit: Literal["seconds", "minutes", "hours"],
    call: ToolContext,
    label: str = "",
) -> str:
    """Start a timer that rings in this call. label: what it is for, if the user says"""
    seconds = amount * _SECONDS[unit]
    if not math.isfinite(seconds) or not 1 <= seconds <= MAX_SECONDS:
        raise ToolError("A timer can run from one second to 24 hours.")
    timers = Timers.of(call)
    if timers.is_full:
        raise ToolError("There are too many timers already. Cancel one first.")
    timer = Timer.begun(seconds, label)
    timer.task = call.background(_ring(timer, timers, call))
    timers.add(timer)
    timers.show(call)
    named = f" for {timer.label}" if timer.label else ""
    return f"Timer set for {duration_words(seconds)}{named}."


@tool(examples={"How much time is left?": {}})
async def list_timers(call: ToolContext) -> str:
    """Say which timers are running and how much time they have left."""
    timers = Timers.of(call)
    if not timers.running:
        return "There is no timer running."
    return " ".join(
        f"The {timer.name} timer has {duration_words(timers.left(timer))} left."
        for timer in timers.running
    )


@tool(
    examples={
        "Stop the timer, please.": {},
        "Cancel the pasta timer.": {"label": "pasta"},
    }
)
async def cancel_timer(call: ToolContext, label: str = "") -> str:
    """Cancel a timer. label: which one, or all"""
    timers = Timers.of(call)
    if not timers.running:
        return "There is no timer running."
    chosen = timers.named(label)
    if not chosen:
        names = ", ".join(timer.name for timer in timers.running)
        raise ToolError(f"Which timer? Running are: {names}.")
    for timer in chosen:
        timers.stop(timer)
    timers.show(call)
    if len(chosen) == 1:
        return f"The {chosen[0].name} timer is cancelled."
    return f"All {len(chosen)} timers are cancelled."


@hookimpl
def register_tools() -> Sequence[Tool]:
    return [get_time, set_timer, list_timers, cancel_timer]


@hookimpl
def register_settings() -> type[ClockSettings]:
    return ClockSettings


async def _ring(timer: Timer, timers: Timers, call: ToolContext) -> None:
    """Wait for a timer and announce it. Cancelled with its timer, or when the call ends."""
    await asyncio.sleep(timer.seconds)
    timers.forget(timer)
    call.say(f"Your {timer.name} timer is done.")
    timers.show(call)


def _clock_face(now: datetime) -> str:
    return f"{now.hour % 12 or 12}:{now.minute:02} {'AM' if now.hour < 12 else 'PM'}"
