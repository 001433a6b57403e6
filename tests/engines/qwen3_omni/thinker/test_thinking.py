"""The Thinker's process under what a call does to it."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress

import pytest

from omni_agent.engines.qwen3_omni.thinker.thinker import QwenThinker

from .asking import ask, noise, request, said

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_reply_is_whole_although_reading_its_audio_was_cancelled(
    thinker: QwenThinker,
) -> None:
    """vLLM keeps its media in two caches, which a request cancelled on the way leaves different:
    it then gives the next request with that audio back, asking for another try."""
    chance = random.Random(3)
    for number in range(60):
        heard = said(noise(2.5, seed=1000 + number))
        reading = asyncio.create_task(thinker.prepare(request(heard)))
        await asyncio.sleep(0.01 * chance.random())
        reading.cancel()
        with suppress(asyncio.CancelledError):
            await reading
        got = await ask(thinker, request(heard, tokens=2))
        assert got.usage is not None
        assert got.usage.completion_tokens == 2
        assert got.order[0] == "Features"
