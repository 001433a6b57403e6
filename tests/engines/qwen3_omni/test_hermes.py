"""Hermes calls and thinking, found in a stream cut anywhere; neither is ever speech."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omni_agent.engines.qwen3_omni.hermes import LONGEST_CALL, MOST_CALLS, HermesParser, read_call
from omni_agent.thinker import (
    MalformedCall,
    ReasoningDelta,
    TextDelta,
    Thought,
    ToolCallBegun,
    ToolCallRequest,
)

TAGS = ("<think>", "</think>", "<tool_call>", "</tool_call>")
OSLO = '<tool_call>\n{"name": "weather", "arguments": {"place": "Oslo"}}\n</tool_call>'
TOLD_OSLO = [("begun", "weather"), ("call", ("weather", {"place": "Oslo"}))]

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**18), 10**18)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(TAGS)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
arguments_ = st.dictionaries(texts | st.sampled_from(["name", *TAGS]), values, max_size=3)
cuts_ = st.lists(st.integers(0, 400), max_size=12)


def parsed(
    text: str, cuts: list[int] | None = None, *, thinking: bool = False, cut: bool = False
) -> list[tuple[str, Any]]:
    """The thoughts of ``text`` fed in pieces, ids left out, neighbouring deltas joined."""
    parser = HermesParser(thinking=thinking)
    edges = sorted({0, len(text), *(edge % (len(text) + 1) for edge in cuts or [])})
    thoughts: list[Thought] = []
    for start, end in itertools.pairwise(edges):
        thoughts += parser.feed(text[start:end])
    return told([*thoughts, *parser.finish(cut)])


def told(thoughts: list[Thought]) -> list[tuple[str, Any]]:
    said: list[tuple[str, Any]] = []
    for thought in thoughts:
        match thought:
            case TextDelta(text) | ReasoningDelta(text):
                assert text
                kind = "text" if isinstance(thought, TextDelta) else "reasoning"
                if said and said[-1][0] == kind:
                    said[-1] = (kind, said[-1][1] + text)
                else:
                    said.append((kind, text))
            case ToolCallBegun(name):
                said.append(("begun", name))
            case ToolCallRequest():
                said.append(("call", (thought.name, thought.arguments)))
            case MalformedCall():
                said.append(("malformed", thought.reason))
            case _:
                raise AssertionError(thought)
    return said


def spoken(text: str, **options: Any) -> str:
    return "".join(value for kind, value in parsed(text, **options) if kind == "text")


def reason(text: str, **options: Any) -> str:
    """Why the only call in ``text`` is refused; nothing of it is said."""
    *before, (kind, value) = parsed(text, **options)
    assert kind == "malformed"
    assert [kind for kind, _ in before] in ([], ["begun"])
    return str(value)


def call(body: str) -> str:
    return f"<tool_call>\n{body}\n</tool_call>"


# -- what holds for every text ---------------------------------------------------------

BITS = [*TAGS, "<", ">", "/", "<tool", "_call>", "</", "\n", " ", "\n\n", '"', "\\", "{", "}"]
BITS += [
    '{"name": "f"',
    ', "arguments": ',
    '{"a": 1}',
    "}",
    "Hi",
    "a < b",
    "é",
    "```",
    "json",
    OSLO,
]
streams = st.lists(st.sampled_from(BITS), max_size=16).map("".join) | st.text(max_size=40)


@given(streams, cuts_, st.booleans(), st.booleans())
def test_any_cut_of_the_stream_gives_the_same_thoughts(
    text: str, cuts: list[int], thinking: bool, cut: bool
) -> None:
    whole = parsed(text, thinking=thinking, cut=cut)
    assert parsed(text, cuts, thinking=thinking, cut=cut) == whole
    assert parsed(text, list(range(len(text))), thinking=thinking, cut=cut) == whole


@given(streams, st.booleans())
def test_no_tag_is_ever_speech_or_reasoning(text: str, thinking: bool) -> None:
    thoughts = parsed(text, thinking=thinking)
    assert not any(tag in value for kind, value in thoughts if kind == "text" for tag in TAGS)
    reasoning = [value for kind, value in thoughts if kind == "reasoning"]
    assert not any(tag in value for value in reasoning for tag in ("<think>", "</think>"))


@given(st.text(), st.booleans(), st.booleans())
def test_text_without_a_tag_comes_out_byte_for_byte(text: str, thinking: bool, cut: bool) -> None:
    text = text.replace("<", "")
    assert spoken(text, cut=cut) == text
    assert spoken(text, thinking=True) == ""


@given(st.lists(st.text(), max_size=8))
def test_text_without_a_tag_waits_for_nothing_but_newlines(pieces: list[str]) -> None:
    parser, text, said = HermesParser(), "", ""
    for piece in pieces:
        piece = piece.replace("<", "")
        text += piece
        said += "".join(value for _, value in told(parser.feed(piece)))
        waiting = text.removeprefix(said)
        assert said + waiting == text
        assert not waiting.strip()
        assert not text.strip() or waiting == "" or waiting[0] in "\r\n"


WORDS = st.text("abc <\n", max_size=8)


@given(
    st.lists(
        st.tuples(st.just("text"), WORDS)
        | st.tuples(st.just("think"), st.text("xyz <\n", max_size=8))
        | st.tuples(st.just("call"), arguments_)
        | st.tuples(st.just("damaged"), st.text('XYZ{}:,[]\\"', max_size=8)),
        max_size=8,
    ),
    cuts_,
)
def test_speech_is_exactly_what_stands_outside_calls_and_thinking(
    parts: list[tuple[str, Any]], cuts: list[int]
) -> None:
    text, outside = "", ""
    for kind, value in parts:
        match kind:
            case "text":
                text, outside = text + value, outside + value
            case "think":
                text += f"<think>{value}</think>"
            case "call":
                text += call(json.dumps({"name": "f", "arguments": value}))
            case _:
                if value.count('"') % 2 or "\\" in value:
                    continue  # may leave a string open: then the rest is swallowed, see below
                text += call(value)
    said = "".join(value for kind, value in parsed(text, cuts) if kind == "text")
    assert "".join(said.split()) == "".join(outside.split())


@given(st.lists(st.tuples(texts.filter(bool), arguments_), min_size=1, max_size=4), cuts_)
def test_written_calls_are_read_back_and_yield_no_speech(
    calls: list[tuple[str, dict[str, Any]]], cuts: list[int]
) -> None:
    text = "\n".join(
        call(json.dumps({"name": name, "arguments": arguments}, ensure_ascii=index % 2 == 0))
        for index, (name, arguments) in enumerate(calls)
    )
    expected = [[("begun", name), ("call", (name, arguments))] for name, arguments in calls]
    assert parsed(text, cuts) == [thought for pair in expected for thought in pair]


@given(texts, st.text(max_size=60) | values.map(json.dumps))
def test_reading_a_call_fails_only_with_a_value_error(name: str, text: str) -> None:
    for written in (text, f'{{"name": {json.dumps(name)}, "arguments": {text}}}'):
        try:
            _, arguments = read_call(written)
        except ValueError:
            continue
        json.dumps(arguments, allow_nan=False, ensure_ascii=False).encode()


# -- speech ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["a < b", "<tool", "a <tool_cal> b", "<think", "< think>", "<<", "</p>", "1 <\n2", "<Think>x"],
)
def test_what_turns_out_not_to_be_a_tag_is_said_unchanged(text: str) -> None:
    assert parsed(text) == [("text", text)]


def test_only_what_may_still_become_a_tag_is_held_back() -> None:
    parser = HermesParser()
    assert parser.feed("a <") == [TextDelta("a ")]
    assert parser.feed("tool") == []
    assert parser.feed("s") == [TextDelta("<tools")]
    assert parser.feed("<<t") == [TextDelta("<")]
    assert parser.feed("<thi") == [TextDelta("<t")]
    assert parser.finish(cut=False) == [TextDelta("<thi")]


def test_half_a_tag_at_the_end_of_a_cut_reply_is_not_said() -> None:
    assert parsed("Let me see.\n<tool_c", cut=True) == [("text", "Let me see.")]


def test_text_around_calls_is_said_with_one_space_where_there_were_newlines() -> None:
    assert parsed(f"One moment.\n{OSLO}\n\nAnd then?\n{OSLO}\nDone.") == [
        ("text", "One moment."),
        *TOLD_OSLO,
        ("text", " And then?"),
        *TOLD_OSLO,
        ("text", " Done."),
    ]


@pytest.mark.parametrize("space", ["", "\n", " ", "\n\n \n", "\r\n", "\t"])
def test_a_reply_that_is_only_calls_says_nothing(space: str) -> None:
    assert parsed(space + OSLO + space + OSLO + space) == TOLD_OSLO * 2


def test_spaces_between_words_survive_a_block_between_them() -> None:
    assert spoken("Well,<think>hm</think> yes") == "Well, yes"


def test_a_stray_closing_tag_is_not_said() -> None:
    assert parsed("Hello.</tool_call>\nYou</think> there") == [("text", "Hello. You there")]


# -- thinking --------------------------------------------------------------------------


def test_thinking_becomes_reasoning_wherever_it_is() -> None:
    assert parsed("<think>\nfirst\n</think>\n\nHello.\n<think>again</think>Bye") == [
        ("reasoning", "first"),
        ("text", "Hello."),
        ("reasoning", " again"),
        ("text", " Bye"),
    ]


def test_a_thinking_models_reply_starts_inside_its_thinking() -> None:
    assert parsed("\nThe user\ngreets.\n</think>\n\nHello.", thinking=True) == [
        ("reasoning", "The user\ngreets."),
        ("text", "Hello."),
    ]


def test_empty_thinking_is_nothing() -> None:
    assert parsed("<think>\n\n</think>\n\nHello.") == [("text", "Hello.")]


def test_an_opening_tag_that_is_repeated_at_once_counts_once() -> None:
    assert parsed("<think>\n<think>\nhm</think>Hello.", thinking=True) == [
        ("reasoning", "hm"),
        ("text", "Hello."),
    ]
    assert parsed("<tool_call>\n" + OSLO + "Done.") == [*TOLD_OSLO, ("text", "Done.")]


def test_thinking_inside_thinking_ends_with_the_outer_one() -> None:
    assert parsed("<think>a<think>b</think><think>c</think>\nd</think>e") == [
        ("reasoning", "abc d"),
        ("text", "e"),
    ]


def test_thinking_that_never_ends_is_never_said() -> None:
    assert parsed("<think>hm\n") == [("reasoning", "hm\n")]


def test_a_call_that_is_only_thought_about_is_not_made() -> None:
    assert parsed(f"<think>{OSLO}</think>No.") == [("reasoning", OSLO), ("text", "No.")]


def test_reasoning_goes_out_as_it_comes() -> None:
    assert HermesParser(thinking=True).feed("Let me") == [ReasoningDelta("Let me")]


# -- calls -----------------------------------------------------------------------------


def test_a_call_is_announced_once_its_name_is_complete() -> None:
    parser = HermesParser()
    assert parser.feed('<tool_call>\n{"arguments": {"name": "no"}, "name": "wea') == []
    assert parser.feed('ther"') == [ToolCallBegun("weather")]
    (request,) = parser.feed("}\n</tool_call>")
    assert isinstance(request, ToolCallRequest)
    assert (request.name, request.arguments) == ("weather", {"name": "no"})


def test_every_call_has_an_id_of_its_own() -> None:
    thoughts = HermesParser().feed(OSLO + OSLO)
    ids = [thought.call_id for thought in thoughts if isinstance(thought, ToolCallRequest)]
    assert len(set(ids)) == 2


@pytest.mark.parametrize(
    ("body", "arguments"),
    [
        ('{"name": "f"}', {}),
        ('{"name": "f", "arguments": "{\\"a\\": 1}"}', {"a": 1}),
        ('```json\n{"name": "f", "arguments": {"a": 1}}\n```', {"a": 1}),
        ('```\n{"name": "f", "arguments": {}}\n```', {}),
        ('{"arguments": {"a": "</tool_call>"},\n "name": "f"}', {"a": "</tool_call>"}),
        ('{"name": "f", "arguments": {"a": "\\"<tool_call>"}}', {"a": '"<tool_call>'}),
        ('{"n\\u0061me": "f", "arguments": {"a": "\\\\"}}', {"a": "\\"}),
    ],
)
def test_a_call_may_be_written_in_several_ways(body: str, arguments: dict[str, Any]) -> None:
    assert parsed(call(body)) == [("begun", "f"), ("call", ("f", arguments))]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("", "not JSON"),
        ("weather(place='Oslo')", "not JSON"),
        ('{"name": "f", "arguments": {"a": 1}', "not JSON"),
        ('{"name": "f"} {"name": "g"}', "not JSON"),
        ('{"name": "f", "arguments": {"a": NaN}}', "NaN is not a number"),
        ('{"name": "f", "arguments": {"a": 1e999}}', "1e999 is not a number"),
        ('{"name": "f", "arguments": {"a": "line\nline"}}', "not JSON"),
        ('{"name": "f", "arguments": {"a": "\\ud800"}}', "not JSON"),
        ('{"name": "f", "arguments": {"a": 1, "a": 2}}', "'a' is given twice"),
        ('{"name": "f", "name": "g", "arguments": {}}', "'name' is given twice"),
        ('{"name": "f", "arguments": "{\\"a\\": 1, \\"a\\": 2}"}', "'a' is given twice"),
        ('{"name": "f", "arguments": ' + "[" * 5000 + "]" * 5000 + "}", "nested too deeply"),
        ('[{"name": "f", "arguments": {}}]', "must be a JSON object"),
        ('"f"', "must be a JSON object"),
        ('{"arguments": {}}', "without a name"),
        ('{"name": 7, "arguments": {}}', "name must be a string"),
        ('{"name": "", "arguments": {}}', "name must be a string"),
        ('{"name": "f", "arguments": [1]}', "arguments must be a JSON object"),
        ('{"name": "f", "arguments": null}', "arguments must be a JSON object"),
        ('{"name": "f", "arguments": "Oslo"}', "not JSON"),
        ('{"name": "f", "arguments": "[1]"}', "arguments must be a JSON object"),
        ('{"name": "f", "parameters": {"a": 1}}', "not 'parameters'"),
    ],
)
def test_a_call_that_cannot_be_read_exactly_is_refused(body: str, says: str) -> None:
    assert says in reason(call(body))


def test_speech_goes_on_after_a_refused_call() -> None:
    assert parsed(f"{call('nonsense')}\nSorry.\n{OSLO}")[1:] == [("text", "Sorry."), *TOLD_OSLO]


def test_a_refused_call_shows_what_the_model_wrote() -> None:
    (thought,) = HermesParser().feed(call('weather("Oslo")'))
    assert isinstance(thought, MalformedCall)
    assert thought.raw == 'weather("Oslo")'


@pytest.mark.parametrize("end", ["", "\n", '"Os', '"Oslo"}}', '"Oslo"}}\n</tool_call'])
def test_a_call_that_is_not_finished_says_whether_the_reply_was_cut(end: str) -> None:
    unfinished = '<tool_call>{"name": "weather", "arguments": {"place": ' + end
    assert reason(unfinished, cut=True) == "the reply was cut off inside a call"
    assert reason(unfinished, cut=False) == "the reply ended inside a call"


def test_a_call_inside_a_call_refuses_both_and_says_neither() -> None:
    inner = '{"name": "f", "arguments": ' + OSLO + "}"
    assert reason(call(inner)) == "a call inside a call"


def test_after_an_open_string_nothing_is_trusted_to_be_speech() -> None:
    broken = call('{"name": "f", "arguments": {"a": "open}}')
    assert reason(f"{broken}\nHello.\n{OSLO}") == "the reply ended inside a call"


def test_a_call_that_is_too_long_is_refused_and_not_kept() -> None:
    parser = HermesParser()
    assert parser.feed('<tool_call>{"name": "f", "arguments": {"a": "') == [ToolCallBegun("f")]
    for _ in range(30):
        assert parser.feed("x" * (LONGEST_CALL // 10)) == []
    refused, text = parser.feed('</tool_call>"}}</tool_call>Sorry.')
    assert isinstance(refused, MalformedCall)
    assert len(refused.raw) == LONGEST_CALL
    assert "longer than 100,000" in refused.reason
    assert text == TextDelta("Sorry.")


def test_more_calls_than_the_limit_are_refused_with_one_word() -> None:
    thoughts = parsed(OSLO * (MOST_CALLS + 5) + "Done.")
    assert thoughts[: 2 * MOST_CALLS] == TOLD_OSLO * MOST_CALLS
    assert thoughts[2 * MOST_CALLS :] == [
        ("malformed", f"more than {MOST_CALLS} calls in one reply"),
        ("text", "Done."),
    ]
