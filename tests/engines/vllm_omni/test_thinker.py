"""The Thinker against a real HTTP server that speaks vllm-omni's wire."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace

import numpy as np
import pytest
from starlette.responses import Response, StreamingResponse

from omni_agent.audio import AudioFrame
from omni_agent.conversation import AudioPart, Message, user
from omni_agent.engine import StageOptions
from omni_agent.engines.remote.servers import Servers
from omni_agent.engines.vllm_omni import start_thinker
from omni_agent.engines.vllm_omni.sound import ReplySound
from omni_agent.engines.vllm_omni.thinker import VllmOmniThinker
from omni_agent.errors import ConfigError, EngineError, EngineUnavailable
from omni_agent.thinker import Features, TextDelta, ThinkRequest, Thought, ToolCallRequest
from tests.engines.remote.serving import (
    Answer,
    Server,
    Waits,
    cluster,
    joined,
    nobody,
    serving,
    sse,
    status,
)
from tests.engines.vllm_omni.wire import called, heard, reply, tone, word

REQUEST = ThinkRequest("Be brief.", (user("hi"),), speaker="ethan")
SOUND = [tone(7680), tone(48_000, 10_000), tone(500, 70_000)]
HELLO = sse(*reply(["Hel", "lo."], SOUND))


async def thinking(*servers: Server) -> VllmOmniThinker:
    return VllmOmniThinker(Servers(joined(list(servers)), "omni"), Waits())


async def thoughts(thinker: VllmOmniThinker, request: ThinkRequest = REQUEST) -> list[Thought]:
    return [thought async for thought in thinker.think(request)]


def sound_of(got: list[Thought]) -> ReplySound:
    (handle,) = (thought.handle for thought in got if isinstance(thought, Features))
    assert isinstance(handle, ReplySound)
    return handle


async def test_a_reply_is_asked_for_as_text_and_audio_and_both_come() -> None:
    async with serving(HELLO) as server:
        thinker = await thinking(server)
        got = await thoughts(thinker)
        await thinker.aclose()
    assert [t for t in got if isinstance(t, TextDelta)] == [TextDelta("Hel"), TextDelta("lo.")]
    frames = [frame.pcm async for frame in sound_of(got).frames()]
    assert np.array_equal(np.concatenate(frames), np.concatenate(SOUND))
    (body,) = server.bodies
    assert body["modalities"] == ["text", "audio"]
    assert body["audio"] == {"format": "wav"}
    assert body["speaker"] == "ethan"
    assert body["messages"][0] == {"role": "system", "content": "Be brief."}
    assert body["stream"] is True


async def test_sound_can_be_played_before_the_reply_is_over() -> None:
    gate = asyncio.Event()

    async def slowly() -> AsyncIterator[str]:
        yield f"data: {json.dumps(word('Hello.'))}\n\ndata: {json.dumps(heard(tone(10)))}\n\n"
        await gate.wait()
        yield f"data: {json.dumps(heard(tone(5), last=True))}\n\ndata: [DONE]\n\n"

    async with serving(lambda: StreamingResponse(slowly())) as server:
        thinker = await thinking(server)
        async with aclosing(thinker.think(REQUEST)) as stream:  # type: ignore[type-var]  # an async generator
            features = await anext(stream)
            assert isinstance(features, Features)
            assert await anext(stream) == TextDelta("Hello.")
            over = asyncio.ensure_future(anext(stream, None))
            async with aclosing(features.handle.frames()) as frames:
                assert (await anext(frames)).samples == 10
                assert not over.done()
                gate.set()
                assert [frame.samples async for frame in frames] == [5]
            await over
        await thinker.aclose()


async def test_a_whole_reply_in_one_chunk_is_read_too() -> None:
    minute = tone(24_000 * 60)
    async with serving(sse(word("Long."), word("", last=True), heard(minute, last=True))) as server:
        thinker = await thinking(server)
        got = await thoughts(thinker)
        await thinker.aclose()
    (frame,) = sound_of(got).taken()
    assert np.array_equal(frame.pcm, minute)


async def test_whoever_plays_the_sound_is_released_when_the_reply_is_given_up() -> None:
    async with serving(HELLO) as server:
        thinker = await thinking(server)
        async with aclosing(thinker.think(REQUEST)) as stream:  # type: ignore[type-var]  # an async generator
            features = await anext(stream)
        assert isinstance(features, Features)
        heard_of_it = [frame.samples async for frame in features.handle.frames()]
        assert sum(heard_of_it) < sum(map(len, SOUND))
        assert not features.handle.whole
        await thinker.aclose()


async def test_a_reply_that_breaks_off_is_not_whole() -> None:
    def broken() -> Response:
        chunks = [word("Half"), heard(tone(10))]
        body = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks)
        return Response(body, headers={"content-length": "1000000"})

    async with serving(broken) as server:
        thinker = await thinking(server)
        stream = aiter(thinker.think(REQUEST))
        got = [await anext(stream), await anext(stream)]
        with pytest.raises(EngineError, match="cannot be reached"):
            await anext(stream)
        sound = sound_of(got)
        assert [frame.samples async for frame in sound.frames()] == [10]
        assert not sound.whole
        await thinker.aclose()


async def test_a_call_hangs_up_on_the_server_that_would_go_on_to_voice_it() -> None:
    hung_up = asyncio.Event()

    async def endless() -> AsyncIterator[str]:
        try:
            for chunk in [word(""), *called("find", '{"x": 1}')]:
                yield f"data: {json.dumps(chunk)}\n\n"
            while True:
                yield f"data: {json.dumps(heard(tone(10)))}\n\n"
                await asyncio.sleep(0)
        finally:
            hung_up.set()

    async with serving(lambda: StreamingResponse(endless())) as server:
        thinker = await thinking(server)
        call = (await thoughts(thinker))[-1]
        assert isinstance(call, ToolCallRequest)
        assert (call.name, call.arguments) == ("find", {"x": 1})
        await hung_up.wait()
        await thinker.aclose()


async def test_a_voice_the_model_does_not_have_is_given_up_for_its_own(
    caplog: pytest.LogCaptureFixture,
) -> None:
    unknown = status(400, "Invalid speaker 'ethan'. Supported: aiden, chelsie")
    async with serving(unknown, HELLO) as server:
        thinker = await thinking(server)
        assert TextDelta("lo.") in await thoughts(thinker)
        await thoughts(thinker)
        await thinker.aclose()
    assert ["speaker" in body for body in server.bodies] == [True, False, False]
    assert caplog.text.count("with its own voice from now on") == 1


async def test_a_request_that_is_too_long_does_not_cost_the_voice() -> None:
    long = status(400, "The input is too long: at most 4096 characters per voice request")
    async with serving(long, HELLO) as server:
        thinker = await thinking(server)
        with pytest.raises(EngineError, match="too long"):
            await thoughts(thinker)
        await thoughts(thinker)
        await thinker.aclose()
    assert ["speaker" in body for body in server.bodies] == [True, True]


async def test_a_voice_that_one_persona_lacks_is_not_anothers_loss() -> None:
    unknown = status(400, "Invalid speaker 'ethan'. Supported: aiden, chelsie")
    async with serving(unknown, HELLO) as server:
        thinker = await thinking(server)
        for speaker in ("ethan", "chelsie", "ethan"):
            await thoughts(thinker, replace(REQUEST, speaker=speaker))
        await thinker.aclose()
    asked = [body.get("speaker") for body in server.bodies]
    assert asked == ["ethan", None, "chelsie", None]


@pytest.mark.parametrize(
    "answer",
    [status(503), sse(), sse({"error": {"message": "EngineDeadError"}}), sse(heard(tone(10)))],
)
async def test_a_failure_before_the_first_word_moves_to_another_server(answer: Answer) -> None:
    async with cluster(answer, HELLO) as (ill, well):
        thinker = await thinking(ill, well)
        while not ill.requests:
            got = await thoughts(thinker, ThinkRequest("", (user("hi"),)))
            assert TextDelta("lo.") in got
        # A sound that came before the words of a reply that failed is not played.
        assert sum(frame.samples for frame in sound_of(got).taken()) == sum(map(len, SOUND))
        await thinker.aclose()


async def test_utterances_go_as_audio_until_the_server_refuses_them() -> None:
    heard_words = Message("user", (AudioPart(AudioFrame(tone(160), 16_000), "hi"),))
    deaf = status(400, "audio input is not supported")
    async with serving(deaf, HELLO) as server:
        thinker = await thinking(server)
        assert thinker.hears
        await thoughts(thinker, ThinkRequest("", (heard_words,)))
        assert not thinker.hears
        await thinker.aclose()
    first, second = (body["messages"][-1]["content"] for body in server.bodies)
    assert first[0]["type"] == "input_audio"
    assert second == "hi"


async def test_starting_finds_the_model_and_says_what_it_means(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    async with serving(HELLO) as server:
        server.models = ["Qwen/Qwen3-Omni"]
        thinker = await start_thinker(StageOptions(base_url=f"{nobody()},{server.url}"))
        assert [t async for t in thinker.think(REQUEST)]
        await thinker.aclose()
    assert server.bodies[0]["model"] == "Qwen/Qwen3-Omni"
    assert "not what is heard" in caplog.text


async def test_without_an_address_or_a_server_it_does_not_start() -> None:
    with pytest.raises(ConfigError, match="base_url"):
        await start_thinker(StageOptions())
    with pytest.raises(EngineUnavailable, match="is it running"):
        await start_thinker(StageOptions(base_url=nobody()))
