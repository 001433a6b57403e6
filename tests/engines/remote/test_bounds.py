"""Everything that a server can send has an end."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, islice, repeat
from pathlib import Path
from typing import Any

import httpx
import pytest

from omni_agent.engines.remote.bounded_json import MOST_VALUES
from omni_agent.engines.remote.deltas import ChunkReader
from omni_agent.engines.remote.server import _LONGEST_LIST, Server, models
from omni_agent.engines.remote.sse import SPEECH, TEXT, Bounds, EventReader
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


@pytest.mark.parametrize("unit", ["[]", "{}", "1", '{"a":1}'])
def test_a_line_of_more_values_than_a_chunk_has_is_not_read(unit: str) -> None:
    line = f'data: {{"x":[{",".join([unit] * 100_000)}]}}\n\n'.encode()
    with pytest.raises(EngineError, match="not JSON"):
        list(EventReader(SPEECH).push(line))


def test_a_line_is_as_long_as_a_text_may_be_or_as_speech_may_be() -> None:
    long = b'data: {"x":"' + b"y" * (4 << 20) + b'"}\n\n'
    (event,) = EventReader(SPEECH).push(long)
    assert len(event["x"]) == 4 << 20
    with pytest.raises(EngineError, match="line without end"):
        list(EventReader(TEXT).push(long[: 2 << 20]))


@pytest.mark.parametrize(
    "piece", [b": alive\n\n" * 7000, b"\r\n" * 30_000, b'data: {"a":1}\n' * 4000]
)
def test_all_of_a_reply_has_an_end_however_short_its_lines(piece: bytes) -> None:
    reader = EventReader(Bounds(TEXT.line, 1 << 20))
    read = (event for _ in range(20) for event in reader.push(piece))
    with pytest.raises(EngineError, match="reply without end"):
        list(read)


@pytest.mark.parametrize("body", ['{"data":[' + ",".join(["{}"] * 300_000) + "]}", "²"])
async def test_a_list_of_models_without_end_is_no_list(body: str) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=httpx.ByteStream(body.encode()))

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        assert await models(http, Server("http://a/v1")) == []


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


def test_the_page_tells_the_bounds_as_they_are() -> None:
    page = (Path(__file__).parents[3] / "docs" / "engines.md").read_text()
    told = " ".join(page.split())
    for text in (
        f"a line or event {TEXT.line >> 20} MiB ({SPEECH.line >> 20} MiB with speech)",
        f"a stream {TEXT.whole >> 20} MiB ({SPEECH.whole >> 20} MiB with speech)",
        f"a JSON {MOST_VALUES:,} values",
        f"a list of models {_LONGEST_LIST >> 20} MiB",
    ):
        assert text in told
