"""OpenAIThinker against a real HTTP server that behaves as scripted, and llama.cpp's own."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import httpx
import pytest
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from omni_agent.conversation import user
from omni_agent.engine import StageOptions
from omni_agent.engines.remote import start_thinker
from omni_agent.engines.remote.server import Server
from omni_agent.engines.remote.servers import Patience
from omni_agent.engines.remote.thinker import OpenAIThinker
from omni_agent.errors import ConfigError, EngineError, EngineUnavailable, ModelStoreError
from omni_agent.models import ModelStore
from omni_agent.thinker import (
    Sampling,
    TextDelta,
    ThinkRequest,
    Thought,
    ToolCallBegun,
    ToolCallRequest,
    ToolSchema,
    Usage,
)
from tests.engines.remote.serving import (
    HELLO,
    STOP,
    Answer,
    Waits,
    nobody,
    serving,
    sse,
    status,
    text,
)

REQUEST = ThinkRequest("Be brief.", (user("hi"),), sampling=Sampling(0.5, 0.9, 40, seed=3))


async def thoughts(
    url: str, request: ThinkRequest = REQUEST, *, key: str | None = None, **options: Any
) -> list[Thought]:
    thinker = OpenAIThinker(url, "m", key, **options)
    try:
        async with aclosing(thinker.think(request)) as stream:  # type: ignore[type-var]  # an async generator
            return [thought async for thought in stream]
    finally:
        await thinker.aclose()


async def test_text_is_streamed_and_the_request_says_everything() -> None:
    async with serving(HELLO) as server:
        assert await thoughts(server.url, key="secret") == [TextDelta("Hel"), TextDelta("lo.")]
    ((body, authorization),) = server.requests
    assert authorization == "Bearer secret"
    assert body["model"] == "m"
    assert body["messages"][0] == {"role": "system", "content": "Be brief."}
    assert (body["temperature"], body["top_p"], body["max_tokens"], body["seed"]) == (
        0.5,
        0.9,
        40,
        3,
    )
    assert body["stream"] is True
    assert "tools" not in body


async def test_a_call_is_announced_then_requested() -> None:
    def piece(**function: str) -> dict[str, Any]:
        return {
            "choices": [{"delta": {"tool_calls": [{"index": 0, "id": "c", "function": function}]}}]
        }

    tool = ToolSchema("f", "Does it.", {"type": "object", "properties": {}})
    request = ThinkRequest("", (user("go"),), (tool,))
    answer = sse(
        piece(name="f", arguments=""), piece(arguments='{"x"'), piece(arguments=": 1}"), STOP
    )
    async with serving(answer) as server:
        begun, called = await thoughts(server.url, request)
        assert begun == ToolCallBegun("f")
        assert isinstance(called, ToolCallRequest)
        assert (called.name, called.arguments) == ("f", {"x": 1})
    assert server.requests[0][0]["tools"][0]["function"]["name"] == "f"
    assert "tool_choice" not in server.requests[0][0]


async def test_a_call_can_be_required() -> None:
    tool = ToolSchema("f", "Does it.", {"type": "object", "properties": {}})
    request = ThinkRequest("", (user("go"),), (tool,), tool_choice="required")
    async with serving(HELLO) as server:
        await thoughts(server.url, request)
    assert server.requests[0][0]["tool_choice"] == "required"


async def test_failures_that_may_pass_are_tried_again_with_growing_waits() -> None:
    waits = Waits()
    async with serving(status(503), status(500), HELLO) as server:
        assert len(await thoughts(server.url, sleep=waits)) == 2
    first, second = waits.seconds
    assert 0.15 <= first <= 0.45
    assert 0.3 <= second <= 0.9


async def test_the_server_may_say_how_long_to_wait_but_not_forever() -> None:
    waits = Waits()
    busy = [
        status(429, "busy", **{"Retry-After": "2"}),
        status(429, "busy", **{"Retry-After": "999"}),
    ]
    async with serving(*busy, HELLO) as server:
        await thoughts(server.url, sleep=waits)
    assert waits.seconds == [2.0, 5.0]


@pytest.mark.parametrize("wait", ["²", "soon", "-1", ""])
async def test_a_wait_that_is_no_number_is_ours_to_choose(wait: str) -> None:
    waits = Waits()
    async with serving(status(429, "busy", **{"Retry-After": wait}), HELLO) as server:
        assert await thoughts(server.url, sleep=waits)
    assert len(waits.seconds) == 1


async def test_after_three_failures_the_reason_is_told() -> None:
    async with serving(status(503, "model is loading")) as server:
        with pytest.raises(EngineError, match="model is loading"):
            await thoughts(server.url, sleep=Waits())
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("code", "advice"), [(401, "API key"), (403, "API key"), (404, "address"), (400, "not accept")]
)
async def test_refusals_are_told_at_once_with_advice(code: int, advice: str) -> None:
    async with serving(status(code, "nope")) as server:
        with pytest.raises(EngineError, match=f"HTTP {code} .nope.: .*{advice}"):
            await thoughts(server.url, sleep=Waits())
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (sse("{not json"), "not JSON"),
        (sse({"error": {"message": "out of memory"}}), "out of memory"),
        (sse(), "empty reply"),
        (lambda: PlainTextResponse("<html>hello</html>"), "no stream"),
        (lambda: Response("data: " + "x" * (2 << 20)), "without end|not JSON"),
        (lambda: Response(b"\xff\xfe\x00data: [DONE]"), "no stream"),
    ],
)
async def test_garbage_is_an_engine_error(answer: Answer, reason: str) -> None:
    async with serving(answer) as server:
        with pytest.raises(EngineError, match=reason):
            await thoughts(server.url, sleep=Waits())


def compressed(code: int = 200) -> Answer:
    body = gzip.compress(b"data: " + b"a" * (32 << 20), 1)
    return lambda: Response(body, code, {"content-encoding": "gzip"}, "text/event-stream")


async def test_a_reply_is_asked_for_as_it_is_and_a_compressed_one_is_not_unpacked() -> None:
    """A hundredth of what it becomes, at once: nobody's call could go on meanwhile."""
    async with serving(compressed()) as server:
        with pytest.raises(EngineError, match=r"compressed \('gzip'\), which it was not asked"):
            await thoughts(server.url)
    assert server.encodings == ["identity"]


async def test_a_compressed_refusal_is_told_by_its_status() -> None:
    async with serving(compressed(401)) as server:
        with pytest.raises(EngineError, match="HTTP 401: check the API key"):
            await thoughts(server.url)


async def test_a_compressed_list_of_models_is_told_at_the_start() -> None:
    async with serving(HELLO) as server:
        server.listed = compressed()
        with pytest.raises(EngineUnavailable, match="compressed"):
            await start_thinker(StageOptions(base_url=server.url))


async def test_a_line_that_breaks_after_words_came_is_not_tried_again() -> None:
    def broken() -> Response:
        return Response(
            f"data: {json.dumps(text('Half'))}\n\n", headers={"content-length": "100000"}
        )

    async with serving(broken) as server:
        thinker = OpenAIThinker(server.url, "m", sleep=Waits())
        stream = aiter(thinker.think(REQUEST))
        assert await anext(stream) == TextDelta("Half")
        with pytest.raises(EngineError, match="cannot be reached"):
            await anext(stream)
        await thinker.aclose()
    assert len(server.requests) == 1


async def test_silence_is_a_timeout() -> None:
    async def nothing() -> AsyncIterator[str]:
        await asyncio.Event().wait()
        yield ""

    async with serving(lambda: StreamingResponse(nothing())) as server:
        with pytest.raises(EngineError, match="said nothing for"):
            await thoughts(server.url, sleep=Waits(), patience=Patience(first_s=0.05))


async def test_closing_the_stream_hangs_up_on_the_server() -> None:
    closed = asyncio.Event()

    async def endless() -> AsyncIterator[str]:
        try:
            while True:
                yield f"data: {json.dumps(text('on and '))}\n\n"
                await asyncio.sleep(0)
        finally:
            closed.set()

    async with serving(lambda: StreamingResponse(endless())) as server:
        thinker = OpenAIThinker(server.url, "m")
        async with aclosing(thinker.think(REQUEST)) as stream:  # type: ignore[type-var]  # an async generator
            async for _ in stream:
                break
        await closed.wait()
        await thinker.aclose()


async def test_a_server_that_fails_without_words_is_told_by_the_kind_of_its_failure() -> None:
    assert "(ReadError)" in Server("http://x/v1").unreachable(httpx.ReadError(""))


async def test_nobody_listening_is_told_with_the_address() -> None:
    url = nobody()
    with pytest.raises(EngineUnavailable, match=f"{url} cannot be reached"):
        await start_thinker(StageOptions(base_url=url))
    with pytest.raises(EngineError, match="is it running"):
        await thoughts(url, sleep=Waits())


@pytest.mark.parametrize(
    "url", [None, "", "localhost:8000", "ftp://x/v1", "http://", "http://a:b/v1"]
)
async def test_an_address_that_is_none_is_a_config_error(url: str | None) -> None:
    with pytest.raises(ConfigError, match="base_url"):
        await start_thinker(StageOptions(base_url=url))


async def test_without_a_model_the_first_one_offered_is_taken() -> None:
    async with serving(HELLO) as server:
        thinker = await start_thinker(StageOptions(base_url=server.url + "/"))
        assert [t async for t in thinker.think(REQUEST)]
        await thinker.aclose()
    assert server.requests[0][0]["model"] == "first"


@pytest.mark.models
async def test_llama_cpps_own_server_is_understood() -> None:
    from omni_agent.engines.process.worker import Job, Worker

    try:
        path = ModelStore().path("smollm2-135m")
    except ModelStoreError as error:
        pytest.skip(str(error))
    options = {"model": str(path), "context": 512, "threads": 1, "key": "k", "states": "/nowhere"}
    worker = Worker(Job("llama", "omni_agent.engines.local.minding:Minding", options))
    try:
        address = str((await worker.start())["address"]) + "/v1"
        with pytest.raises(EngineUnavailable, match="API key"):
            await start_thinker(StageOptions(base_url=address, api_key="wrong"))
        thinker = await start_thinker(StageOptions(base_url=address, api_key="k"))
        greedy = Sampling(temperature=0.0, max_tokens=5)
        request = ThinkRequest("", (user("Say hello."),), sampling=greedy)
        got = [thought async for thought in thinker.think(request)]
        await thinker.aclose()
    finally:
        await worker.aclose()
    assert any(isinstance(thought, TextDelta) for thought in got)
    usage = got[-1]
    assert isinstance(usage, Usage)
    assert 1 <= usage.completion_tokens <= 5
