"""A server that hangs ends in an error soon, whatever it sends to keep the line open."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from starlette.responses import StreamingResponse

from omni_agent.conversation import user
from omni_agent.engines.remote import asking
from omni_agent.engines.remote.servers import PATIENCE, Patience, Servers
from omni_agent.engines.remote.thinker import OpenAIThinker
from omni_agent.errors import EngineError
from omni_agent.thinker import TextDelta, ThinkRequest
from tests.engines.remote.serving import HELLO, Answer, Waits, cluster, joined, serving, text

REQUEST = ThinkRequest("", (user("hi"),))
SOON = Patience(first_s=0.1, next_s=0.1)


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
async def test_without_a_first_word_the_server_is_asked_once_and_no_more(answer: Answer) -> None:
    waits = Waits()
    async with serving(answer) as server:
        thinker = OpenAIThinker(server.url, "m", sleep=waits, patience=SOON)
        with pytest.raises(EngineError, match=r"said nothing for 0\.1 s"):
            _ = [thought async for thought in thinker.think(REQUEST)]
        await thinker.aclose()
    assert len(server.requests) == 1
    assert waits.seconds == []


@pytest.mark.parametrize("then", ["", ": ping\n\n"])
async def test_a_reply_that_stalls_is_broken_off(then: str) -> None:
    async with serving(sending(event(text("Half ")), then=then)) as server:
        thinker = OpenAIThinker(server.url, "m", patience=SOON)
        answer = aiter(thinker.think(REQUEST))
        assert await anext(answer) == TextDelta("Half ")
        with pytest.raises(EngineError, match=r"said nothing for 0\.1 s"):
            await anext(answer)
        await thinker.aclose()
    assert len(server.requests) == 1


async def test_a_reply_that_comes_to_no_end_gets_one() -> None:
    async with serving(sending(event(text("Half ")), then=ROLE)) as server:
        patience = Patience(first_s=1.0, next_s=1.0, whole_s=0.3)
        thinker = OpenAIThinker(server.url, "m", patience=patience)
        answer = aiter(thinker.think(REQUEST))
        assert await anext(answer) == TextDelta("Half ")
        with pytest.raises(EngineError, match="came to no end"):
            await anext(answer)
        await thinker.aclose()


async def test_who_reads_slowly_does_not_make_the_server_slow() -> None:
    async with serving(HELLO) as server:
        thinker = OpenAIThinker(server.url, "m", patience=SOON)
        said = []
        async for thought in thinker.think(REQUEST):
            said.append(thought)
            await asyncio.sleep(0.2)  # the Talker's: longer than the server may be silent
        await thinker.aclose()
    assert said == [TextDelta("Hel"), TextDelta("lo.")]


async def test_a_hanging_server_is_passed_over_for_the_next_and_all_have_an_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with cluster(sending(), sending(), sending()) as servers:
        thinker = OpenAIThinker(joined(servers), "m", sleep=Waits(), patience=SOON)
        with pytest.raises(EngineError, match="said nothing"):
            _ = [thought async for thought in thinker.think(REQUEST)]
        assert [len(server.requests) for server in servers] == [1, 1, 1]
        await thinker.aclose()
        monkeypatch.setattr(asking, "_LONGEST_S", 0.0)
        thinker = OpenAIThinker(joined(servers), "m", sleep=Waits(), patience=SOON)
        with pytest.raises(EngineError, match="said nothing"):
            _ = [thought async for thought in thinker.think(REQUEST)]
        assert sum(len(server.requests) for server in servers) == 4
        await thinker.aclose()


def test_the_longest_wait_of_a_caller_is_well_under_a_minute() -> None:
    assert PATIENCE.connect_s < PATIENCE.next_s < PATIENCE.first_s <= 40
    two = Servers("http://a/v1,http://b/v1")
    assert two.patience(two.all[0]).first_s == 20
