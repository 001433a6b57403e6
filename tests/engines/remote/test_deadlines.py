"""A server that hangs ends in an error soon, whatever it sends to keep the line open."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest
from starlette.responses import StreamingResponse

from omni_agent.conversation import user
from omni_agent.engines.remote.deltas import ChunkReader
from omni_agent.engines.remote.servers import PATIENCE, Patience, Servers
from omni_agent.engines.remote.thinker import OpenAIThinker
from omni_agent.errors import EngineError
from omni_agent.thinker import TextDelta, ThinkRequest, Thought, ToolSchema
from tests.clocks import put_forward, until
from tests.engines.remote.serving import HELLO, Answer, Waits, cluster, joined, serving, text

REQUEST = ThinkRequest("", (user("hi"),))
LONG = Patience(first_s=1000.0, next_s=1000.0, whole_s=1e6)
"""Longer than any machine is busy."""


def sending(*first: str, then: str = "") -> Answer:
    """``first``, and then nothing, or the same for ever."""

    async def pieces() -> AsyncIterator[str]:
        for piece in first:
            yield piece
        while then:
            yield then
            await asyncio.sleep(0.01)
        await asyncio.Event().wait()

    return lambda: StreamingResponse(pieces())


def event(chunk: object) -> str:
    return f"data: {json.dumps(chunk)}\n\n"


ROLE = event({"choices": [{"delta": {"role": "assistant", "content": ""}}]})


@pytest.mark.parametrize(
    "answer",
    [sending(), sending(then=": ping\n\n"), sending(ROLE), sending(then=ROLE), sending("data: {")],
    ids=["nothing", "comments", "a role", "empty chunks", "half a line"],
)
async def test_without_a_first_word_the_server_is_asked_once_and_no_more(
    answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = Waits()
    async with serving(answer) as server:
        thinker = OpenAIThinker(server.url, "m", sleep=waits, patience=LONG)
        asking = asyncio.ensure_future(anext(aiter(thinker.think(REQUEST))))
        await until(lambda: server.requests)
        put_forward(monkeypatch, LONG.first_s)
        with pytest.raises(EngineError, match="said nothing for 1000 s"):
            await asking
        await thinker.aclose()
    assert len(server.requests) == 1
    assert waits.seconds == []


@pytest.mark.parametrize("then", ["", ": ping\n\n"])
async def test_a_reply_that_stalls_is_broken_off(
    then: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(sending(event(text("Half ")), then=then)) as server:
        thinker = OpenAIThinker(server.url, "m", patience=LONG)
        answer = aiter(thinker.think(REQUEST))
        assert await anext(answer) == TextDelta("Half ")
        going_on = asyncio.ensure_future(anext(answer))
        await asyncio.sleep(0)  # it waits for more
        put_forward(monkeypatch, LONG.next_s)
        with pytest.raises(EngineError, match="said nothing for 1000 s"):
            await going_on
        await thinker.aclose()
    assert len(server.requests) == 1


@pytest.mark.parametrize("begins", ["Hm, ", '{"name": "now"', "<tool_call>"])
async def test_a_reply_that_is_held_back_is_no_silence(
    begins: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on, read = asyncio.Event(), list[object]()
    grow = ChunkReader.read

    def noted(reader: ChunkReader, chunk: object) -> Iterator[Thought]:
        yield from grow(reader, chunk)
        read.append(chunk)

    monkeypatch.setattr(ChunkReader, "read", noted)

    async def pieces() -> AsyncIterator[str]:
        yield event(text(begins))
        await goes_on.wait()
        yield event(text("</think>")) + event(text("Yes."))
        yield "data: [DONE]\n\n"

    patience = replace(LONG, next_s=3 * LONG.first_s)
    tools = (ToolSchema("now", "", {"type": "object", "properties": {}}),)
    async with serving(lambda: StreamingResponse(pieces())) as server:
        thinker = OpenAIThinker(server.url, "m", patience=patience, sleep=Waits())
        if begins == "Hm, ":
            thinker.servers.all[0].habits.add("unopened")

        async def answer() -> list[Thought]:
            return [part async for part in thinker.think(replace(REQUEST, tools=tools))]

        asking = asyncio.ensure_future(answer())
        await until(lambda: read)
        put_forward(monkeypatch, 2 * LONG.first_s)
        goes_on.set()
        assert await asking
        await thinker.aclose()
    assert len(server.requests) == 1


async def test_a_reply_that_comes_to_no_end_gets_one(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(sending(event(text("Half ")), then=ROLE)) as server:
        thinker = OpenAIThinker(server.url, "m", patience=replace(LONG, whole_s=500.0))
        answer = aiter(thinker.think(REQUEST))
        assert await anext(answer) == TextDelta("Half ")
        going_on = asyncio.ensure_future(anext(answer))
        await asyncio.sleep(0)  # it waits for more
        put_forward(monkeypatch, 500)
        with pytest.raises(EngineError, match="came to no end"):
            await going_on
        await thinker.aclose()


async def test_who_reads_slowly_does_not_make_the_server_slow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with serving(HELLO) as server:
        thinker = OpenAIThinker(server.url, "m", patience=LONG)
        said = []
        async for thought in thinker.think(REQUEST):
            said.append(thought)
            put_forward(monkeypatch, 2 * LONG.next_s)  # the Talker's time
        await thinker.aclose()
    assert said == [TextDelta("Hel"), TextDelta("lo.")]


async def test_a_hanging_server_is_passed_over_for_the_next_and_all_have_an_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with cluster(sending(), sending(), sending()) as servers:

        async def hangs(asked: int, seconds: float) -> None:
            await until(lambda: sum(len(server.requests) for server in servers) == asked)
            put_forward(monkeypatch, seconds)

        thinker = OpenAIThinker(joined(servers), "m", sleep=Waits(), patience=LONG)
        asking = asyncio.ensure_future(anext(aiter(thinker.think(REQUEST))))
        await hangs(1, 20)  # less long while another could answer
        await hangs(2, 20)
        await hangs(3, LONG.first_s)
        with pytest.raises(EngineError, match="said nothing"):
            await asking
        assert [len(server.requests) for server in servers] == [1, 1, 1]
        await thinker.aclose()
        monkeypatch.setattr("omni_agent.engines.remote.asking._LONGEST_S", 0.0)
        thinker = OpenAIThinker(joined(servers), "m", sleep=Waits(), patience=LONG)
        asking = asyncio.ensure_future(anext(aiter(thinker.think(REQUEST))))
        await hangs(4, 20)
        with pytest.raises(EngineError, match="said nothing"):
            await asking
        assert sum(len(server.requests) for server in servers) == 4
        await thinker.aclose()


def test_the_longest_wait_of_a_caller_is_well_under_a_minute() -> None:
    assert PATIENCE.connect_s < PATIENCE.next_s < PATIENCE.first_s <= 40
    two = Servers("http://a/v1,http://b/v1")
    assert two.patience(two.all[0]).first_s == 20
