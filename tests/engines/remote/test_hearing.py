"""Audio to servers that hear, and what happens when one turns out not to."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from omni_agent.audio import AudioFrame
from omni_agent.conversation import AudioPart, Message, user
from omni_agent.engine import StageOptions
from omni_agent.engines.remote import start_thinker
from omni_agent.engines.remote.thinker import OpenAIThinker
from omni_agent.errors import EngineError
from omni_agent.thinker import ThinkRequest
from tests.engines.remote.serving import (
    GREETED,
    HELLO,
    Answer,
    Clock,
    Server,
    Waits,
    cluster,
    joined,
    said,
    serving,
    status,
)

SPEECH = AudioFrame(np.zeros(1600, np.int16), 16_000)
DEAF = status(400, "At most 0 audio(s) may be provided in one prompt.")


def spoken(words: str | None) -> ThinkRequest:
    return ThinkRequest("", (Message("user", (AudioPart(SPEECH, words),)),))


def content(server: Server, request: int = -1) -> str:
    """The kind of what was sent last."""
    sent = server.bodies[request]["messages"][-1]["content"]
    return sent if isinstance(sent, str) else str(sent[0]["type"])


@pytest.mark.parametrize(
    ("model", "asked", "hears"),
    [
        ("Qwen/Qwen3-Omni-30B-A3B-Instruct", None, True),
        ("qwen3-8b", None, False),
        ("qwen3-8b", True, True),
        ("some-OMNI-model", False, False),
    ],
)
async def test_whether_it_hears_is_in_the_models_name_or_said(
    model: str, asked: bool | None, hears: bool
) -> None:
    async with serving(HELLO) as server:
        thinker = OpenAIThinker(server.url, model, hears=asked)
        assert thinker.hears is hears
        await said(thinker, spoken("hi"))
        assert content(server) == ("input_audio" if hears else "hi")
        await thinker.aclose()


async def test_a_model_under_another_name_is_known_by_what_it_was_loaded_from() -> None:
    async with serving(HELLO) as server:
        server.models, server.root = ["concierge"], "Qwen/Qwen3-Omni-30B-A3B-Instruct"
        thinker = await start_thinker(StageOptions(base_url=server.url))
        assert thinker.hears
        await thinker.aclose()


async def test_starting_with_an_omni_model_says_what_a_server_cannot_give(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    async with serving(HELLO) as server:
        server.models = ["qwen3-omni"]
        thinker = await start_thinker(StageOptions(base_url=server.url))
        assert isinstance(thinker, OpenAIThinker)
        await said(thinker, spoken("hi"))
        await thinker.aclose()
        assert caplog.text.count("gives no hidden states") == 1
        server.models = ["qwen3-8b"]
        await (await start_thinker(StageOptions(base_url=server.url))).aclose()
    assert caplog.text.count("gives no hidden states") == 1


async def test_a_server_that_refuses_audio_gets_transcripts_and_is_asked_again_in_an_hour(
    caplog: pytest.LogCaptureFixture,
) -> None:
    waits, clock = Waits(), Clock()
    async with serving(DEAF, HELLO) as server:
        thinker = OpenAIThinker(server.url, "m", hears=True, sleep=waits, clock=clock)
        assert await said(thinker, spoken("hi")) == GREETED
        assert [content(server, n) for n in (0, 1)] == ["input_audio", "hi"]
        assert not thinker.hears
        await said(thinker, spoken("again"))
        assert content(server) == "again"
        clock.now = 3600
        assert thinker.hears
        await said(thinker, spoken("now"))
        assert content(server) == "input_audio"
        await thinker.aclose()
    assert (len(server.requests), waits.seconds) == (4, [])
    assert caplog.text.count("gets transcripts from now on") == 1


FEW = status(400, "At most 8 audio(s) may be provided in one request.")


async def test_a_server_that_takes_few_recordings_hears_the_latest() -> None:
    before = [Message("user", (AudioPart(SPEECH, f"utterance {n}"),)) for n in range(9)]
    long = ThinkRequest("", (*before, *spoken(None).items))
    async with serving(FEW, HELLO) as server:
        thinker = OpenAIThinker(server.url, "m", hears=True)
        assert await said(thinker, long) == GREETED
        assert await said(thinker, long) == GREETED
        assert thinker.hears
        await thinker.aclose()
    for body in server.bodies[1:]:
        *older, latest = [message["content"] for message in body["messages"]]
        assert older == [f"utterance {n}" for n in range(9)]
        assert latest[0]["type"] == "input_audio"


@pytest.mark.parametrize(
    "why", ["audio is too long: at most 30 s", "the audio could not be decoded", FEW]
)
async def test_a_recording_that_is_refused_makes_nobody_else_deaf(why: str | Answer) -> None:
    refusal = status(400, why) if isinstance(why, str) else why
    async with serving(refusal, HELLO) as server:
        thinker = OpenAIThinker(server.url, "m", hears=True)
        assert await said(thinker, spoken("hi")) == GREETED
        assert thinker.hears
        await said(thinker, spoken("hi"))
        await thinker.aclose()
    assert [content(server, n) for n in range(3)] == ["input_audio", "hi", "input_audio"]


async def test_llama_cpps_way_of_refusing_audio_is_understood() -> None:
    refuses = status(500, "audio input is not supported - hint: you may need the mmproj")
    async with serving(refuses, HELLO) as server:
        thinker = OpenAIThinker(server.url, "m", hears=True)
        assert await said(thinker, spoken("hi")) == GREETED
        await thinker.aclose()


async def test_without_a_transcript_the_refusal_is_told_clearly() -> None:
    async with serving(DEAF, HELLO) as server:
        thinker = OpenAIThinker(server.url, "m", hears=True)
        with pytest.raises(EngineError, match="not transcribed and the server does not hear"):
            await said(thinker, spoken(None))
        assert len(server.requests) == 1
        await thinker.aclose()


async def test_another_reason_to_refuse_is_not_taken_for_deafness() -> None:
    async with serving(status(400, "max_tokens is too large")) as server:
        thinker = OpenAIThinker(server.url, "m", hears=True)
        with pytest.raises(EngineError, match="max_tokens"):
            await said(thinker, spoken("hi"))
        assert thinker.hears
        await thinker.aclose()


async def test_audio_goes_to_those_that_hear_and_anything_to_all() -> None:
    async with cluster(HELLO, HELLO) as (hears, deaf):
        deaf.answers.insert(0, DEAF)
        thinker = OpenAIThinker(joined([hears, deaf]), "m", hears=True)
        for _ in range(40):
            await said(thinker, spoken(None) if deaf.requests else spoken("hi"))
        assert len(deaf.requests) == 1  # since it refused, all utterances go to the other
        assert thinker.hears
        for n in range(40):
            await said(thinker, ThinkRequest("", (user(f"typed {n}"),)))
        assert content(deaf).startswith("typed")
        await thinker.aclose()
