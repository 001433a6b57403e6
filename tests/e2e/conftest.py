"""Real models for the end-to-end tests, started once."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from omni_agent import Agent
from omni_agent.audio import AudioFrame, concatenate, resample
from omni_agent.ears import EAR_RATE
from omni_agent.streams import closing, one
from omni_agent.talker import Voice

PERSONA = Path(__file__).parents[2] / "personas" / "concierge.md"
Say = Callable[[str], Coroutine[Any, Any, AudioFrame]]


@pytest.fixture(scope="session")
def concierge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The concierge, who takes the likeliest words: at any other temperature no two runs agree."""
    path = tmp_path_factory.mktemp("desk") / "personas" / "concierge.md"
    path.parent.mkdir()
    text, changed = re.subn(r"temperature: [\d.]+", "temperature: 0", PERSONA.read_text())
    assert changed == 1
    path.write_text(text)
    return path


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def agent(concierge: Path) -> AsyncIterator[Agent]:
    """The concierge on the full local stack: Whisper base, the 1.5B model, hibari."""
    async with Agent(concierge) as running:
        yield running


@pytest.fixture(scope="session")
def say(agent: Agent) -> Say:
    """Synthesise a user's words as 16 kHz audio, in a voice that is not the agent's."""

    async def synthesise(text: str) -> AudioFrame:
        voice = Voice(speaker="chelsie")
        async with closing(agent.stages.talker.speak(one(text), voice)) as speech:
            frames = [piece.audio async for piece in speech]
        return resample(concatenate(frames, agent.stages.talker.sample_rate), EAR_RATE)

    return synthesise
