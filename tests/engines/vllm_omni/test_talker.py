"""The Talker: the server's sound played, and other texts spoken by the server."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from contextlib import aclosing

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import Response, StreamingResponse

from omni_agent.audio import AudioFrame, Pcm
from omni_agent.engine import StageOptions
from omni_agent.engines.remote.recordings import wav
from omni_agent.engines.remote.servers import Servers
from omni_agent.engines.vllm_omni import start_talker
from omni_agent.engines.vllm_omni.sound import ReplySound
from omni_agent.engines.vllm_omni.talker import VllmOmniTalker
from omni_agent.errors import ConfigError, EngineError
from omni_agent.streams import Channel, one
from omni_agent.talker import Speech, Voice
from tests.engines.remote.serving import HELLO, Answer, Clock, Waits, serving, sse, status
from tests.engines.vllm_omni.wire import heard, reply, streamed_wav, tone, word

NOWHERE = "http://127.0.0.1:9/v1"
WORDS = "Good evening, what can I do?"


def talker(url: str = NOWHERE) -> VllmOmniTalker:
    return VllmOmniTalker(Servers(url, "omni"), Waits())


def sounding(*parts: Pcm, whole: bool = True) -> ReplySound:
    sound = ReplySound()
    for part in parts:
        sound.put(AudioFrame(part, 24_000))
    sound.end(whole=whole)
    return sound


async def spoken(
    speaking: VllmOmniTalker, text: AsyncIterator[str], voice: Voice | None = None
) -> list[Speech]:
    try:
        return [piece async for piece in speaking.speak(text, voice or Voice())]
    finally:
        await speaking.aclose()


def pcm(speech: list[Speech]) -> Pcm:
    return np.concatenate([np.zeros(0, np.int16), *(piece.audio.pcm for piece in speech)])


# -- a reply's own sound ---------------------------------------------------------------


@given(st.lists(st.integers(0, 6000), max_size=8))
async def test_the_sound_is_played_to_the_sample_in_pieces_no_longer_than_100_ms(
    sizes: list[int],
) -> None:
    parts = [tone(size, 7 * at + 1) for at, size in enumerate(sizes)]
    speech = await spoken(talker(), one(WORDS), Voice(features=sounding(*parts)))
    assert np.array_equal(pcm(speech), np.concatenate([np.zeros(0, np.int16), *parts]))
    assert all(1 <= piece.audio.samples <= 2400 for piece in speech)


async def test_marks_never_fall_and_the_last_is_the_end_of_the_text() -> None:
    speech = await spoken(talker(), one(WORDS), Voice(features=sounding(tone(48_000))))
    ends = [piece.text_end for piece in speech]
    assert ends == sorted(ends)
    assert ends[0] <= 2  # 100 ms
    assert 12 <= ends[9] <= 20  # a second, at 16 characters a second
    assert ends[-1] == len(WORDS)


async def test_captions_are_taken_while_the_sound_is_still_awaited() -> None:
    sound, text, captions = ReplySound(), Channel(), Channel()

    async def noted() -> AsyncIterator[str]:
        async for piece in text:
            captions.put(piece)
            yield piece

    text.put("Hello ")
    playing = asyncio.ensure_future(spoken(talker(), noted(), Voice(features=sound)))
    seen = aiter(captions)
    assert await anext(seen) == "Hello "
    sound.put(AudioFrame(tone(4800), 24_000))
    text.put("there.")
    assert await anext(seen) == "there."
    sound.end(whole=True)
    text.close()
    speech = await playing
    assert speech[-1].text_end == len("Hello there.")


async def test_of_a_reply_that_broke_off_only_what_was_voiced_counts() -> None:
    sound = sounding(tone(24_000), whole=False)
    speech = await spoken(talker(), one("a" * 100), Voice(features=sound))
    assert 12 <= speech[-1].text_end <= 20


async def test_a_call_behind_the_words_is_not_played() -> None:
    sound = ReplySound()
    sound.calling = True
    for at in range(40):
        sound.put(AudioFrame(tone(2400, at + 1), 24_000))
    speech = await spoken(talker(), one("Let me look. "), Voice(features=sound))
    assert speech[-1].text_end == len("Let me look. ")
    assert 0.7 <= sum(piece.audio.seconds for piece in speech) <= 1.3
    assert sound.enough


async def test_closing_it_stops_taking_captions() -> None:
    sound, text, closed = ReplySound(), Channel(), asyncio.Event()

    async def noted() -> AsyncIterator[str]:
        try:
            async for piece in text:
                yield piece
        finally:
            closed.set()

    text.put("Hello")
    sound.put(AudioFrame(tone(4800), 24_000))
    speaking = talker()
    async with aclosing(speaking.speak(noted(), Voice(features=sound))) as speech:  # type: ignore[type-var]  # an async generator
        await anext(speech)
    assert closed.is_set()
    await speaking.aclose()


async def test_a_text_that_fails_fails_the_speech() -> None:
    async def failing() -> AsyncIterator[str]:
        yield "Hello"
        raise ValueError("a filter's fault")

    with pytest.raises(ValueError, match="a filter's fault"):
        await spoken(talker(), failing(), Voice(features=sounding(tone(4800))))


# -- other texts -------------------------------------------------------------------------


async def test_a_server_with_a_speech_endpoint_is_asked_to_speak_the_text() -> None:
    sound = tone(30_000)

    async def streamed() -> AsyncIterator[bytes]:
        data = streamed_wav(sound)
        for at in range(0, len(data), 999):
            yield data[at : at + 999]

    async with serving(HELLO) as server:
        server.spoken = lambda: StreamingResponse(streamed(), media_type="audio/wav")
        speech = await spoken(talker(server.url), one(WORDS), Voice(speaker="ethan"))
    assert np.array_equal(pcm(speech), sound)
    assert speech[-1].text_end == len(WORDS)
    assert server.texts == [
        {
            "model": "omni",
            "input": WORDS,
            "voice": "ethan",
            "response_format": "wav",
            "stream_format": "audio",
        }
    ]
    assert server.requests == []


async def test_a_server_without_one_has_its_model_read_the_text() -> None:
    parts = [tone(7680), tone(20_000, 9000)]
    async with serving(sse(*reply(["Good evening,", " what can I do?"], parts))) as server:
        speaking = talker(server.url)
        speech = [piece async for piece in speaking.speak(one(WORDS), Voice(speaker="ethan"))]
        again = await spoken(speaking, one(WORDS))
    assert np.array_equal(pcm(speech), np.concatenate(parts))
    assert np.array_equal(pcm(again), np.concatenate(parts))
    assert len(server.texts) == 1  # its answer is remembered
    body = server.bodies[0]
    assert body["messages"][-1] == {"role": "user", "content": WORDS}
    assert body["modalities"] == ["text", "audio"]
    assert (body["speaker"], body["temperature"]) == ("ethan", 0.0)


@pytest.mark.parametrize(
    ("refusal", "asked_again"), [(status(422, "no"), True), (status(404), False)]
)
async def test_an_endpoint_that_gives_no_reason_is_tried_again_after_an_hour(
    refusal: Answer, asked_again: bool
) -> None:
    clock = Clock()
    async with serving(sse(*reply([WORDS], [tone(9)]))) as server:
        server.spoken = refusal
        speaking = VllmOmniTalker(Servers(server.url, "omni", clock=clock), Waits())
        for seconds in (0, 3599, 2):
            clock.now += seconds
            assert [piece async for piece in speaking.speak(one(WORDS), Voice())]
        await speaking.aclose()
    assert len(server.texts) == 1 + asked_again


@pytest.mark.parametrize(
    "said",
    [
        ["Good evening! ", "I am well."],
        ["Good evening,"],
        ["Good evening, what can I do?", " Sure, I can help."],
        ["Okay: Good evening, what can I do?"],
    ],
)
async def test_another_text_than_asked_is_not_spoken_as_if_it_were(said: list[str]) -> None:
    chunks = [*map(word, said), heard(tone(4800)), word("", last=True), heard(tone(9), last=True)]
    async with serving(sse(*chunks)) as server:
        with pytest.raises(EngineError, match="the model said something else"):
            await spoken(talker(server.url), one(WORDS))


async def test_nothing_is_heard_before_the_text_is_known_to_be_right() -> None:
    gate = asyncio.Event()

    async def slowly() -> AsyncIterator[str]:
        for chunk in [word("Good evening,"), heard(tone(4800))]:
            yield f"data: {json.dumps(chunk)}\n\n"
        await gate.wait()
        yield f"data: {json.dumps(word(' and so on.'))}\n\ndata: [DONE]\n\n"

    async with serving(lambda: StreamingResponse(slowly())) as server:
        speaking = talker(server.url)
        stream = aiter(speaking.speak(one(WORDS), Voice()))
        first = asyncio.ensure_future(anext(stream))
        gate.set()
        with pytest.raises(EngineError, match="something else"):
            await first
        await speaking.aclose()


async def test_speech_that_comes_compressed_is_not_unpacked() -> None:
    bomb = gzip.compress(bytes(32 << 20), 1)
    async with serving(HELLO) as server:
        server.spoken = lambda: Response(bomb, headers={"content-encoding": "gzip"})
        with pytest.raises(EngineError, match="compressed"):
            await spoken(talker(server.url), one(WORDS))


async def test_case_and_marks_of_a_text_need_not_be_the_same() -> None:
    async with serving(sse(*reply(["good evening - ", "WHAT can I do"], [tone(9)]))) as server:
        assert len(pcm(await spoken(talker(server.url), one(WORDS)))) == 9


async def test_a_text_without_letters_is_silence() -> None:
    assert await spoken(talker(), one(" … \n")) == []


async def test_a_sound_that_was_played_is_not_played_again_for_another_text() -> None:
    sound = sounding(tone(4800))
    async with serving(sse(*reply([WORDS], [tone(9)]))) as server:
        speaking = talker(server.url)
        voice = Voice(features=sound)
        assert len(pcm([p async for p in speaking.speak(one("Hello."), voice)])) == 4800
        assert len(pcm(await spoken(speaking, one(WORDS), voice))) == 9


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (status(503, "overloaded"), "overloaded"),
        (lambda: Response(b"RIFF____AVI "), "not WAV"),
    ],
)
async def test_what_goes_wrong_at_the_speech_endpoint_is_told(answer: Answer, reason: str) -> None:
    async with serving(HELLO) as server:
        server.spoken = answer
        with pytest.raises(EngineError, match=reason):
            await spoken(talker(server.url), one(WORDS))


@pytest.mark.parametrize(
    "refusal",
    [
        status(400, "Input exceeds the maximum of 4096 characters"),
        status(413, "too large"),
        status(402, "pay first"),
    ],
)
async def test_a_text_that_is_refused_does_not_cost_the_others_the_endpoint(
    refusal: Answer,
) -> None:
    async with serving(HELLO) as server:
        speaking = talker(server.url)
        server.spoken = refusal
        with pytest.raises(EngineError, match="HTTP 4"):
            [piece async for piece in speaking.speak(one(WORDS), Voice())]
        server.spoken = lambda: Response(wav(AudioFrame(tone(5000), 24_000)))
        assert np.array_equal(pcm(await spoken(speaking, one(WORDS))), tone(5000))


async def test_a_voice_that_the_endpoint_lacks_is_given_up_for_its_own() -> None:
    def answer() -> Response:
        if "voice" in server.texts[-1]:
            return status(400, "Invalid voice 'ethan'. Supported: aiden")()
        return Response(wav(AudioFrame(tone(5000), 24_000)))

    async with serving(HELLO) as server:
        server.spoken = answer
        speech = await spoken(talker(server.url), one(WORDS), Voice(speaker="ethan"))
    assert np.array_equal(pcm(speech), tone(5000))


async def test_a_file_is_spoken_as_well_as_a_stream() -> None:
    async with serving(HELLO) as server:
        server.spoken = lambda: Response(wav(AudioFrame(tone(5000), 24_000)))
        assert np.array_equal(pcm(await spoken(talker(server.url), one(WORDS))), tone(5000))


async def test_it_starts_like_the_thinker() -> None:
    with pytest.raises(ConfigError, match="base_url"):
        await start_talker(StageOptions())
    async with serving(HELLO) as server:
        speaking = await start_talker(StageOptions(base_url=server.url))
        assert speaking.sample_rate == 24_000
        await speaking.aclose()
