"""Chunks of a streamed completion, as various servers send them."""

from __future__ import annotations

import itertools
import json
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omni_agent.engines.remote.asking import Lost
from omni_agent.engines.remote.deltas import ChunkReader
from omni_agent.errors import EngineError
from omni_agent.thinker import (
    MalformedCall,
    ReasoningDelta,
    TextDelta,
    Thought,
    ToolCallBegun,
    ToolCallRequest,
    Usage,
)


def delta(finish: str | None = None, **fields: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": fields, "finish_reason": finish}]}


def call(index: int | None = 0, **fields: Any) -> dict[str, Any]:
    given_index = {} if index is None else {"index": index}
    ident = {"id": fields.pop("id")} if "id" in fields else {}
    return delta(tool_calls=[{**given_index, **ident, "function": fields}])


def read(*chunks: Any) -> list[Thought]:
    """What a whole reply gives; calls without their ids, which are made up."""
    reader = ChunkReader()
    thoughts = [thought for chunk in chunks for thought in reader.read(chunk)]
    return [
        replace(thought, call_id="") if isinstance(thought, ToolCallRequest) else thought
        for thought in [*thoughts, *reader.finish(ended=True)]
    ]


@given(
    st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=8), max_size=4),
    st.lists(st.integers(0, 60), max_size=8),
)
def test_arguments_cut_anywhere_are_put_together(
    arguments: dict[str, Any], cuts: list[int]
) -> None:
    text = json.dumps(arguments)
    edges = sorted({0, len(text), *(min(cut, len(text)) for cut in cuts)})
    pieces = [text[start:end] for start, end in itertools.pairwise(edges)]
    thoughts = read(
        call(id="c1", name="find", arguments=""), *(call(arguments=piece) for piece in pieces)
    )
    assert thoughts == [ToolCallBegun("find"), ToolCallRequest("", "find", arguments)]


def test_parallel_calls_are_told_apart_by_index() -> None:
    thoughts = read(
        call(0, id="a", name="f", arguments='{"x"'),
        call(1, id="b", name="g", arguments="{}"),
        call(0, arguments=":1}"),
    )
    assert thoughts[2:] == [ToolCallRequest("", "f", {"x": 1}), ToolCallRequest("", "g", {})]


def test_a_name_that_is_sent_again_with_each_piece_is_not_doubled() -> None:
    thoughts = read(
        call(id="a", name="find", arguments='{"x"'), call(id="a", name="find", arguments=":1}")
    )
    assert thoughts[-1] == ToolCallRequest("", "find", {"x": 1})


def test_a_call_without_index_id_or_arguments_is_read_all_the_same() -> None:
    (thought,) = read(call(None, name="now"))
    assert isinstance(thought, ToolCallRequest)
    assert (thought.name, thought.arguments) == ("now", {})


def test_arguments_sent_as_an_object_are_read() -> None:
    assert read(call(id="a", name="f", arguments={"x": 1}))[-1] == ToolCallRequest(
        "", "f", {"x": 1}
    )


def test_text_and_reasoning_are_kept_apart() -> None:
    assert read(delta(reasoning_content="hm"), delta(content="Hi"), delta("stop")) == [
        ReasoningDelta("hm"),
        TextDelta("Hi"),
    ]


def test_a_think_block_in_the_content_is_reasoning_too_and_what_is_left_comes_at_the_end() -> None:
    assert read(delta(content="<think>hm</th"), delta(content="ink>\nHi"), delta("stop")) == [
        ReasoningDelta("hm"),
        TextDelta("Hi"),
    ]
    assert read(delta(content="<thi")) == [TextDelta("<thi")]


def test_usage_is_the_last_thought() -> None:
    usage = {
        "prompt_tokens": 9,
        "completion_tokens": 2,
        "prompt_tokens_details": {"cached_tokens": 7},
    }
    assert read(delta(content="Hi"), {"choices": [], "usage": usage})[-1] == Usage(9, 7, 2)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [('{"x":', "cannot be read"), ("[1]", "not an object"), ("nonsense", "cannot be read")],
)
def test_arguments_that_are_no_object_are_malformed(arguments: str, reason: str) -> None:
    thought = read(call(id="a", name="f", arguments=arguments))[-1]
    assert isinstance(thought, MalformedCall)
    assert reason in thought.reason


def test_a_call_without_a_name_is_malformed() -> None:
    (thought,) = read(call(id="a", arguments="{}"))
    assert isinstance(thought, MalformedCall)


def test_a_call_cut_by_the_token_limit_says_so() -> None:
    thought = read(call(id="a", name="f", arguments='{"x": "lon'), delta("length"))[-1]
    assert isinstance(thought, MalformedCall)
    assert thought.reason == "the reply was cut off"


@pytest.mark.parametrize(
    "chunk", [[], "x", 3, {"error": {"message": "overloaded"}}, {"error": "x"}]
)
def test_errors_and_things_that_are_no_chunks_end_the_reply(chunk: Any) -> None:
    with pytest.raises((EngineError, Lost)):
        read(chunk)


KEYS = [
    "choices", "delta", "message", "tool_calls", "function_call", "function", "name", "arguments",
    "content", "refusal", "reasoning", "index", "id", "type", "text", "thinking", "finish_reason",
    "usage", "error", "code", "object", "extra_content",
]  # fmt: skip
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(KEYS),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


def test_ids_are_unique_whatever_the_server_counts_from() -> None:
    def ident() -> str:
        reader = ChunkReader()
        list(reader.read(call(id="0", name="now", arguments="{}")))
        (thought,) = reader.finish(ended=True)
        assert isinstance(thought, ToolCallRequest)
        return thought.call_id

    assert ident() != ident()
    assert re.fullmatch("[0-9a-f]{9}", ident())  # which is all that Mistral takes


@given(st.lists(json_values, max_size=4))
def test_no_json_at_all_breaks_the_reader_otherwise(chunks: list[Any]) -> None:
    try:
        read(*chunks)
    except (EngineError, Lost):
        return


def test_calls_without_end_are_refused() -> None:
    with pytest.raises(EngineError, match="more than"):
        read(*(call(n, name="f") for n in range(100)))
