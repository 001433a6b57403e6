"""What a small model may not call: the same thing twice, or with made-up arguments."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from omni_agent.conversation import Item, ToolCall, ToolResult, assistant, user
from omni_agent.engines.local.guards import invented, mistimed, repeats, trimmed, untold
from omni_agent.thinker import ToolCallRequest, ToolSchema

STRING = {"type": "string"}
TOOL = ToolSchema(
    "do",
    "",
    {
        "type": "object",
        "properties": {
            "place": STRING,
            "expression": STRING,
            "unit": {"enum": ["minutes", "hours"], "default": "minutes"},
            "label": {**STRING, "default": "tea"},
            "day": {**STRING, "format": "date"},
            "amount": {"type": "number"},
            "level": {"type": "integer", "minimum": 0, "maximum": 100},
            "maybe": {"anyOf": [STRING, {"type": "null"}]},
        },
    },
)


def call(**arguments: Any) -> ToolCallRequest:
    return ToolCallRequest("c", "do", arguments)


@pytest.mark.parametrize(
    ("said", "arguments"),
    [
        ("What's the weather in Paris?", {"place": "Paris"}),
        ("Is it raining in reykyavik?", {"place": "Reykjavik"}),
        ("What time is it in Tokyo?", {"place": "Asia/Tokyo"}),
        ("Note that apples are out.", {"place": "apple"}),
        ("What is seventeen times twenty three?", {"expression": "17 * 23"}),
        ("What is 2 plus 2?", {"expression": "2 + 2"}),
        ("Half a dozen times two?", {"expression": "6 * 2"}),
        ("Set a timer for ten minutes.", {"amount": 10, "unit": "minutes"}),
        ("Wake me in an hour.", {"amount": 1, "unit": "hours"}),
        ("Start it for a couple of hours.", {"amount": 2, "unit": "hours"}),
        ("Turn off the light.", {"level": 0}),
        ("Turn the light all the way up.", {"level": 100}),
        ("Ring me in 5.", {"amount": 5, "label": "tea"}),
        ("What is on for tomorrow?", {"day": "2026-11-24"}),
        ("Anything.", {"maybe": None}),
        ("Anything.", {"place": ""}),
    ],
)
def test_what_was_said_in_other_words_is_not_made_up(said: str, arguments: dict[str, Any]) -> None:
    assert invented(call(**arguments), TOOL, [user(said)]) is None


@pytest.mark.parametrize(
    ("said", "arguments", "argument"),
    [
        ("What's the weather like?", {"place": "London"}, "place"),
        ("Set a timer.", {"amount": 10, "unit": "minutes"}, "amount"),
        ("Tell me something.", {"expression": "12 * 3.5"}, "expression"),
        ("Take a note.", {"maybe": "buy milk"}, "maybe"),
    ],
)
def test_what_nobody_said_is_made_up(said: str, arguments: dict[str, Any], argument: str) -> None:
    assert invented(call(**arguments), TOOL, [user(said)]) == argument


def test_what_is_made_up_and_need_not_be_said_is_left_out() -> None:
    made = call(place="Paris", maybe="buy milk", amount=3)
    asked = [user("What is on in Paris?")]
    assert trimmed(made, TOOL, asked).arguments == {"place": "Paris"}
    needed = replace(TOOL, parameters={**TOOL.parameters, "required": ["amount"]})
    assert trimmed(made, needed, asked).arguments == {"place": "Paris", "amount": 3}


def test_words_of_results_and_earlier_turns_count_as_said() -> None:
    items: list[Item] = [
        user("Where is my parcel?"),
        ToolCall("a", "find", {}),
        ToolResult("a", "it is in Rotterdam"),
        assistant("In Rotterdam."),
        user("And the weather there?"),
    ]
    assert invented(call(place="Rotterdam"), TOOL, items) is None


def test_a_call_made_since_the_user_spoke_is_a_repetition() -> None:
    made = ToolCall("a", "do", {"amount": 3})
    items: list[Item] = [user("three"), made, ToolResult("a", "done")]
    assert repeats(call(amount=3), items)
    assert not repeats(call(amount=4), items)
    assert not repeats(call(amount=3), [*items, user("three again")])


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ("Wake me at seven tomorrow.", True),
        ("Wake me up at 7 o'clock.", True),
        ("Set an alarm for 7 am, please.", True),
        ("Ring me by half past six.", True),
        ("Remind me at 18:30.", True),
        ("Wake me in seven hours.", False),
        ("I want to be woken up in 7 hours.", False),
        ("It is at seven, so give me a shout in half an hour.", False),
        ("Set a timer for ten minutes at my desk.", False),
        ("Start the timer: seven.", False),
    ],
)
def test_a_time_of_day_is_no_length_of_time(said: str, wrong: bool) -> None:
    assert mistimed(call(amount=7, unit="hours"), TOOL, [user(said)]) is wrong
    assert not mistimed(call(amount=7), TOOL, [user(said)])


def results(*outputs: str) -> list[Item]:
    made = [(ToolCall(f"{n}", "do", {}), ToolResult(f"{n}", o)) for n, o in enumerate(outputs)]
    return [user("Both, please."), *(c for c, _ in made), *(r for _, r in made)]


@pytest.mark.parametrize(
    ("reply", "outputs", "forgotten"),
    [
        (
            "In Rome it is sunny.",
            ("Timer set for 10 minutes", "Rome: sunny, 21 degrees."),
            ["Timer set for 10 minutes."],
        ),
        ("Your timer is set, and Rome is sunny.", ("Timer set", "Rome: sunny."), []),
        ("It is 72.", ("42", "72"), ["42."]),
        ("Forty-two and seventy-two.", ("42", "72"), []),
        ("It is sunny.", ("Timer set",), []),
        ("It is sunny.", ('{"timer": 10}', "sunny"), []),
        ("It is sunny.", ("word " * 100, "sunny"), []),
    ],
)
def test_a_result_of_which_nothing_was_told_is_noticed(
    reply: str, outputs: tuple[str, ...], forgotten: list[str]
) -> None:
    assert untold(reply, results(*outputs)) == forgotten


def test_what_failed_is_not_told_as_if_it_were_a_result() -> None:
    items = [*results("sunny"), ToolCall("x", "do", {}), ToolResult("x", "no line", ok=False)]
    assert untold("It is sunny.", items) == []
