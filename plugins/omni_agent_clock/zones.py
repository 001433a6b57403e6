"""From the name of a place to its time zone."""

from __future__ import annotations

import difflib
import functools
import re
import unicodedata
from dataclasses import dataclass
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

_PLACES = {
    # Well-known places that the time zone database names otherwise.
    "austria": "Vienna", "bangalore": "Kolkata", "bangkok": "Bangkok", "barcelona": "Madrid",
    "beijing": "Shanghai", "belgium": "Brussels", "boston": "New York", "california": "Los Angeles",
    "cape town": "Johannesburg", "china": "Shanghai", "dallas": "Chicago", "denmark": "Copenhagen",
    "england": "London", "finland": "Helsinki", "florence": "Rome", "florida": "New York",
    "france": "Paris", "frankfurt": "Berlin", "geneva": "Zurich", "germany": "Berlin",
    "greece": "Athens", "hamburg": "Berlin", "hawaii": "Honolulu", "houston": "Chicago",
    "hyderabad": "Kolkata", "india": "Kolkata", "ireland": "Dublin", "israel": "Jerusalem",
    "italy": "Rome", "japan": "Tokyo", "kenya": "Nairobi", "kiev": "Kyiv", "korea": "Seoul",
    "kyoto": "Tokyo", "las vegas": "Los Angeles", "lyon": "Paris", "manchester": "London",
    "miami": "New York", "milan": "Rome", "montreal": "Toronto", "mumbai": "Kolkata",
    "munich": "Berlin", "netherlands": "Amsterdam", "new delhi": "Kolkata", "delhi": "Kolkata",
    "new york city": "New York", "new zealand": "Auckland", "nigeria": "Lagos", "norway": "Oslo",
    "osaka": "Tokyo", "ottawa": "Toronto", "philadelphia": "New York", "poland": "Warsaw",
    "portugal": "Lisbon", "rio": "Sao Paulo", "rio de janeiro": "Sao Paulo",
    "saint petersburg": "Moscow", "san diego": "Los Angeles", "san francisco": "Los Angeles",
    "scotland": "London", "seattle": "Los Angeles", "spain": "Madrid", "sweden": "Stockholm",
    "switzerland": "Zurich", "tel aviv": "Jerusalem", "texas": "Chicago", "thailand": "Bangkok",
    "turkey": "Istanbul", "uk": "London", "united kingdom": "London", "ukraine": "Kyiv",
    "venice": "Rome", "vietnam": "Ho Chi Minh", "hanoi": "Ho Chi Minh", "wales": "London",
    "washington": "New York", "wellington": "Auckland", "abu dhabi": "Dubai",
    "gmt": "UTC", "utc": "UTC", "greenwich": "UTC",
}  # fmt: skip
_NO_REGIONS = frozenset({"Etc", "SystemV", "US", "Canada", "Brazil", "Mexico", "Chile"})
"""Legacy halves of the database, whose "cities" are zones such as Pacific or East."""
_HERE = frozenset({"", "here", "home", "local", "current location", "my location", "none"})


class UnknownPlace(ValueError):
    """No time zone is known for a place; the message is a sentence for the user."""


@dataclass(frozen=True, slots=True)
class Zone:
    """name: the place as one says it, empty for here. zone: None for the machine's own."""

    name: str
    zone: ZoneInfo | None


def zone_of(place: str) -> Zone:
    """The zone of a city, a country with one zone, or a zone's name; here when empty.

    Raises UnknownPlace.
    """
    wanted = _plain(re.sub(r"^\s*(the (city|country) of|the)\s+", "", place, flags=re.IGNORECASE))
    if wanted in _HERE:
        return Zone("", None)
    known = _zones()
    # "Oslo, Norway" and "Europe/Oslo" both name the city; the whole is tried first.
    for candidate in (wanted, *map(_plain, re.split(r"[,/]", place))):
        city = _plain(_PLACES.get(candidate, candidate))
        if city in known:
            shown = candidate if candidate in _PLACES else known[city].rsplit("/", 1)[-1]
            return _zone(shown, known[city])
    close = difflib.get_close_matches(wanted, [*known, *_PLACES], 1, 0.85)
    if close:  # a transcript's spelling
        city = _plain(_PLACES.get(close[0], close[0]))
        return _zone(close[0], known[city])
    raise UnknownPlace(f"I do not know the time zone of {place.strip()[:60]}.")


def _zone(shown: str, key: str) -> Zone:
    name = shown.replace("_", " ")
    upper = name.upper() if name.lower() in ("uk", "utc", "gmt") else name.title()
    try:
        return Zone(upper, ZoneInfo(key))
    except ZoneInfoNotFoundError as error:
        raise UnknownPlace("This machine has no time zone data.") from error


def _plain(name: str) -> str:
    """Lower case, without accents and marks: "São Paulo" is "sao paulo"."""
    letters = unicodedata.normalize("NFKD", name.replace("_", " ").lower())
    return " ".join(re.sub(r"[^a-z0-9 ]", "", letters.replace("-", " ")).split())


@functools.cache
def _zones() -> dict[str, str]:
    """City to zone, e.g. "oslo" to "Europe/Oslo"."""
    found: dict[str, str] = {"utc": "UTC"}
    for key in sorted(available_timezones()):
        region, _, city = key.rpartition("/")
        if region and region.split("/")[0] not in _NO_REGIONS:
            found.setdefault(_plain(city), key)
    return found
