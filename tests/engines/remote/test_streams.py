"""Servers as they are: each stream of the list, over HTTP and however it is cut."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omni_agent.conversation import user
from omni_agent.engines.remote.asking import Lost
from omni_agent.engines.remote.deltas import ChunkReader
from omni_agent.engines.remote.sse import DONE, EventReader
from omni_agent.engines.remote.thinker import OpenAIThinker
from omni_agent.errors import EngineError
from omni_agent.thinker import (
    ReasoningDelta,
    TextDelta,
    ThinkRequest,
    Thought,
    ToolCallBegun,
    ToolCallRequest,
    Usage,
)
from tests.engines.remote.serving import Waits
from tests.engines.remote.streams import STREAMS, TOOLS, Stream

REQUEST = ThinkRequest("", (user("hi"),), TOOLS)
UNDERSTOOD = [stream for stream in STREAMS if not stream.fails]
every_stream = pytest.mark.parametrize("stream", STREAMS, ids=lambda stream: stream.name)


def joined(thoughts: Iterable[Thought]) -> list[Thought]:
    """What was understood, however it was cut: neighbours as one, calls without their ids."""
    result: list[Thought] = []
    for thought in thoughts:
        last = result[-1] if result else None
        match thought, last:
            case (TextDelta(more), TextDelta(text)) | (ReasoningDelta(more), ReasoningDelta(text)):
                result[-1] = type(thought)(text + more)
            case ToolCallRequest(), _:
                result.append(replace(thought, call_id=""))
            case ((ToolCallBegun() | Usage()), _):
                pass
            case _:
                result.append(thought)
    return result


@asynccontextmanager
async def sending(stream: Stream) -> AsyncIterator[str]:
    """A server that answers every request so; its base_url."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if length := re.search(rb"(?i)content-length: (\d+)", head):
            await reader.readexactly(int(length[1]))
        status = f"HTTP/1.1 {stream.status} X\r\nContent-Type: {stream.kind}\r\n"
        writer.write(f"{status}Connection: close\r\n\r\n".encode() + stream.body)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"


@every_stream
async def test_a_stream_is_understood_over_http(stream: Stream) -> None:
    async with sending(stream) as url:
        thinker = OpenAIThinker(url, "m", sleep=Waits())
        thoughts: list[Thought] = []
        try:
            async with aclosing(thinker.think(REQUEST)) as answer:  # type: ignore[type-var]  # an async generator
                if stream.fails:
                    with pytest.raises(EngineError, match=stream.fails):
                        thoughts += [thought async for thought in answer]
                else:
                    thoughts += [thought async for thought in answer]
                    assert joined(thoughts) == list(stream.thoughts)
        finally:
            await thinker.aclose()


def understood(pieces: Iterable[bytes]) -> list[Thought]:
    events, reader = EventReader(), ChunkReader(TOOLS)
    thoughts: list[Thought] = []
    found = [event for piece in pieces for event in events.push(piece)]
    if DONE not in found:
        found += events.finish()
    for event in found:
        if event is DONE:
            break
        thoughts += reader.read(event)
    return joined([*thoughts, *reader.finish(ended=DONE in found or reader.stopped)])


def cut(body: bytes, places: Sequence[int]) -> list[bytes]:
    edges = sorted({0, len(body), *(place % (len(body) + 1) for place in places)})
    return [body[start:end] for start, end in itertools.pairwise(edges)]


@pytest.mark.parametrize("stream", UNDERSTOOD, ids=lambda stream: stream.name)
def test_a_stream_is_understood_byte_by_byte(stream: Stream) -> None:
    assert understood(bytes([byte]) for byte in stream.body) == list(stream.thoughts)


@given(st.sampled_from(UNDERSTOOD), st.lists(st.integers(0, 1 << 20), max_size=12))
def test_a_stream_is_understood_however_it_is_cut(stream: Stream, places: list[int]) -> None:
    assert understood(cut(stream.body, places)) == list(stream.thoughts)


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=8))
def test_bytes_of_any_kind_are_lines_of_any_cut(body: bytes, places: list[int]) -> None:
    def read(pieces: Iterable[bytes]) -> list[object]:
        reader = EventReader()
        try:
            return [*(event for piece in pieces for event in reader.push(piece)), *reader.finish()]
        except EngineError as error:
            return [str(error)]

    assert read(cut(body, places)) == read([body])


def test_there_are_as_many_streams_as_were_promised() -> None:
    assert len({stream.name for stream in STREAMS}) == len(STREAMS) >= 40


@pytest.mark.parametrize(
    ("code", "passing"), [(429, True), (502, True), (400, False), (None, False)]
)
def test_an_error_in_a_stream_may_pass_when_its_code_says_so(code: object, passing: bool) -> None:
    with pytest.raises(Lost) as raised:
        list(ChunkReader().read({"error": {"message": "no", "code": code}}))
    assert raised.value.passing is passing
