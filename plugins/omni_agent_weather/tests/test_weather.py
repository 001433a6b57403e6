"""The weather: right from right answers, a sentence from everything else."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import omni_agent_weather as weather
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from omni_agent_weather import open_meteo
from omni_agent_weather.open_meteo import Forecast, Place
from omni_agent_weather.words import report

from omni_agent import ToolError
from omni_agent.errors import ToolArgumentsError
from omni_agent.testing import FakeCall

HERE = Path(__file__).parent
CALL = FakeCall()
PARIS = (HERE / "geocoding_paris.json").read_bytes()
FORECAST = (HERE / "forecast_paris.json").read_bytes()

Answer = Callable[[httpx.Request], httpx.Response]


class Service:
    """open-meteo.com's two hosts, answering with the fixtures unless told otherwise."""

    def __init__(self) -> None:
        self.requests: list[httpx.URL] = []
        self.answers: dict[str, Answer] = {
            "geocoding-api.open-meteo.com": lambda request: httpx.Response(200, content=PARIS),
            "api.open-meteo.com": lambda request: httpx.Response(200, content=FORECAST),
        }

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request.url)
        return self.answers[request.url.host](request)


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Service:
    running = Service()
    monkeypatch.setattr(
        weather, "new_client", lambda: httpx.AsyncClient(transport=httpx.MockTransport(running))
    )
    return running


async def ask(**arguments: Any) -> str:
    return await weather.get_weather.call(arguments, CALL)


async def test_the_weather_now_is_told(service: Service) -> None:
    assert await ask(city="Paris") == (
        "In Paris it is 4 degrees and cloudy, and feels like 0. "
        "The wind blows at 24 kilometers an hour."
    )
    search, forecast = service.requests
    assert search.params["name"] == "Paris"
    assert forecast.params["latitude"] == "48.85341"
    assert forecast.params["daily"].startswith("weather_code,temperature_2m_min")


async def test_today_and_tomorrow_are_told(service: Service) -> None:
    assert await ask(city="Paris", day="today") == (
        "Today in Paris: partly cloudy, minus 1 to 6 degrees, 5 percent chance of rain."
    )
    assert await ask(city="Paris", day="tomorrow") == (
        "Tomorrow in Paris: rain, 3 to 8 degrees, 85 percent chance of rain."
    )


@pytest.mark.parametrize("city", ["Paris, Texas", "paris,texas", "Paris, United States"])
async def test_a_state_or_country_picks_among_places_of_one_name(
    service: Service, city: str
) -> None:
    await ask(city=city)
    assert service.requests[1].params["latitude"] == "33.66094"


@pytest.mark.parametrize("city", ["  the city of  Paris ", "the Paris", "Paris,", "Paris, Nowhere"])
async def test_a_city_may_be_said_sloppily(service: Service, city: str) -> None:
    await ask(city=city)
    assert service.requests[0].params["name"] == "Paris"
    assert service.requests[1].params["latitude"] == "48.85341"


@pytest.mark.parametrize("city", ["", " ", "x", ","])
async def test_without_a_city_it_asks_which(service: Service, city: str) -> None:
    with pytest.raises(ToolError, match=r"For which city\?"):
        await ask(city=city)
    assert service.requests == []


async def test_an_unknown_place_is_said_to_be_unknown(service: Service) -> None:
    service.answers["geocoding-api.open-meteo.com"] = lambda request: httpx.Response(
        200, json={"generationtime_ms": 0.2}
    )
    with pytest.raises(ToolError, match="I do not know a place called Xyzzy"):
        await ask(city="Xyzzy")


def refuse(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("Name or service not known", request=request)


def hang(request: httpx.Request) -> httpx.Response:
    raise httpx.ReadTimeout("", request=request)


@pytest.mark.parametrize("host", ["geocoding-api.open-meteo.com", "api.open-meteo.com"])
@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (refuse, "I cannot reach the weather service. There may be no internet"),
        (hang, "does not answer"),
        (lambda request: httpx.Response(503), "has a problem, error 503"),
        (lambda request: httpx.Response(429), "has a problem, error 429"),
        (lambda request: httpx.Response(302, headers={"location": "/x"}), "error 302"),
        (lambda request: httpx.Response(200, content=b"<html>"), "sent something I cannot read"),
        (lambda request: httpx.Response(200, content=b"[]"), "sent something I cannot read"),
    ],
)
async def test_every_failure_of_the_service_is_a_sentence(
    service: Service, host: str, answer: Answer, sentence: str
) -> None:
    service.answers[host] = answer
    with pytest.raises(ToolError, match=sentence):
        await ask(city="Paris")


async def test_without_a_network_the_real_client_fails_clearly(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Port 1 of this machine refuses: the real transport, and no network.
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(open_meteo, "GEOCODING_URL", "https://127.0.0.1:1/v1/search")
    with pytest.raises(ToolError, match="There may be no internet connection"):
        await ask(city="Paris")


async def test_a_day_that_is_none_is_refused() -> None:
    with pytest.raises(ToolArgumentsError, match="day"):
        await ask(city="Paris", day="someday")


# A busy machine is no failure: no deadline, no health check of the clock.
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    code=st.integers(0, 120),
    low=st.floats(-90, 60),
    high=st.floats(-90, 60),
    wind=st.floats(0, 400),
    chance=st.none() | st.floats(0, 100),
    day=st.sampled_from(["now", "today", "tomorrow"]),
)
def test_any_weather_is_one_speakable_line(
    code: int, low: float, high: float, wind: float, chance: float | None, day: Any
) -> None:
    data = json.loads(FORECAST)
    data["current"] |= {"temperature_2m": low, "apparent_temperature": high, "weather_code": code}
    data["current"]["wind_speed_10m"] = wind
    data["daily"] = {
        "weather_code": [code, code],
        "temperature_2m_min": [low, low],
        "temperature_2m_max": [high, high],
        "precipitation_probability_max": [chance, chance],
    }
    place = Place(name="Paris", latitude=0, longitude=0)
    line = report(place, Forecast.model_validate(data), day)
    assert line.endswith(".")
    assert not set(line) & set("-*_#°%\n")
