"""Typed requests over the five bundled plugins, and what may have been said before them.

Two halves of the same make with nothing in common: what is tuned on the one is checked on the
other. No wording is in any plugin's demonstrations.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from omni_agent.conversation import Item, ToolCall, ToolResult, assistant, user

Kind = Literal["one request", "two at once", "small talk", "too little said"]
Call = tuple[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A tool, and a pattern for each argument that matters, matched against its text."""

    tool: str
    arguments: Mapping[str, str]

    def is_made_by(self, call: Call) -> bool:
        name, arguments = call
        return name == self.tool and all(
            re.search(pattern, str(arguments.get(key, "")), re.IGNORECASE)
            for key, pattern in self.arguments.items()
        )


@dataclass(frozen=True, slots=True)
class Request:
    """wanted: the calls to make, and no others; of small talk and half a request none."""

    kind: Kind
    text: str
    wanted: tuple[Wanted, ...] = ()

    def is_met_by(self, calls: Sequence[Call]) -> bool:
        return len(calls) == len(self.wanted) and all(
            any(wanted.is_made_by(call) for call in calls) for wanted in self.wanted
        )


@dataclass(frozen=True, slots=True)
class Half:
    """before: what each context consists of, after the persona's greeting."""

    requests: tuple[Request, ...]
    before: Mapping[str, tuple[Item, ...]]


def _to(tool: str, **arguments: str) -> Wanted:
    return Wanted(tool, arguments)


def _one(text: str, wanted: Wanted) -> Request:
    return Request("one request", text, (wanted,))


def _two(text: str, *wanted: Wanted) -> Request:
    return Request("two at once", text, wanted)


def _talk(*texts: str) -> tuple[Request, ...]:
    return tuple(Request("small talk", text) for text in texts)


def _too_little(*texts: str) -> tuple[Request, ...]:
    return tuple(Request("too little said", text) for text in texts)


def _said(*words: str) -> tuple[Item, ...]:
    """Turns of the user and the agent, one after the other."""
    return tuple((user, assistant)[place % 2](text) for place, text in enumerate(words))


def _done(
    said: str, tool: str, arguments: Mapping[str, Any], result: str, told: str
) -> tuple[Item, ...]:
    """A request with its call and its answer."""
    return (
        user(said),
        ToolCall("call", tool, arguments),
        ToolResult("call", result),
        assistant(told),
    )


DEVELOPMENT = Half(
    (
        _one("Could you tell me how late it is?", _to("get_time", city="^$")),
        _one("Give me a shout in 25 minutes.", _to("set_timer", amount=r"^25(\.0)?$", unit="min")),
        _one("How long until my timer goes off?", _to("list_timers")),
        _one("Cancel the timer, please.", _to("cancel_timer")),
        _one("What do I get if I split 270 by 6?", _to("calculate", expression="270.*6")),
        _one(
            "Do I need an umbrella in Dublin tomorrow?",
            _to("get_weather", city="dublin", day="tomorrow"),
        ),
        _one("Remember that the meeting is at nine.", _to("add_note", text="meeting.*(nine|9)")),
        _one("What have I got in my notebook?", _to("read_notes")),
        _one("Get rid of the note about the dentist.", _to("delete_note", about="dentist")),
        _one(
            "It is dark in the bathroom, give me some light there.",
            _to("set_light", room="bath", state="on"),
        ),
        _one("Raise the blinds in the bedroom.", _to("set_blinds", room="bedroom", state="open")),
        _one("I am cold, make it 23 degrees in here.", _to("set_thermostat", degrees="^23")),
        _one("Unlock the door at the front for me.", _to("set_lock", state="unlocked")),
        _one("Are the blinds in the kitchen closed?", _to("get_home")),
        _two(
            "What is 12 times 7, and what time is it?",
            _to("calculate", expression="12.*7"),
            _to("get_time"),
        ),
        _two(
            "Switch off the office light and lock up the front door.",
            _to("set_light", room="office", state="off"),
            _to("set_lock", state="^locked"),
        ),
        _two(
            "Tell me the weather in Rome and set a timer for 8 minutes.",
            _to("get_weather", city="rome"),
            _to("set_timer", amount="^8", unit="minutes"),
        ),
        _two(
            "Note down that the taxi comes at six, and close the bedroom blinds.",
            _to("add_note", text="taxi"),
            _to("set_blinds", room="bedroom", state="closed"),
        ),
        _two(
            "How much is 90 minus 34, and how much is 15 times 6?",
            _to("calculate", expression="90.*34"),
            _to("calculate", expression="15.*6"),
        ),
        *_talk(
            "Good evening, it is nice to hear a voice.",
            "Why do cats purr?",
            "I am a bit nervous about tomorrow.",
            "Do you ever get bored at night?",
            "What can you do for me?",
            "That is very kind of you.",
        ),
        *_too_little("Start a timer for me.", "Would you take a note?"),
    ),
    {
        "first turn": (),
        "small talk": _said(
            "I just came back from a long walk.",
            "That sounds lovely. I hope the evening air did you good.",
            "Is it always this quiet here?",
            "At this hour it usually is. Enjoy the calm.",
        ),
        "misheard": _said("times seven.", "7"),
        "tool result": _done(
            "How warm is it in Lisbon?",
            "get_weather",
            {"city": "Lisbon"},
            "In Lisbon it is 19 degrees and partly cloudy.",
            "It is 19 degrees and partly cloudy in Lisbon.",
        ),
        "timer running": _done(
            "I need a timer for 20 minutes.",
            "set_timer",
            {"amount": 20, "unit": "minutes"},
            "Timer set for 20 minutes.",
            "Your timer is set for 20 minutes.",
        ),
    },
)

HELD_OUT = Half(
    (
        _one("What is the local time in Nairobi?", _to("get_time", city="nairobi")),
        _one("I want to be woken up in 7 hours.", _to("set_timer", amount="^7", unit="hours")),
        _one("Is there still a timer going?", _to("list_timers")),
        _one("I do not need the timer any more, switch it off.", _to("cancel_timer")),
        _one("Add up 128 and 367 for me.", _to("calculate", expression="128.*367")),
        _one("Is it windy in Hamburg right now?", _to("get_weather", city="hamburg")),
        _one("Jot down that I owe Peter 20 euros.", _to("add_note", text="peter.*20")),
        _one("Is there anything about the flight in my notes?", _to("read_notes", about="^$|fl")),
        _one("Erase my note on the birthday.", _to("delete_note", about="birthday")),
        _one("Put out the lamp in the hallway.", _to("set_light", room="hall", state="off")),
        _one(
            "Could you lower the blinds in the living room?",
            _to("set_blinds", room="living", state="closed"),
        ),
        _one("Turn the heating down to 18.", _to("set_thermostat", degrees="^18")),
        _one("Please bolt the front door for the night.", _to("set_lock", state="^locked")),
        _one("Did I leave a light on anywhere?", _to("get_home")),
        _two(
            "What time is it in Sydney, and how is the weather in Cairo?",
            _to("get_time", city="sydney"),
            _to("get_weather", city="cairo"),
        ),
        _two(
            "Turn the heating up to 22 and switch on the lamp in the office.",
            _to("set_thermostat", degrees="^22"),
            _to("set_light", room="office", state="on"),
        ),
        _two(
            "Ring me in 40 minutes, and read me what I noted.",
            _to("set_timer", amount="^40", unit="minutes"),
            _to("read_notes"),
        ),
        _two(
            "What is 144 divided by 12, and are the blinds in the office open?",
            _to("calculate", expression="144.*12"),
            _to("get_home"),
        ),
        _two(
            "Cancel my timer, and put down that the eggs are done.",
            _to("cancel_timer"),
            _to("add_note", text="eggs"),
        ),
        *_talk(
            "Can you suggest something for breakfast?",
            "Who painted the Mona Lisa?",
            "I did not sleep well last night.",
            "Which is the best season to see the mountains?",
            "My brother is a watchmaker, he repairs clocks.",
            "All right, you have been a great help.",
        ),
        *_too_little("Can you do a sum for me?", "Please change the temperature."),
    ),
    {
        "first turn": (),
        "small talk": _said(
            "My train was late and I missed dinner.",
            "I am sorry to hear that. I hope the rest of your evening is better.",
            "What do you like to read?",
            "I enjoy a good travel story when the night is long.",
        ),
        "misheard": _said("and the kitchen to.", "Sure. The kitchen."),
        "tool result": _done(
            "How much is 34 plus 58?",
            "calculate",
            {"expression": "34 + 58"},
            "The answer is 92.",
            "That makes 92.",
        ),
        "timer running": _done(
            "Tell me when the roast is done, that is in 45 minutes.",
            "set_timer",
            {"amount": 45, "unit": "minutes", "label": "roast"},
            "Timer set for 45 minutes for roast.",
            "I have set a timer for 45 minutes for the roast.",
        ),
    },
)
