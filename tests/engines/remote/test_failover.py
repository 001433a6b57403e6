"""Several servers behind one Thinker: what a failure of one does to a reply."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest
from starlette.responses import Response, StreamingResponse

from omni_agent.conversation import user
from omni_agent.engine import StageOptions
from omni_agent.engines.remote import start_thinker
from omni_agent.engines.remote.thinker import OpenAIThinker
from omni_agent.errors import EngineError
from omni_agent.thinker import TextDelta, ThinkRequest
from tests.clocks import put_forward, until
from tests.engines.remote.serving import (
    GREETED,
    HELLO,
    HI,
    STOP,
    Answer,
    Clock,
    Server,
    Waits,
    cluster,
    joined,
    nobody,
    said,
    serving,
    sse,
    status,
    text,
)


def broken() -> Response:
    """A reply that breaks off after its first word."""
    return Response(f"data: {json.dumps(text('Half'))}\n\n", headers={"content-length": "100000"})


def silent() -> Response:
    async def nothing() -> AsyncIterator[str]:
        await asyncio.Event().wait()
        yield ""

    return StreamingResponse(nothing())


def likes(thinker: OpenAIThinker, server: Server) -> ThinkRequest:
    """A request of a conversation that would go to this server."""
    return next(
        request
        for request in (ThinkRequest("", (user("hi"),)) for _ in range(1000))
        if (chosen := thinker.servers.choose(request.items[0].id)) and chosen.url == server.url
    )


@pytest.mark.parametrize(
    "answer",
    [
        status(503, "loading"),
        status(500, "oops"),
        status(429, "busy"),
        status(401, "not you"),
        status(404, "no such model"),
        sse({"error": {"message": "the engine is dead"}}),
        sse(),
        sse(text(""), done=False),
        silent,
    ],
)
async def test_a_failure_before_the_first_word_moves_to_the_next_server_at_once(
    answer: Answer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = Waits()
    async with cluster(answer, HELLO) as (ill, well):
        thinker = OpenAIThinker(joined([ill, well]), "m", sleep=waits)
        answering = asyncio.ensure_future(said(thinker, likes(thinker, ill)))
        if answer is silent:
            await until(lambda: ill.requests)
            put_forward(monkeypatch, thinker.servers.patience(thinker.servers.all[0]).first_s)
        assert await answering == GREETED
        assert len(ill.requests) == 1
        assert await said(thinker, HI) == GREETED  # and it is not asked again
        assert (len(ill.requests), len(well.requests)) == (1, 2)
        await thinker.aclose()
    assert waits.seconds == []
    assert "set aside" in caplog.text


async def test_a_server_that_is_gone_is_passed_over() -> None:
    waits = Waits()
    async with serving(HELLO) as well:
        thinker = OpenAIThinker(f"{nobody()},{well.url}", "m", sleep=waits)
        for _ in range(4):
            assert await said(thinker, ThinkRequest("", (user("hi"),))) == GREETED
        await thinker.aclose()
    assert waits.seconds == []


async def test_after_the_first_word_the_reply_fails_and_the_server_is_set_aside() -> None:
    async with cluster(broken, HELLO) as (ill, well):
        thinker = OpenAIThinker(joined([ill, well]), "m", sleep=Waits())
        stream = aiter(thinker.think(likes(thinker, ill)))
        assert await anext(stream) == TextDelta("Half")
        with pytest.raises(EngineError, match="cannot be reached"):
            await anext(stream)
        assert well.requests == []
        assert [server.aside for server in thinker.servers.all] == [True, False]
        await thinker.aclose()


async def test_a_request_that_is_wrong_is_not_tried_elsewhere() -> None:
    async with cluster(status(400, "no"), status(400, "no")) as servers:
        thinker = OpenAIThinker(joined(servers), "m")
        with pytest.raises(EngineError, match="HTTP 400"):
            await said(thinker)
        assert sum(len(server.requests) for server in servers) == 1
        assert not any(server.aside for server in thinker.servers.all)
        await thinker.aclose()


async def test_when_all_fail_they_are_probed_and_asked_again_after_a_wait() -> None:
    waits = Waits()
    async with cluster(status(503), status(502)) as servers:
        servers[0].health, servers[1].health = 503, 200
        servers[1].answers.append(HELLO)
        thinker = OpenAIThinker(joined(servers), "m", sleep=waits)
        assert await said(thinker, likes(thinker, servers[0])) == GREETED
        assert (len(servers[0].requests), len(servers[1].requests)) == (1, 2)
        assert len(waits.seconds) == 1
        await thinker.aclose()


async def test_a_busy_server_is_spared() -> None:
    gate = asyncio.Event()

    async def slowly() -> AsyncIterator[str]:
        yield f"data: {json.dumps(text('One'))}\n\n"
        await gate.wait()
        yield f"data: {json.dumps(STOP)}\n\ndata: [DONE]\n\n"

    async with cluster(lambda: StreamingResponse(slowly()), HELLO) as (slow, other):
        thinker = OpenAIThinker(joined([slow, other]), "m")
        request = likes(thinker, slow)
        async with aclosing(thinker.think(request)) as stream:  # type: ignore[type-var]  # an async generator
            assert await anext(stream) == TextDelta("One")
            assert await said(thinker, request) == GREETED
            gate.set()
            assert [thought async for thought in stream] == []
        assert (len(slow.requests), len(other.requests)) == (1, 1)
        assert likes(thinker, slow)  # free again, it is as good as the other
        await thinker.aclose()


async def test_servers_come_back_while_the_user_speaks() -> None:
    clock = Clock()
    async with cluster(status(503), HELLO) as (ill, well):
        thinker = OpenAIThinker(joined([ill, well]), "m", clock=clock)
        request = likes(thinker, ill)
        await said(thinker, request)
        ill.answers.append(HELLO)
        await thinker.prepare(request)
        assert ill.probes == []  # its time has not come
        clock.now = 2.0
        await thinker.prepare(request)
        assert ill.probes == ["health", "models"]
        ill.answers.pop(0)
        await said(thinker, request)
        assert (len(ill.requests), len(well.requests)) == (2, 1)
        await thinker.aclose()


async def test_a_single_server_that_fails_is_probed_before_every_further_try() -> None:
    async with serving(status(503)) as server:
        server.health = 503
        thinker = OpenAIThinker(server.url, "m", sleep=Waits())
        with pytest.raises(EngineError, match="HTTP 503 about its health"):
            await said(thinker)
        assert len(server.requests) == 1
        server.health, server.answers = 200, [HELLO]
        assert await said(thinker) == GREETED
        await thinker.aclose()


async def test_the_engine_starts_when_one_of_its_servers_does() -> None:
    async with serving(HELLO) as server:
        options = StageOptions(base_url=f"{nobody()}, {server.url}")
        thinker = await start_thinker(options)
        assert [t async for t in thinker.think(HI)] == GREETED
        await thinker.aclose()
    assert server.bodies[0]["model"] == "first"
