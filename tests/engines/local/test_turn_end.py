"""The learned end of turn: what it hears, and that a call goes on without it."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio

from omni_agent.audio import AudioFrame, concatenate, resample
from omni_agent.engines.local import smart_turn
from omni_agent.engines.local.turn_end import LocalTurnEnd
from omni_agent.errors import EngineError, EngineUnavailable

Find = Callable[[str], Path]
Say = Callable[[str], AudioFrame]
models = pytest.mark.models
in_module = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def say() -> Say:
    """Speech with the silence after it that a pause has when its words are known."""
    from hibari import Hibari

    voice = Hibari()

    def said(text: str) -> AudioFrame:
        speech = resample(AudioFrame.from_float(voice(text, seed=1), 24_000), 16_000).pcm
        loud = np.flatnonzero(np.abs(speech.astype(int)) > 200)[-1]
        spoken = AudioFrame(speech[: loud + 1], 16_000)
        return concatenate([spoken, AudioFrame.silence(0.3, 16_000)], 16_000)

    return said


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def end(model_path: Find) -> AsyncIterator[LocalTurnEnd]:
    started = await LocalTurnEnd.start(model_path("smart-turn-v3.2"))
    yield started
    await started.aclose()


@pytest.mark.parametrize("seconds", [0.4, 3.0, 8.0, 11.0])
def test_the_model_is_given_what_it_was_trained_on(seconds: float) -> None:
    from transformers import WhisperFeatureExtractor

    rng = np.random.default_rng(0)
    samples = rng.uniform(-0.2, 0.2, round(16_000 * seconds)).astype(np.float32)
    last = samples[-128_000:]
    padded = np.pad(last, (128_000 - len(last), 0))
    theirs = WhisperFeatureExtractor(chunk_length=8)(
        padded, sampling_rate=16_000, return_tensors="np", do_normalize=True
    )["input_features"][0]
    assert smart_turn.features(samples) == pytest.approx(theirs, abs=1e-4)


@models
@in_module
@pytest.mark.parametrize(
    "text", ["Turn the kitchen light on.", "What time is it?", "That sounds good."]
)
async def test_a_whole_sentence_sounds_over(end: LocalTurnEnd, say: Say, text: str) -> None:
    assert await end.is_over(say(text), text, ()) > 0.8


@models
@in_module
@pytest.mark.parametrize("text", ["The thing is, um", "I want to go to the museum, but"])
async def test_one_that_hangs_does_not(end: LocalTurnEnd, say: Say, text: str) -> None:
    assert await end.is_over(say(text), text, ()) < 0.3


@models
@in_module
async def test_only_the_latest_seconds_count(end: LocalTurnEnd, say: Say) -> None:
    long = concatenate([say("The thing is, um"), AudioFrame.silence(30, 16_000)], 16_000)
    whole = concatenate([long, say("Stop the music.")], 16_000)
    short = AudioFrame(whole.pcm[-8 * 16_000 :], 16_000)
    assert await end.is_over(whole, "", ()) == await end.is_over(short, "", ())


@models
@in_module
async def test_audio_of_another_rate_is_refused(end: LocalTurnEnd) -> None:
    with pytest.raises(ValueError, match="16000 Hz, not 24000"):
        await end.is_over(AudioFrame.silence(1, 24_000), "", ())


async def test_a_model_that_cannot_be_loaded_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"nothing")
    with pytest.raises(EngineUnavailable, match="end of turn"):
        await LocalTurnEnd.start(tmp_path / "broken.onnx")


@models
async def test_while_its_process_is_restarted_nobody_waits(model_path: Find) -> None:
    end = await LocalTurnEnd.start(model_path("smart-turn-v3.2"))
    try:
        pid = end.worker.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(EngineError, match="end of turn"):
            await end.is_over(AudioFrame.silence(1, 16_000), "", ())
    finally:
        await end.aclose()
