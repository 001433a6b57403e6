"""Ears that are asked for words, whatever they do."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import numpy as np
import pytest

from omni_agent.audio import AudioFrame
from omni_agent.ears import Transcript
from omni_agent.errors import EngineError
from omni_agent.hearing.ending import ANSWERED_WITHIN_S, likelihood
from omni_agent.hearing.transcribing import transcribed
from omni_agent.testing import ScriptedEars, ScriptedTurnEnd, virtual_time

AUDIO = AudioFrame(np.ones(16000, np.int16), 16000)


class Abrupt(ScriptedEars):
    """Raises before there is anything to await."""

    def transcribe(self, audio: AudioFrame, *, language: str = "en") -> Any:
        raise ValueError("what?")


@pytest.mark.parametrize("within_s", [None, 15.0])
@virtual_time
async def test_a_timeout_of_the_ears_own_is_their_failure_and_no_deadline_of_ours(
    within_s: float | None,
) -> None:
    ears = ScriptedEars()
    ears.error = TimeoutError("the model's server")
    with pytest.raises(EngineError, match=r"^the ears failed: TimeoutError: the model's server$"):
        await transcribed(ears, AUDIO, "en", within_s=within_s)


@virtual_time
async def test_ears_that_raise_at_once_have_failed_too() -> None:
    with pytest.raises(EngineError, match=r"the ears failed: ValueError: what\?"):
        await transcribed(Abrupt(), AUDIO, "en")


class Swallows(ScriptedEars):
    """Makes something else of being cancelled."""

    def __init__(self, instead: Transcript | Exception) -> None:
        super().__init__(delay_s=60)
        self._instead = instead

    async def transcribe(self, audio: AudioFrame, *, language: str = "en") -> Transcript:
        with suppress(asyncio.CancelledError):
            await super().transcribe(audio, language=language)
        if isinstance(self._instead, Exception):
            raise self._instead
        return self._instead


@pytest.mark.parametrize("instead", [Transcript("Half of it"), EngineError("it was cut")], ids=repr)
@virtual_time
async def test_words_that_nobody_wants_any_more_are_not_told_whatever_the_ears_return(
    instead: Transcript | Exception,
) -> None:
    asking = asyncio.create_task(transcribed(Swallows(instead), AUDIO, "en"))
    await asyncio.sleep(1)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking


class SwallowingEnd(ScriptedTurnEnd):
    async def is_over(self, *about: object) -> float:  # type: ignore[override]  # it needs none
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(1)
        return 1.0


@virtual_time
async def test_an_end_of_turn_that_nobody_wants_any_more_is_not_told_either() -> None:
    asking = asyncio.create_task(likelihood(SwallowingEnd(), AUDIO, "so", ()))
    await asyncio.sleep(0.1)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking


@virtual_time
async def test_ears_that_take_too_long_are_told_the_deadline() -> None:
    with pytest.raises(EngineError, match=r"^the ears: no answer within 3 s$"):
        await transcribed(ScriptedEars(delay_s=60), AUDIO, "en", within_s=3)
    assert asyncio.get_running_loop().time() == 3


@virtual_time
async def test_a_timeout_of_the_end_of_turns_own_is_its_failure_and_no_deadline_of_ours() -> None:
    end = ScriptedTurnEnd()
    end.error = TimeoutError("its server")
    with pytest.raises(EngineError, match=r"^the end of turn failed: TimeoutError: its server$"):
        await likelihood(end, AUDIO, "so", ())
    assert asyncio.get_running_loop().time() < ANSWERED_WITHIN_S
