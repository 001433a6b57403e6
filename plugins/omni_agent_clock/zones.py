"""From the name of a place to its time zone.

Cities are those of the time zone database, countries those of its tables (``zone.tab``,
``iso3166.tab``), and both have a few names beside. A name that could be two places is asked
back: a wrong country's time sounds as right as the right one's.
"""

from __future__ import annotations

import difflib
import functools
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

_PLACES = {
    # Well-known places that the time zone database names otherwise.
    "abu dhabi": "Dubai", "bangalore": "Kolkata", "barcelona": "Madrid", "beijing": "Shanghai",
    "boston": "New York", "cape town": "Johannesburg", "dallas": "Chicago", "delhi": "Kolkata",
    "florence": "Rome", "frankfurt": "Berlin", "geneva": "Zurich", "hamburg": "Berlin",
    "hanoi": "Ho Chi Minh", "houston": "Chicago", "hyderabad": "Kolkata", "kiev": "Kyiv",
    "kyoto": "Tokyo", "las vegas": "Los Angeles", "lyon": "Paris", "manchester": "London",
    "miami": "New York", "milan": "Rome", "montreal": "Toronto", "mumbai": "Kolkata",
    "munich": "Berlin", "new delhi": "Kolkata", "new york city": "New York",
    "osaka": "Tokyo", "ottawa": "Toronto", "philadelphia": "New York", "rio": "Sao Paulo",
    "rio de janeiro": "Sao Paulo", "saint petersburg": "Moscow", "st petersburg": "Moscow",
    "san diego": "Los Angeles", "san francisco": "Los Angeles", "seattle": "Los Angeles",
    "tel aviv": "Jerusalem", "venice": "Rome", "washington": "New York",
    "washington dc": "New York", "wellington": "Auckland",
    # Parts of countries that have several zones.
    "alberta": "Edmonton", "arizona": "Phoenix", "british columbia": "Vancouver",
    "california": "Los Angeles", "colorado": "Denver", "florida": "New York",
    "hawaii": "Honolulu", "illinois": "Chicago", "massachusetts": "New York",
    "michigan": "Detroit", "minnesota": "Chicago", "new jersey": "New York",
    "new south wales": "Sydney", "nova scotia": "Halifax", "ohio": "New York",
    "ontario": "Toronto", "oregon": "Los Angeles", "pennsylvania": "New York",
    "quebec": "Toronto", "siberia": "Novosibirsk", "south australia": "Adelaide",
    "texas": "Chicago", "utah": "Denver", "virginia": "New York",
    "western australia": "Perth", "wisconsin": "Chicago",
    "gmt": "UTC", "utc": "UTC", "greenwich": "UTC",
}  # fmt: skip
_COUNTRIES = {
    # Names that iso3166.tab does not have.
    "america": "US", "bosnia": "BA", "burma": "MM", "cape verde": "CV", "czechia": "CZ",
    "england": "GB", "great britain": "GB", "holland": "NL", "ivory coast": "CI", "korea": "KR",
    "macedonia": "MK", "north korea": "KP", "northern ireland": "GB", "scotland": "GB",
    "south korea": "KR", "states": "US", "swaziland": "SZ", "trinidad": "TT", "turkiye": "TR",
    "uae": "AE", "uk": "GB", "united kingdom": "GB", "united states of america": "US",
    "us": "US", "usa": "US", "vatican": "VA", "wales": "GB",
}  # fmt: skip
_MAINLAND = {
    # Countries with other zones on islands, or beside the one that is meant.
    "CL": "America/Santiago", "CN": "Asia/Shanghai", "EC": "America/Guayaquil",
    "ES": "Europe/Madrid", "NZ": "Pacific/Auckland", "PT": "Europe/Lisbon", "UA": "Europe/Kyiv",
}  # fmt: skip
_TWO = {
    "georgia": "Do you mean the country of Georgia or the state? Name a city there.",
    "congo": "There are two countries called Congo, with several time zones. Which city?",
}
_NO_REGIONS = frozenset({"Etc", "SystemV", "US", "Canada", "Brazil", "Mexico", "Chile"})
"""Legacy halves of the database, whose "cities" are zones such as Pacific or East."""
_HERE = frozenset({"", "here", "home", "local", "current location", "my location", "none"})
_CLOSE = 0.85
"""difflib's ratio from which a name may be a transcript's spelling of another. Of a country it
is asked back: "Austria" is like "Australia", and a time sounds right for either."""


class UnknownPlace(ValueError):
    """No one time zone is known for a place; the message is a sentence for the user."""


@dataclass(frozen=True, slots=True)
class Zone:
    """name: the place as one says it, empty for here. zone: None for the machine's own."""

    name: str
    zone: ZoneInfo | None


def zone_of(place: str) -> Zone:
    """The zone of a city, a country with one zone, or a zone's name; here when empty.

    Raises UnknownPlace, with a question where there is one to ask.
    """
    wanted = _plain(re.sub(r"^\s*(the (city|country) of|the)\s+", "", place, flags=re.IGNORECASE))
    if wanted in _HERE:
        return Zone("", None)
    if "/" in place and (named := place.strip().replace(" ", "_")) in available_timezones():
        return _zone(named.rsplit("/", 1)[-1].replace("_", " "), named)
    if (key := _key(wanted)) is not None:
        return _zone(wanted, key)
    for city, wider in _halves(place, wanted):
        if found := _within(city, wider):
            return found
    close = difflib.get_close_matches(wanted, [*_cities(), *_PLACES, *_countries()], 2, _CLOSE)
    if len(close) == 1 and (key := _city(close[0])):
        return _zone(close[0], key)  # the answer names it, so that a wrong one is heard
    if close:
        raise UnknownPlace(f"Do you mean {' or '.join(map(_said, close))}?")
    raise UnknownPlace(f"I do not know the time zone of {place.strip()[:60]}.")


def _halves(place: str, wanted: str) -> Iterator[tuple[str, str]]:
    """(city, country or state) of "Oslo, Norway", and of "Oslo Norway"."""
    parts = [part for part in map(_plain, place.split(",")) if part]
    if len(parts) > 1:
        yield parts[0], parts[-1]
        return
    words = wanted.split()
    for at in range(1, len(words)):
        city, wider = " ".join(words[:at]), " ".join(words[at:])
        if _city(city) and (wider in _countries() or _city(wider)):
            yield city, wider


def _within(city: str, wider: str) -> Zone | None:
    """A city in a country or state: another city of its name is not meant."""
    key, code = _city(city), _countries().get(wider)
    if key is None:
        wide = _key(wider)
        return _zone(wider, wide) if wide else None
    if code is not None and _codes().get(key, code) != code:
        return _zone(wider, _of_country(wider, code))
    state = _city(wider) if code is None else None
    return _zone(city, state or key)


def _key(name: str) -> str | None:
    """The zone of a name known exactly. Raises UnknownPlace when it has several."""
    if name in _TWO:
        raise UnknownPlace(_TWO[name])
    code = _countries().get(name)
    return _city(name) or (_of_country(name, code) if code else None)


def _city(name: str) -> str | None:
    return _cities().get(_plain(_PLACES.get(name, name)))


def _of_country(name: str, code: str) -> str:
    keys = [key for key, its in _codes().items() if its == code]
    if code in _MAINLAND:
        return _MAINLAND[code]
    if len({_offsets(key) for key in keys}) != 1:
        shown = _said(name)
        raise UnknownPlace(f"{shown[0].upper()}{shown[1:]} has several time zones. Which city?")
    return keys[0]


def _offsets(key: str) -> tuple[object, ...]:
    """What tells zones apart today: their offsets in winter and in summer."""
    year = datetime.now(UTC).year
    return tuple(datetime(year, month, 15, tzinfo=ZoneInfo(key)).utcoffset() for month in (1, 7))


def _zone(shown: str, key: str) -> Zone:
    try:
        return Zone(_said(shown), ZoneInfo(key))
    except ZoneInfoNotFoundError as error:
        raise UnknownPlace("This machine has no time zone data.") from error


def _said(name: str) -> str:
    if name in ("us", "usa", "uk", "uae", "utc", "gmt"):
        return f"the {name.upper()}" if name.startswith("u") and name != "utc" else name.upper()
    return name.title().replace(" Dc", " DC")


def _plain(name: str) -> str:
    """Lower case, without accents and marks: "São Paulo" is "sao paulo"."""
    letters = unicodedata.normalize("NFKD", name.replace("_", " ").lower())
    return " ".join(re.sub(r"[^a-z0-9 ]", "", letters.replace("-", " ")).split())


@functools.cache
def _cities() -> dict[str, str]:
    """City to zone, e.g. "oslo" to "Europe/Oslo"."""
    found: dict[str, str] = {"utc": "UTC"}
    for key in sorted(available_timezones()):
        region, _, city = key.rpartition("/")
        if region and region.split("/")[0] not in _NO_REGIONS:
            found.setdefault(_plain(city), key)
    return found


@functools.cache
def _codes() -> dict[str, str]:
    """Zone to country code."""
    return {key: code for code, _, key in _table("zone.tab")}


@functools.cache
def _countries() -> dict[str, str]:
    """Country to its code; "Korea (South)" and "Britain (UK)" by each of their names."""
    found = dict(_COUNTRIES)
    for code, name in _table("iso3166.tab"):
        outside = re.sub(r"\(.*\)", "", name)
        for called in (name, outside, name.replace("&", "and")):
            found.setdefault(_plain(called), code)
    return found


def _table(name: str) -> list[list[str]]:
    text = (files("tzdata") / "zoneinfo" / name).read_text(encoding="utf-8")
    rows = [line.split("\t") for line in text.splitlines() if not line.startswith("#")]
    return [row[: 3 if name == "zone.tab" else 2] for row in rows]
