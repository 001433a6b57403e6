"""Calls in Python's syntax: written, read back, and found in a stream cut anywhere."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omni_agent.engines.local.tool_calls import LONGEST_CALL, CallParser, call_text, parse_arguments
from omni_agent.thinker import MalformedCall, TextDelta, ToolCallBegun, ToolCallRequest, ToolSchema


def tool(name: str, *parameters: str) -> ToolSchema:
    return ToolSchema(
        name, "", {"type": "object", "properties": {parameter: {} for parameter in parameters}}
    )


TOOLS = (tool("set_timer", "amount", "unit"), tool("weather", "place"), tool("git-hub.find", "q"))

names = st.from_regex(r"[a-z][a-z0-9_-]{0,8}", fullmatch=True)
values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**18), 10**18)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(blacklist_categories=["Cs"]), max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


def parsed(text: str, cuts: list[int]) -> list[tuple[str, Any]]:
    """The thoughts of ``text`` fed in pieces, ids left out, neighbouring speech joined."""
    parser = CallParser(TOOLS)
    edges = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    thoughts = []
    for start, end in itertools.pairwise(edges):
        thoughts += parser.feed(text[start:end])
    thoughts += parser.finish()
    told: list[tuple[str, Any]] = []
    for thought in thoughts:
        match thought:
            case TextDelta(text):
                if told and told[-1][0] == "text":
                    told[-1] = ("text", told[-1][1] + text)
                else:
                    told.append(("text", text))
            case ToolCallBegun(name):
                told.append(("begun", name))
            case ToolCallRequest():
                told.append(("call", (thought.name, thought.arguments)))
            case MalformedCall():
                told.append(("malformed", thought.reason))
    return told


@given(st.dictionaries(names, values, max_size=4))
def test_written_arguments_read_back_the_same(arguments: dict[str, Any]) -> None:
    text = call_text("f", arguments)
    assert parse_arguments(text[2:-1]) == json.loads(json.dumps(arguments))


@given(
    st.sampled_from(["set_timer", "weather", "git-hub.find"]),
    st.dictionaries(names, values, max_size=3),
)
def test_a_written_call_is_found_in_the_stream(name: str, arguments: dict[str, Any]) -> None:
    text = call_text(name, arguments)
    if len(text) < LONGEST_CALL:
        assert parsed(text, []) == [("begun", name), ("call", (name, arguments))]


WORDS = [
    "set_timer",
    "weather",
    "amount=10",
    'unit="min',
    "set",
    "timer(",
    "Sure, ",
    "foo_bar",
    "é",
]
WORDS += ["git-hub.find(", 'weather(place="Oslo")', "e.g. ", "1", *"()[]{}\"'\\=,. \n_-"]
pieces = st.sampled_from(WORDS)


@given(st.lists(pieces, max_size=14).map("".join), st.lists(st.integers(0, 200), max_size=12))
def test_any_cut_of_the_stream_gives_the_same_thoughts(text: str, cuts: list[int]) -> None:
    assert parsed(text, cuts) == parsed(text, []) == parsed(text, list(range(len(text))))


@given(st.lists(pieces, max_size=14).map("".join))
def test_speech_never_contains_a_call(text: str) -> None:
    speech = "".join(value for kind, value in parsed(text, []) if kind == "text")
    for name in ("set_timer(", "weather(", "git-hub.find(", "foo_bar("):
        assert name not in speech


@given(st.text(max_size=60))
def test_whatever_the_arguments_are_reading_them_fails_only_with_a_value_error(text: str) -> None:
    try:
        arguments = parse_arguments(text, ("a", "b"))
    except ValueError:
        return
    json.dumps(arguments, allow_nan=False)


@pytest.mark.parametrize(
    "arguments",
    [
        "amount=__import__('os').getcwd()",
        "amount=1+1",
        "amount=(lambda: 1)()",
        "amount=f'{1}'",
        "amount=b'x'",
        "amount=1e999",
        "amount={1: 2}",
        "amount=[*'ab']",
        "amount=1, amount=2",
        "amount=",
        "amount=" + "[" * 2000 + "]" * 2000,
        "1, 2, 3",
    ],
)
def test_what_computes_or_is_not_json_is_malformed(arguments: str) -> None:
    kinds = [kind for kind, _ in parsed(f"set_timer({arguments})", [])]
    assert kinds == ["begun", "malformed"]


def test_arguments_given_by_position_get_the_schemas_names() -> None:
    assert parsed("set_timer(5, 'minutes')", [])[1] == (
        "call",
        ("set_timer", {"amount": 5, "unit": "minutes"}),
    )


def test_several_calls_and_speech_keep_their_order() -> None:
    text = 'Sure. weather(place="Oslo")\nset_timer(amount=1, unit="h, (ours)")'
    assert parsed(text, []) == [
        ("text", "Sure."),
        ("begun", "weather"),
        ("call", ("weather", {"place": "Oslo"})),
        ("begun", "set_timer"),
        ("call", ("set_timer", {"amount": 1, "unit": "h, (ours)"})),
    ]


def test_speech_goes_out_before_the_sentence_is_complete() -> None:
    parser = CallParser(TOOLS)
    assert parser.feed("It is set") == [TextDelta("It is")]
    assert parser.feed(" for") == [TextDelta(" set")]


def test_a_call_is_announced_before_its_arguments_are_there() -> None:
    assert CallParser(TOOLS).feed("set_timer(amo") == [ToolCallBegun("set_timer")]


def test_a_call_that_is_cut_off_is_malformed() -> None:
    assert parsed('weather(place="Os', []) == [
        ("begun", "weather"),
        ("malformed", "the call was cut off"),
    ]


def test_a_call_of_an_unknown_tool_is_malformed_and_not_spoken() -> None:
    assert parsed("order_pizza(size=2)", []) == [
        ("malformed", "there is no tool named 'order_pizza'")
    ]


def test_a_runaway_call_ends() -> None:
    kinds = [kind for kind, _ in parsed("weather(place='" + "x" * 2 * LONGEST_CALL, [])]
    assert kinds[:2] == ["begun", "malformed"]


def test_words_that_only_look_like_a_tool_are_speech() -> None:
    assert parsed("The weather (in May) is fine. set_timer is a tool.", []) == [
        ("text", "The weather (in May) is fine. set_timer is a tool.")
    ]
