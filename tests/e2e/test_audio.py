"""Real audio through the whole chain: WAV → VAD → Whisper → Thinker → tool → speech → Whisper."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from omni_agent import Agent, events
from omni_agent.audio import AudioFrame, concatenate, resample
from omni_agent.ears import EAR_RATE
from omni_agent.lines.in_process import InProcessTransport

pytestmark = [pytest.mark.models, pytest.mark.asyncio(loop_scope="session")]

Say = Callable[[str], Awaitable[AudioFrame]]
PATIENCE_S = 60
"""Generous: CI's cores are shared. Nothing here asserts a duration."""


@asynccontextmanager
async def a_call(agent: Agent) -> AsyncIterator[InProcessTransport]:
    """A call whose greeting is over."""
    line = InProcessTransport()
    async with asyncio.timeout(4 * PATIENCE_S), asyncio.TaskGroup() as tasks:
        tasks.create_task(agent.session(line).run())
        await replies(line, 1)
        yield line
        line.hang_up()


async def replies(line: InProcessTransport, count: int) -> None:
    while line.count(events.ReplyFinished) < count:
        await line.happened()


def seen(line: InProcessTransport, kind: type[events.Event]) -> list[events.Event]:
    return [event for event in line.events if isinstance(event, kind)]


async def ask(line: InProcessTransport, audio: AudioFrame) -> tuple[events.ToolFinished, str]:
    """Ask aloud; the tool call that came of it and the answer's utterance."""
    before = line.count(events.ReplyFinished)
    await line.speak(audio, then_silence_ms=1500)
    await replies(line, before + 1)
    finished = seen(line, events.ToolFinished)[-1]
    assert isinstance(finished, events.ToolFinished)
    answer = seen(line, events.UtteranceFinished)[-1]
    assert isinstance(answer, events.UtteranceFinished)
    return finished, answer.utterance


async def transcribed(agent: Agent, line: InProcessTransport, utterance: str) -> str:
    """What Whisper hears of an utterance as it was sent to the user."""
    spoken = line.audio_of(utterance)
    assert agent.stages.ears is not None
    whole = resample(concatenate(spoken, spoken[0].sample_rate), EAR_RATE)
    return (await agent.stages.ears.transcribe(whole)).text.lower()


async def test_a_spoken_sum_is_calculated_and_its_answer_is_heard(agent: Agent, say: Say) -> None:
    async with a_call(agent) as line:
        finished, utterance = await ask(line, await say("What is twelve times seven?"))
        assert (finished.name, finished.ok) == ("calculate", True)
        assert re.search(r"84|eighty[ -]four", await transcribed(agent, line, utterance))


async def test_a_spoken_timer_is_set_and_confirmed_aloud(agent: Agent, say: Say) -> None:
    async with a_call(agent) as line:
        finished, utterance = await ask(line, await say("Please set a timer for ten minutes."))
        assert (finished.name, finished.ok) == ("set_timer", True)
        assert re.search(r"\b10\b|\bten\b", await transcribed(agent, line, utterance))


async def test_a_spoken_interruption_stops_the_agent_and_is_answered(
    agent: Agent, say: Say
) -> None:
    story = await say("Please tell me a long story about the sea.")
    enough = await say("Stop, that is enough. What is two plus two?")
    async with a_call(agent) as line:
        before = line.count(events.PlaybackStarted)
        await line.speak(story, then_silence_ms=1000)
        while line.count(events.PlaybackStarted) == before:
            await line.happened()
        await line.speak(enough, then_silence_ms=1500)
        while not line.count(events.Interrupted):  # slow ears may be behind the line
            await line.happened()
        cut = next(
            e for e in line.events if isinstance(e, events.UtteranceFinished) and e.interrupted
        )
        assert cut.text.startswith(cut.heard)
        assert len(cut.heard) < len(cut.text)
        await replies(line, 3)
        assert seen(line, events.UtteranceFinished)[-1] is not cut
