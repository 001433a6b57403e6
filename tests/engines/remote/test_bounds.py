"""Everything that a server can send has an end."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, islice, repeat
from typing import Any

import pytest

from omni_agent.engines.remote.deltas import ChunkReader
from omni_agent.engines.remote.sse import EventReader
from omni_agent.errors import EngineError
from tests.engines.remote.streams import TOOLS, delta, piece

LONG = "x" * 60_000


def calls_without_end() -> Iterator[Any]:
    return (piece(index=n, name="now", arguments="{}") for n in count())


@pytest.mark.parametrize(
    "chunks",
    [
        repeat(delta(content=LONG)),
        repeat(delta(reasoning=LONG)),
        repeat(delta(refusal=LONG)),
        repeat(delta(content=[{"type": "text", "text": LONG}])),
        repeat(delta(content="<tool_call>" + LONG)),
        repeat(delta(content='{"a' + LONG)),
        repeat(delta(content="[" + "<" * 60_000)),
        repeat(piece(index=0, name="now", arguments=LONG)),
        repeat(piece(index=0, name="n" + LONG)),
        (piece(index=0, name=str(n)) for n in count()),
        repeat(delta(content='<tool_call>{"name": "now"}</tool_call>')),
        calls_without_end(),
    ],
    ids=[
        "text", "reasoning", "a refusal", "parts", "a call in the text", "a brace",
        "what may be a mark", "arguments", "a name", "a name in pieces", "calls in the text",
        "calls",
    ],
)  # fmt: skip
def test_a_reply_without_end_is_refused(chunks: Iterator[Any]) -> None:
    reader = ChunkReader(TOOLS)
    read = (thought for chunk in islice(chunks, 2000) for thought in reader.read(chunk))
    with pytest.raises(EngineError, match=r"without end|more than"):
        list(read)


@pytest.mark.parametrize(
    "piece", [b"x" * (1 << 20), b"data: " + b"x" * (1 << 20) + b"\n", b"y" * (1 << 20) + b"\n"]
)
def test_a_line_and_an_event_without_end_are_refused(piece: bytes) -> None:
    reader = EventReader()
    read = (event for _ in range(20) for event in reader.push(piece))
    with pytest.raises(EngineError, match="without end"):
        list(read)


@pytest.mark.parametrize("line", [b"x\n", b"event: message\n", b"<p>not here</p>\n"])
def test_a_body_without_events_is_kept_no_longer_than_an_error_page(line: bytes) -> None:
    reader = EventReader()
    read = (event for _ in range(70) for event in reader.push(line * 1000))
    with pytest.raises(EngineError, match="without end"):
        list(read)


def test_comments_are_not_kept_however_many_come_before_the_first_event() -> None:
    reader = EventReader()
    for _ in range(100):
        assert not list(reader.push(b": processing\n\n" * 1000))
    assert not reader._plain
    assert list(reader.push(b'data: {"a": 1}\n\n')) == [{"a": 1}]


def test_arguments_nested_without_end_are_no_call() -> None:
    reader = ChunkReader(TOOLS)
    deep = '{"a":' * 15_000 + "1" + "}" * 15_000
    for start in range(0, len(deep), 10_000):
        list(reader.read(piece(index=0, name="now", arguments=deep[start : start + 10_000])))
    (thought,) = reader.finish(ended=True)
    assert "too deep" in getattr(thought, "reason", "")
