"""The ears, with the real models, on speech that our own voice makes."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio

from omni_agent.audio import AudioFrame, resample
from omni_agent.engines.local import hearing, mel
from omni_agent.engines.local.ears import LocalEars
from omni_agent.errors import EngineError, EngineUnavailable
from tests.clocks import until

Find = Callable[[str], Path]
models = pytest.mark.models
in_module = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def say() -> Callable[[str], AudioFrame]:
    from hibari import Hibari

    voice = Hibari()
    return lambda text: resample(AudioFrame.from_float(voice(text, seed=1), 24_000), 16_000)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ears(model_path: Find) -> AsyncIterator[LocalEars]:
    heard = await LocalEars.start(model_path("whisper-base"))
    yield heard
    await heard.aclose()


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Voice activity is waited for, however long the machine was busy with something else."""
    monkeypatch.setattr("omni_agent.engines.local.ears._VAD_PATIENCE_S", 60.0)


@pytest.fixture(scope="module")
def lengthy(say: Callable[[str], AudioFrame]) -> AudioFrame:
    """It takes many seconds to write down."""
    return AudioFrame(np.tile(say("This takes a while to write down.").pcm, 60), 16_000)


@models
@in_module
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Set a timer for ten minutes, please.", {"timer", "10", "minutes"}),
        ("What is seventeen times twenty three?", {"17", "23"}),
        ("Yes.", {"yes"}),
        (
            "Turn off the kitchen light, and tell me about the weather in Paris.",
            {"kitchen", "paris"},
        ),
    ],
)
async def test_speech_is_transcribed_once(
    ears: LocalEars, say: Callable[[str], AudioFrame], text: str, words: set[str]
) -> None:
    heard = await ears.transcribe(say(text))
    got = heard.text.lower().replace(",", "").replace(".", "").replace("?", "").split()
    assert words <= set(got)
    assert len(got) <= len(text.split()) + 1
    assert 0.2 < heard.confidence <= 1


@models
@in_module
async def test_nothing_of_a_long_speech_is_lost(
    ears: LocalEars, say: Callable[[str], AudioFrame]
) -> None:
    numbers = ["one", "two", "three", "four", "five", "six", "seven", "eight"]
    spoken = [say(f"Item {n}: we still have to talk about the garden. ").pcm for n in numbers]
    audio = AudioFrame(np.concatenate(spoken * 2)[: 16_000 * 45], 16_000)
    heard = (await ears.transcribe(audio)).text.lower()
    assert audio.seconds > 31
    assert heard.startswith("item")
    assert heard.count("garden") >= 0.8 * audio.seconds / (len(spoken[0]) / 16_000)


@models
@in_module
async def test_silence_and_noise_say_nothing(ears: LocalEars) -> None:
    noise = np.random.default_rng(0).standard_normal(32_000)
    assert (await ears.transcribe(AudioFrame.silence(2, 16_000))).text == ""
    assert (await ears.transcribe(AudioFrame.from_float(noise * 0.01, 16_000))).text == ""
    assert (await ears.transcribe(AudioFrame.silence(0.02, 16_000))).text == ""


@models
@in_module
@pytest.mark.usefixtures("patient")
async def test_speech_is_told_from_silence_however_the_audio_is_cut(
    ears: LocalEars, say: Callable[[str], AudioFrame]
) -> None:
    silence = AudioFrame.silence(1, 16_000).pcm
    audio = np.concatenate([silence, say("Hello there, how are you today?").pcm, silence])
    whole, pieces = ears.voice_activity(), ears.voice_activity()
    at_once = await whole.push(AudioFrame(audio, 16_000))
    cut: list[float] = []
    for at in range(0, len(audio), 331):
        cut += await pieces.push(AudioFrame(audio[at : at + 331], 16_000))
    assert cut == pytest.approx(list(at_once))
    assert max(at_once[:25]) < 0.3
    assert max(at_once[-20:]) < 0.3
    assert np.mean(np.array(at_once[40:-60]) > 0.5) > 0.7
    await whole.aclose()
    await pieces.aclose()


@models
@in_module
@pytest.mark.usefixtures("patient")
async def test_voice_activity_does_not_wait_behind_transcription(
    ears: LocalEars, lengthy: AudioFrame
) -> None:
    detector = ears.voice_activity()
    busy = asyncio.ensure_future(ears.transcribe(lengthy))
    for _ in range(5):
        await detector.push(AudioFrame.silence(0.032, 16_000))
    assert not busy.done()
    busy.cancel()
    await asyncio.gather(busy, return_exceptions=True)


@models
@in_module
async def test_a_cancelled_transcription_makes_way_for_the_next(
    ears: LocalEars, say: Callable[[str], AudioFrame]
) -> None:
    partials = [asyncio.ensure_future(ears.transcribe(say("One two three."))) for _ in range(5)]
    await asyncio.sleep(0)
    for partial in partials:
        partial.cancel()
    assert "final" in (await ears.transcribe(say("This is the final one."))).text
    assert all(partial.cancelled() for partial in partials)


@models
@in_module
async def test_a_language_whisper_does_not_know_is_an_engine_error(ears: LocalEars) -> None:
    with pytest.raises(EngineError, match="xx"):
        await ears.transcribe(AudioFrame.silence(1, 16_000), language="xx-YY")
    with pytest.raises(ValueError, match="16000"):
        await ears.transcribe(AudioFrame.silence(1, 24_000))


@models
@in_module
@pytest.mark.parametrize("tag", ["zh-Hant", "pt-BR", "nb", "fil", "iw", "jv", "haw", "yue"])
async def test_languages_that_people_tag_otherwise_are_heard(ears: LocalEars, tag: str) -> None:
    assert ears.objection(tag) == ""
    await ears.transcribe(AudioFrame.silence(1, 16_000), language=tag)


@models
@in_module
async def test_a_language_they_are_deaf_to_is_known_beforehand(
    ears: LocalEars, model_path: Find
) -> None:
    assert re.search(r"language 'tlh'.*write one of af, am, .*, zh", ears.objection("tlh"))
    light = await LocalEars.start(model_path("whisper-tiny.en"))
    try:
        assert light.objection("en-GB") == ""
        assert "English only, not 'de': leave out --light" in light.objection("de")
    finally:
        await light.aclose()


@models
@in_module
@pytest.mark.usefixtures("patient")
async def test_after_kill_9_the_ears_hear_again(
    ears: LocalEars, say: Callable[[str], AudioFrame], lengthy: AudioFrame
) -> None:
    detector = ears.voice_activity()
    busy = asyncio.ensure_future(ears.transcribe(lengthy))  # which nobody will hear
    await detector.push(AudioFrame.silence(0.1, 16_000))
    assert ears.worker.pid
    os.kill(ears.worker.pid, signal.SIGKILL)
    with pytest.raises(EngineError):
        await busy
    with pytest.raises(EngineError, match="restarted"):  # audio does not wait
        await detector.push(AudioFrame.silence(0.32, 16_000))
    await until(lambda: not ears.trouble)
    assert "kitchen" in (await ears.transcribe(say("Where is the kitchen?"))).text
    assert len(await detector.push(AudioFrame.silence(0.32, 16_000))) == 10


@models
@in_module
async def test_ears_that_hang_fail_at_once_and_are_replaced(
    ears: LocalEars, say: Callable[[str], AudioFrame]
) -> None:
    detector, first = ears.voice_activity(), ears.worker.pid
    assert first
    os.kill(first, signal.SIGSTOP)
    words = asyncio.ensure_future(ears.transcribe(say("Nobody will hear this.")))
    for _ in range(2):  # the first of them waits; once it is clear that they hang none does
        with pytest.raises(EngineError, match="ears"):
            await detector.push(AudioFrame.silence(0.1, 16_000))
    with pytest.raises(EngineError, match=r"ears: .*no sign of life"):
        await words
    assert ears.trouble.endswith("it is being restarted")
    await until(lambda: not ears.trouble)
    assert "kitchen" in (await ears.transcribe(say("Where is the kitchen?"))).text


async def test_a_folder_without_a_model_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match="ears"):
        await LocalEars.start(tmp_path)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Set a timer for ten minutes. Set a timer for ten minutes. Set a timer", 6),
        ("Well, I see. I think so. I think so. I think so.", 6),
        ("no no no no no no no no", 1),
        ("No, no, no.", None),
        ("Hello? Hello?", None),
        ("One two three four five six seven eight nine ten", None),
        ("", None),
    ],
)
def test_repetitions_are_told_from_emphasis(text: str, kept: int | None) -> None:
    assert hearing.repetition(text) == kept


def test_long_speech_is_cut_in_its_pauses_and_joins_up_again() -> None:
    noise = np.random.default_rng(0).standard_normal(16_000 * 70).astype(np.float32)
    for second in (5, 25, 47):
        noise[16_000 * second : 16_000 * second + 8_000] = 0
    cut = list(hearing.pieces(noise))
    assert np.array_equal(np.concatenate(cut), noise)
    assert [round(len(piece) / 16_000) for piece in cut] == [25, 22, 23]
    assert [len(piece) for piece in hearing.pieces(noise[:100])] == [100]


@pytest.mark.parametrize("seconds", [0.1, 0.35, 2.0, 3.217])
def test_the_spectrogram_is_the_one_whisper_was_trained_on(seconds: float) -> None:
    from faster_whisper.feature_extractor import FeatureExtractor

    noise = np.random.default_rng(0).standard_normal(round(16_000 * seconds)) * 0.1
    samples = noise.astype(np.float32)
    padding = 6.0
    theirs = FeatureExtractor()(samples, padding=round(16_000 * padding))
    ours = mel.log_mel(samples, padding)
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() < 1e-3
