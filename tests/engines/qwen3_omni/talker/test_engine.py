"""The engine Talker: any stream of text to speech, through the public contract."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import numpy as np
import pytest

from omni_agent.engine import StageOptions
from omni_agent.engines import qwen3_omni
from omni_agent.engines.qwen3_omni.features import PromptFeatures
from omni_agent.engines.qwen3_omni.talker import engine
from omni_agent.engines.qwen3_omni.talker.engine import QwenTalker, start_talker
from omni_agent.engines.qwen3_omni.talker.runtime import Runtime, RuntimeOptions
from omni_agent.engines.qwen3_omni.talker.sampling import GREEDY
from omni_agent.engines.qwen3_omni.talker.service import TalkerService
from omni_agent.engines.qwen3_omni.talker.tiny_config import tiny_config
from omni_agent.engines.qwen3_omni.talker.tokens import TextTokenizer
from omni_agent.engines.qwen3_omni.talker.weights import TalkerWeights
from omni_agent.errors import EngineError, EngineUnavailable
from omni_agent.talker import Speech, Talker, Voice

TEXT = "Hello there. I am a very small random model, and I say nothing at all."

USER = tiny_config()["user_token_id"]
HEARD = PromptFeatures("item_1", (301, USER, 198, 20, 21, 302, 198))


@pytest.fixture
async def talker(checkpoint: Path) -> AsyncIterator[QwenTalker]:
    started = await start_talker(
        checkpoint, device="cpu", sampling=GREEDY, runtime=RuntimeOptions(slots=2, positions=256)
    )
    yield started
    await started.aclose()


async def pieces(text: str, size: int = 4) -> AsyncIterator[str]:
    for begin in range(0, len(text), size):
        yield text[begin : begin + size]


async def say(talker: QwenTalker, text: str = TEXT, voice: Voice | None = None) -> list[Speech]:
    async with asyncio.timeout(300):
        return [piece async for piece in talker.speak(pieces(text), voice or Voice())]


def pcm(speech: list[Speech]) -> np.ndarray:
    return np.concatenate([piece.audio.pcm for piece in speech])


async def test_it_is_a_talker_that_speaks_24_khz(talker: QwenTalker) -> None:
    assert isinstance(talker, Talker)
    assert talker.sample_rate == 24_000


async def test_pieces_of_speech_join_up(talker: QwenTalker) -> None:
    speech = await say(talker)
    assert [piece.audio.position for piece in speech] == list(
        np.cumsum([0, *(piece.audio.samples for piece in speech[:-1])])
    )
    assert sum(piece.audio.samples for piece in speech) % 1920 == 0
    assert np.abs(pcm(speech)).max() > 0


async def test_text_end_rises_to_the_whole_text(talker: QwenTalker) -> None:
    ends = [piece.text_end for piece in await say(talker)]
    assert ends == sorted(ends)
    assert ends[0] < 5
    assert ends[-1] == len(TEXT)


async def test_how_the_text_is_cut_does_not_change_the_speech(talker: QwenTalker) -> None:
    whole = pcm(await say(talker))
    async with asyncio.timeout(300):
        for size in (1, 7):
            speech = [piece async for piece in talker.speak(pieces(TEXT, size), Voice())]
            assert np.array_equal(pcm(speech), whole)


async def test_a_voices_prompt_speaker_and_context_change_the_speech(talker: QwenTalker) -> None:
    plain = pcm(await say(talker)).tobytes()
    voices = [Voice(prompt="Slowly."), Voice(speaker="aiden"), Voice(features=HEARD)]
    made = [pcm(await say(talker, voice=voice)).tobytes() for voice in voices]
    assert len({plain, *made}) == 4


async def test_no_text_makes_no_sound(talker: QwenTalker) -> None:
    speech = await say(talker, "")
    assert sum(piece.audio.samples for piece in speech) == 0


class Endless:
    """More text than anybody will hear, and how much of it was taken."""

    def __init__(self) -> None:
        self.taken = 0

    async def words(self) -> AsyncIterator[str]:
        while True:
            self.taken += 1
            yield "word "


async def test_closing_early_stops_the_pump_and_frees_the_slot(talker: QwenTalker) -> None:
    text = Endless()
    for _ in range(5):  # more often than there are slots
        speech = talker.speak(text.words(), Voice())
        async with asyncio.timeout(300):
            await anext(speech)
            await speech.aclose()  # type: ignore[attr-defined]  # a generator
    before = text.taken
    for _ in range(10):
        await asyncio.sleep(0)
    assert text.taken == before


async def test_text_is_taken_only_so_far_ahead_of_its_speech(
    checkpoint: Path, endless: TalkerWeights, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_UNREAD", 8)
    service = TalkerService(lambda: Runtime(endless, RuntimeOptions(slots=1, positions=256)))
    await service.start()
    talker = QwenTalker(service, TextTokenizer.open(checkpoint), GREEDY)
    text, unread = Endless(), []
    async with asyncio.timeout(300), aclosing(talker.speak(text.words(), Voice())) as speech:
        for spoken in range(1, 31):
            await anext(speech)
            unread.append(text.taken * len("word ") - spoken)  # a letter is a token, one a frame
    await talker.aclose()
    assert text.taken * len("word ") > 30  # the text went on
    assert max(unread) <= 8 + 2 * len("word ")


async def test_an_error_in_the_text_reaches_the_listener(talker: QwenTalker) -> None:
    async def failing() -> AsyncIterator[str]:
        yield "Hello there my friend "
        raise ValueError("the Thinker is gone")

    async def listen() -> None:
        async for _ in talker.speak(failing(), Voice()):
            pass

    with pytest.raises(ValueError, match="the Thinker is gone"):
        await asyncio.wait_for(listen(), 300)
    assert await say(talker)


async def test_a_foreign_feature_handle_is_refused(talker: QwenTalker) -> None:
    with pytest.raises(EngineError, match="PromptFeatures, not dict"):
        await say(talker, voice=Voice(features={}))
    with pytest.raises(EngineError, match="unknown speaker"):
        await say(talker, voice=Voice(speaker="nobody"))
    assert await say(talker)


async def test_the_hook_names_the_engine_and_its_factory_starts_it(checkpoint: Path) -> None:
    factory = qwen3_omni.register_engines()[0].talker
    assert factory is not None
    lines: list[str] = []
    talker = await factory(StageOptions(model=str(checkpoint), report=lines.append))
    assert talker.sample_rate == 24_000
    assert lines == [f"loading the Talker: {percent} %" for percent in range(0, 101, 10)]
    await talker.aclose()


async def test_the_factory_says_what_is_missing(tmp_path: Path) -> None:
    factory = qwen3_omni.register_engines()[0].talker
    assert factory is not None
    with pytest.raises(EngineUnavailable, match="needs a model"):
        await factory(StageOptions())
    with pytest.raises(EngineUnavailable, match=r"vocab\.json"):
        await factory(StageOptions(model=str(tmp_path)))


def test_importing_the_engine_imports_no_torch() -> None:
    code = (
        "import sys, omni_agent, omni_agent.engines.qwen3_omni; "
        "assert not {'torch', 'triton', 'transformers', 'tokenizers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
