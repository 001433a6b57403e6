"""Thirty spoken requests over the five bundled plugins, and ten that need none.

The wording is not in any plugin's demonstrations. Each says which tool must be called, with
which arguments, and what the answer must contain.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Request:
    """arguments: a pattern for each argument that matters, matched against its text.

    answer: a pattern for what the user hears. after: said and answered before, in
    the same call, so that there is something to cancel or to find.
    """

    text: str
    tool: str
    arguments: Mapping[str, str] = field(default_factory=dict)
    answer: str = r"\w"
    after: str | None = None

    def called_right(self, name: str, arguments: Mapping[str, Any]) -> bool:
        return name == self.tool and all(
            re.search(pattern, str(arguments.get(key, "")), re.IGNORECASE)
            for key, pattern in self.arguments.items()
        )

    def answered_right(self, heard: str) -> bool:
        return bool(re.search(self.answer, heard, re.IGNORECASE))


TALK = (
    "Hello, how are you tonight?",
    "What is your name?",
    "Can you recommend a good breakfast?",
    "I cannot sleep. What should I do?",
    "Tell me something nice about this hotel.",
    "Why is the sky blue?",
    "Do you speak French?",
    "What do you think of jazz music?",
    "I had a very long day today.",
    "Who wrote Romeo and Juliet?",
)

REQUESTS = (
    Request("Could you tell me the time?", "get_time", answer=r"\d|o'clock|am|pm"),
    Request("What is the time in New York right now?", "get_time", {"city": "new york"}, "york"),
    Request("What is the date today?", "get_time", answer="2026|november|december|day"),
    Request(
        "I need a timer for twelve minutes.",
        "set_timer",
        {"amount": r"^12(\.0)?$", "unit": "minute"},
        "12|twelve",
    ),
    Request(
        "Please start a timer for forty five seconds.",
        "set_timer",
        {"amount": r"^45(\.0)?$", "unit": "second"},
        "45|forty",
    ),
    Request(
        "Wake me up in two hours.",
        "set_timer",
        {"amount": r"^2(\.0)?$", "unit": "hour"},
        "2|two",
    ),
    Request(
        "How long does my timer still run?",
        "list_timers",
        answer="minute|second",
        after="Set a timer for five minutes.",
    ),
    Request(
        "Cancel the timer, please.",
        "cancel_timer",
        answer="cancel|stop",
        after="Set a timer for three minutes.",
    ),
    Request(
        "What do you get for thirteen times six?",
        "calculate",
        {"expression": "13.*6"},
        "78|seventy",
    ),
    Request(
        "How much is twenty percent of sixty?",
        "calculate",
        {"expression": "20"},
        r"(^|[^.\d])12|twelve",
    ),
    Request(
        "What is the square root of one hundred and forty four?", "calculate", answer="12|twelve"
    ),
    Request("Divide two hundred by eight.", "calculate", {"expression": "200.*8"}, "25|twenty"),
    Request(
        "What is nineteen plus twenty three?", "calculate", {"expression": "19.*23"}, "42|forty"
    ),
    Request(
        "What is the weather like in Berlin?", "get_weather", {"city": "berlin"}, r"degree|°|\d"
    ),
    Request(
        "Is it going to rain in London tomorrow?",
        "get_weather",
        {"city": "london", "day": "tomorrow"},
        "rain|shower|dry|cloud|degree|percent|drizzle|clear",
    ),
    Request("How warm is it in Madrid today?", "get_weather", {"city": "madrid"}, r"degree|°|\d"),
    Request("Make a note to buy milk.", "add_note", {"text": "milk"}, "milk|note|wrote"),
    Request(
        "Write down that the car is on level three.", "add_note", {"text": "car"}, "wrote|note|car"
    ),
    Request(
        "Remember that my room number is four twelve.",
        "add_note",
        {"text": "room|412|4.?12|four"},
        "wrote|note|412|room|remember",
    ),
    Request(
        "What notes do I have?", "read_notes", answer="note|milk", after="Make a note to buy bread."
    ),
    Request(
        "Please remove the note about bread.",
        "delete_note",
        {"about": "bread"},
        "delet|gone|remov",
        after="Make a note to buy bread.",
    ),
    Request(
        "Please put the light on in the kitchen.",
        "set_light",
        {"room": "k", "state": "on"},
        "kitchen light is on",
    ),
    Request(
        "Switch off the bedroom light.", "set_light", {"room": "bedroom", "state": "off"}, "off"
    ),
    Request(
        "Dim the living room light to forty percent.",
        "set_light",
        {"room": "living", "brightness": "40"},
        "40|forty",
    ),
    Request(
        "Make it nineteen degrees in here.",
        "set_thermostat",
        {"degrees": "19"},
        "19|nineteen",
    ),
    Request("Can you lock the front door?", "set_lock", {"state": "^locked?$"}, "lock"),
    Request("Unlock the front door, please.", "set_lock", {"state": "unlock"}, "unlock"),
    Request("Shut the bedroom blinds.", "set_blinds", {"room": "bedroom"}, "blind|clos"),
    Request("Open the blinds in the living room.", "set_blinds", {"room": "living"}, "blind|open"),
    Request("Did I leave any lights on?", "get_home", answer="light|on|off"),
)
