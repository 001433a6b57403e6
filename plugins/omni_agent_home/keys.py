"""The tools that work a house."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from omni_agent import Tool, ToolContext, ToolError, tool
from omni_agent_home.house import House, HouseProblem

Percent = Annotated[int, Field(ge=0, le=100)]


def tools_of(house: House) -> list[Tool]:
    """Five tools bound to this house. They run on the event loop, so they never overlap."""

    def shown(words: str, call: ToolContext) -> str:
        call.show("home", house.panel())
        return words

    @tool(
        examples={
            "Turn on the kitchen light.": {"room": "kitchen", "state": "on"},
            "Dim the bedroom to 30%.": {
                "room": "bedroom",
                "state": "on",
                "brightness": 30,
            },
        }
    )
    async def set_light(
        room: str,
        state: Literal["on", "off"],
        call: ToolContext,
        brightness: Percent | None = None,
    ) -> str:
        """Turn a light on or off, or dim it. room: e.g. kitchen, or all

        brightness: percent, half is 50
        """
        try:
            return shown(house.set_light(room, state, brightness), call)
        except HouseProblem as problem:
            raise ToolError(str(problem)) from problem

    @tool(examples={"Close the blinds in the office.": {"room": "office", "state": "closed"}})
    async def set_blinds(room: str, state: Literal["open", "closed"], call: ToolContext) -> str:
        """Open or close the blinds of a room. room: e.g. office, or all"""
        try:
            return shown(house.set_blinds(room, state), call)
        except HouseProblem as problem:
            raise ToolError(str(problem)) from problem

    @tool(examples={"Set the heating to 21 degrees.": {"degrees": 21}})
    async def set_thermostat(degrees: float, call: ToolContext) -> str:
        """Set the temperature of the house. degrees: in Celsius"""
        try:
            return shown(house.set_thermostat(degrees), call)
        except HouseProblem as problem:
            raise ToolError(str(problem)) from problem

    @tool(examples={"Lock the front door.": {"state": "locked"}})
    async def set_lock(state: Literal["locked", "unlocked"], call: ToolContext) -> str:
        """Lock or unlock the front door."""
        return shown(house.set_lock(state), call)

    @tool(
        examples={
            "Is the front door locked?": {},
            "Is the light on in the bathroom?": {"room": "bathroom"},
        }
    )
    async def get_home(call: ToolContext, room: str = "") -> str:
        """Tell the state of the house: door, heating, lights, blinds. room: only that room"""
        try:
            return shown(house.describe(room), call)
        except HouseProblem as problem:
            raise ToolError(str(problem)) from problem

    return [set_light, set_blinds, set_thermostat, set_lock, get_home]
