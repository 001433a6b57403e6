"""The house and its state. Nothing here knows about calls or tools."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field
from typing import Literal

from omni_agent import Panel, PanelRow

COLDEST, WARMEST = 5.0, 30.0
"""°C that the thermostat can be set to."""

_ALSO = {
    "lounge": "living room", "sitting room": "living room", "salon": "living room",
    "front room": "living room", "bed room": "bedroom", "sleeping room": "bedroom",
    "bath": "bathroom", "toilet": "bathroom", "restroom": "bathroom", "hall": "hallway",
    "corridor": "hallway", "entrance": "hallway", "entry": "hallway", "study": "office",
    "work room": "office", "home office": "office",
}  # fmt: skip
_EVERYWHERE = re.compile(r"\b(all|every\w*|whole|entire|house|home|any)\b")


class HouseProblem(Exception):
    """Nothing was changed; the message is a sentence for the user."""


@dataclass(slots=True)
class Room:
    """light: brightness in percent, 0 is off. blinds: whether they are open."""

    light: int = 0
    blinds_open: bool = True


def _rooms() -> dict[str, Room]:
    names = ("living room", "kitchen", "bedroom", "bathroom", "office", "hallway")
    return {name: Room() for name in names}


@dataclass(slots=True)
class House:
    """Rooms with lights and blinds, one thermostat (°C), one front door."""

    rooms: dict[str, Room] = field(default_factory=_rooms)
    degrees: float = 20.0
    locked: bool = True

    def named(self, said: str) -> list[str]:
        """The rooms a user means: one, several, or all of them. Raises HouseProblem.

        Forgives articles, case, plurals, "lights" and near misses in spelling.
        """
        words = re.sub(r"[^a-z ]", " ", said.lower())
        words = re.sub(r"\b(the|my|our|in|of|lights?|lamps?|blinds?)\b", " ", words)
        wanted = " ".join(words.split())
        known = {**{name: name for name in self.rooms}, **_ALSO}
        known |= {name.replace(" ", ""): name for name in self.rooms}
        mentioned: set[str] = set()
        rest = wanted
        for name in sorted(known, key=len, reverse=True):  # "home office" before "office"
            shorter = re.sub(rf"\b{name}s?\b", " ", rest)
            if shorter != rest:
                rest = shorter
                mentioned.add(known[name])
        if re.search(r"\b(except|but|not|without)\b", rest):
            raise HouseProblem("I can do one room at a time, or all of them.")
        if mentioned:
            return [name for name in self.rooms if name in mentioned]
        if _EVERYWHERE.search(wanted):
            return list(self.rooms)
        close = difflib.get_close_matches(wanted, known, 1, 0.75)
        if close:
            return [known[close[0]]]
        rooms = ", ".join(self.rooms)
        problem = f"There is no room called {said.strip()[:40]}." if wanted else "In which room?"
        raise HouseProblem(f"{problem} There are: {rooms}.")

    def set_light(self, room: str, state: Literal["on", "off"], brightness: int | None) -> str:
        """brightness: percent; None keeps a light that is on as it is."""
        names = self.named(room)
        for name in names:
            light = self.rooms[name].light
            self.rooms[name].light = (brightness or light or 100) if state == "on" else 0
            if state == "on" and brightness == 0:
                self.rooms[name].light = 0
        where = self._where(names, "light is", "lights are")
        if state == "off" or brightness == 0:
            return f"{where} off."
        return f"{where} on." if brightness is None else f"{where} on at {brightness} percent."

    def set_blinds(self, room: str, state: Literal["open", "closed"]) -> str:
        names = self.named(room)
        for name in names:
            self.rooms[name].blinds_open = state == "open"
        return f"{self._where(names, 'blinds are', 'blinds are')} {state}."

    def set_thermostat(self, degrees: float) -> str:
        """Raises HouseProblem outside COLDEST to WARMEST."""
        if not COLDEST <= degrees <= WARMEST:
            raise HouseProblem(f"The thermostat goes from {COLDEST:.0f} to {WARMEST:.0f} degrees.")
        self.degrees = round(degrees * 2) / 2  # it has half degrees
        return f"The thermostat is set to {self.degrees:g} degrees."

    def set_lock(self, state: Literal["locked", "unlocked"]) -> str:
        self.locked = state == "locked"
        return f"The front door is {state}."

    def describe(self, room: str) -> str:
        """The house, or one room of it, in a few short sentences."""
        if room.strip() and len(names := self.named(room)) == 1:
            state = self.rooms[names[0]]
            light = f"on at {state.light} percent" if state.light else "off"
            blinds = "open" if state.blinds_open else "closed"
            return f"In the {names[0]} the light is {light} and the blinds are {blinds}."
        lit = [name for name, state in self.rooms.items() if state.light]
        closed = [name for name, state in self.rooms.items() if not state.blinds_open]
        door = f"The front door is {'locked' if self.locked else 'unlocked'}."
        parts = [door, f"The thermostat is at {self.degrees:g} degrees."]
        parts.append(self._which("lights are", "on", lit) if lit else "All lights are off.")
        if closed:
            parts.append(self._which("blinds are", "closed", closed))
        return " ".join(parts)

    def _where(self, names: list[str], one: str, several: str) -> str:
        if len(names) == len(self.rooms):
            return f"All {several}"
        return f"The {names[0]} {one}" if len(names) == 1 else f"In {_listed(names)} the {several}"

    def _which(self, things: str, state: str, names: list[str]) -> str:
        every = len(names) == len(self.rooms)
        where = f"All {things} {state}" if every else f"{things} {state} in {_listed(names)}"
        return f"{where[0].upper()}{where[1:]}."

    def panel(self) -> Panel:
        """The house for the call page."""
        rows = [
            PanelRow(
                label="Front door",
                value="locked" if self.locked else "unlocked",
                state="off" if self.locked else "warn",
            ),
            PanelRow(label="Thermostat", value=f"{self.degrees:g} °C"),
        ]
        for name, room in self.rooms.items():
            light = f"{room.light} %" if room.light else "off"
            blinds = "open" if room.blinds_open else "closed"
            group = name.capitalize()
            state: Literal["on", "off"] = "on" if room.light else "off"
            rows.append(PanelRow(group=group, label="Light", value=light, state=state))
            rows.append(PanelRow(group=group, label="Blinds", value=blinds))
        return Panel(title="House", rows=rows)


def _listed(names: list[str]) -> str:
    head = ", ".join(f"the {name}" for name in names[:-1])
    return f"{head} and the {names[-1]}" if head else f"the {names[-1]}"
