"""A forecast as a sentence to be spoken."""

from __future__ import annotations

from typing import Literal

from omni_agent_weather.open_meteo import Forecast, Place

_SKIES = {
    # WMO code table 4677, in the groups that open-meteo.com documents.
    0: "clear", 1: "mostly clear", 2: "partly cloudy", 3: "cloudy", 45: "foggy", 48: "foggy",
    51: "light drizzle", 53: "drizzle", 55: "heavy drizzle", 56: "freezing drizzle",
    57: "freezing drizzle", 61: "light rain", 63: "rain", 65: "heavy rain", 66: "freezing rain",
    67: "freezing rain", 71: "light snow", 73: "snow", 75: "heavy snow", 77: "snow grains",
    80: "light showers", 81: "showers", 82: "heavy showers", 85: "snow showers",
    86: "heavy snow showers", 95: "a thunderstorm", 96: "a thunderstorm with hail",
    99: "a thunderstorm with hail",
}  # fmt: skip
_WINDY_KMH = 20
_FEELS_DIFFERENT = 3


def report(place: Place, forecast: Forecast, day: Literal["now", "today", "tomorrow"]) -> str:
    """One or two short sentences."""
    if day == "now":
        return _now(place, forecast)
    at = 0 if day == "today" else 1
    daily = forecast.daily
    low, high = round(daily.temperature_2m_min[at]), round(daily.temperature_2m_max[at])
    degrees = f"{_degrees(low)} to {_degrees(high)} degrees" if low != high else _with_unit(low)
    words = f"{day.capitalize()} in {place.name}: {_sky(daily.weather_code[at])}, {degrees}"
    chance = daily.precipitation_probability_max[at]
    if chance is not None:
        words += f", {round(chance)} percent chance of rain"
    return words + "."


def _now(place: Place, forecast: Forecast) -> str:
    now = forecast.current
    temperature = round(now.temperature_2m)
    words = f"In {place.name} it is {_with_unit(temperature)} and {_sky(now.weather_code)}"
    if now.weather_code >= 51:
        words = f"In {place.name} it is {_with_unit(temperature)} with {_sky(now.weather_code)}"
    feels = round(now.apparent_temperature)
    if abs(feels - temperature) >= _FEELS_DIFFERENT:
        words += f", and feels like {_degrees(feels)}"
    if now.wind_speed_10m >= _WINDY_KMH:
        words += f". The wind blows at {round(now.wind_speed_10m)} kilometers an hour"
    return words + "."


def _degrees(value: int) -> str:
    return f"minus {-value}" if value < 0 else str(value)


def _with_unit(value: int) -> str:
    return f"{_degrees(value)} degree{'' if abs(value) == 1 else 's'}"


def _sky(code: int) -> str:
    return _SKIES.get(code, "mixed weather")
