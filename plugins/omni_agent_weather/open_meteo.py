"""open-meteo.com over HTTP: its geocoding and forecast APIs, checked before they are believed.

https://open-meteo.com/en/docs and /en/docs/geocoding-api. Free for non-commercial use,
data under CC BY 4.0.
"""

from __future__ import annotations

import re
from typing import Any, TypeVar

import httpx
from pydantic import BaseModel, Field, ValidationError

GEOCODING_URL = "https://geocoding-api.open-meteo.com/v1/search"
FORECAST_URL = "https://api.open-meteo.com/v1/forecast"
MAX_CITY_CHARS = 80
_TIMEOUT = httpx.Timeout(4.0, connect=2.5)

M = TypeVar("M", bound=BaseModel)


class WeatherProblem(Exception):
    """No weather; the message is a sentence for the user."""


class Place(BaseModel):
    name: str
    latitude: float = Field(ge=-90, le=90)
    longitude: float = Field(ge=-180, le=180)
    country: str = ""
    admin1: str = ""


class _Places(BaseModel):
    results: list[Place] = []


class Current(BaseModel):
    """°C, km/h, and the WMO weather code."""

    temperature_2m: float
    apparent_temperature: float
    weather_code: int
    wind_speed_10m: float


class Daily(BaseModel):
    """One entry a day, today first. °C, WMO weather code, percent."""

    weather_code: list[int] = Field(min_length=2)
    temperature_2m_min: list[float] = Field(min_length=2)
    temperature_2m_max: list[float] = Field(min_length=2)
    precipitation_probability_max: list[float | None] = Field(min_length=2)


class Forecast(BaseModel):
    current: Current
    daily: Daily


def new_client() -> httpx.AsyncClient:
    """The client of one request; tests put another transport in its place."""
    return httpx.AsyncClient(timeout=_TIMEOUT)


async def locate(client: httpx.AsyncClient, city: str) -> Place:
    """The best match for a place's name, "Paris, Texas" included. Raises WeatherProblem."""
    parts = [" ".join(part.split()) for part in city[:MAX_CITY_CHARS].split(",")]
    name = re.sub(r"^(the )?(city|town) of |^the (?=\w)", "", parts[0], flags=re.IGNORECASE)
    if len(name) < 2:  # the API finds nothing for less
        raise WeatherProblem("For which city?")
    query = {"name": name, "count": 10, "language": "en", "format": "json"}
    places = (await _get(client, GEOCODING_URL, query, _Places)).results
    if not places:
        raise WeatherProblem(f"I do not know a place called {name}.")
    where = {part.lower() for part in parts[1:] if part}
    return next(
        (place for place in places if {place.country.lower(), place.admin1.lower()} & where),
        places[0],
    )


async def forecast(client: httpx.AsyncClient, place: Place) -> Forecast:
    """Now, today and tomorrow. Raises WeatherProblem."""
    query = {
        "latitude": place.latitude,
        "longitude": place.longitude,
        "current": ",".join(Current.model_fields),
        "daily": ",".join(Daily.model_fields),
        "timezone": "auto",
        "forecast_days": 2,
    }
    return await _get(client, FORECAST_URL, query, Forecast)


async def _get(client: httpx.AsyncClient, url: str, query: dict[str, Any], model: type[M]) -> M:
    try:
        response = await client.get(url, params=query)
        response.raise_for_status()
        return model.model_validate_json(response.content)
    except httpx.TimeoutException as error:
        raise WeatherProblem("The weather service does not answer. Try again later.") from error
    except httpx.HTTPStatusError as error:
        status = error.response.status_code
        raise WeatherProblem(f"The weather service has a problem, error {status}.") from error
    except httpx.HTTPError as error:
        raise WeatherProblem(
            "I cannot reach the weather service. There may be no internet connection."
        ) from error
    except ValidationError as error:
        raise WeatherProblem("The weather service sent something I cannot read.") from error
