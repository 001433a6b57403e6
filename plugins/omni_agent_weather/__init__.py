"""The weather for a voice agent, from open-meteo.com (no key, no account)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from omni_agent import Tool, ToolError, hookimpl, tool
from omni_agent_weather.open_meteo import WeatherProblem, forecast, locate, new_client
from omni_agent_weather.words import report


@tool(
    timeout_s=12,
    interruptible=True,
    examples={
        "How is the weather in Oslo?": {"city": "Oslo"},
        "Will it rain in Paris tomorrow?": {"city": "Paris", "day": "tomorrow"},
    },
)
async def get_weather(city: str, day: Literal["now", "today", "tomorrow"] = "now") -> str:
    """Tell the weather in a city."""
    try:
        async with new_client() as client:
            place = await locate(client, city)
            return report(place, await forecast(client, place), day)
    except WeatherProblem as problem:
        raise ToolError(str(problem)) from problem


@hookimpl
def register_tools() -> Sequence[Tool]:
    return [get_weather]
