"""Stages that swallow their cancellation: the call goes on, and it ends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import contextmanager

import pytest

from omni_agent import Persona, events
from omni_agent.audio import AudioFrame
from omni_agent.commands import Interrupt
from omni_agent.ears import Transcript
from omni_agent.errors import EngineError
from omni_agent.runtime.scope import LEFT_BEHIND_S
from omni_agent.talker import Speech, Voice
from omni_agent.testing import (
    ScriptedEars,
    ScriptedTalker,
    ScriptedThinker,
    rehearse,
    virtual_time,
)
from omni_agent.testing.doubles import call
from omni_agent.thinker import TextDelta, ThinkRequest, Thought


class Mule:
    """Waits on, whoever cancels it; ``let_go`` ends all that wait."""

    def __init__(self) -> None:
        self._free: list[asyncio.Event] = []

    async def wait(self) -> None:
        free = asyncio.Event()
        self._free.append(free)
        while not free.is_set():
            try:
                await free.wait()
            except asyncio.CancelledError:
                continue

    async def let_go(self) -> None:
        for free in self._free:
            free.set()
        for _ in range(20):
            await asyncio.sleep(0)


class StubbornThinker(ScriptedThinker):
    """Its first reply never ends by itself; what it says afterwards is of no use to anybody."""

    def __init__(self, mule: Mule) -> None:
        super().__init__(["It is noon."])
        self.mule: Mule | None = mule

    async def think(self, request: ThinkRequest) -> AsyncGenerator[Thought, None]:
        if self.mule is not None:
            mule, self.mule = self.mule, None
            yield TextDelta("Once upon a time there was. ")
            await mule.wait()
            yield call("open_door")
            raise EngineError("a late failure")
        async for thought in super().think(request):
            yield thought


class StubbornTalker(ScriptedTalker):
    def __init__(self, mule: Mule) -> None:
        super().__init__()
        self.mule: Mule | None = mule

    async def speak(self, text: AsyncIterator[str], voice: Voice) -> AsyncGenerator[Speech, None]:
        async for piece in super().speak(text, voice):
            yield piece
            if self.mule is not None:
                mule, self.mule = self.mule, None
                await mule.wait()


def stubborn_filter(mule: Mule):  # type: ignore[no-untyped-def]  # a TextFilter
    left = [mule]

    async def slow(pieces: AsyncIterator[str]) -> AsyncIterator[str]:
        async for piece in pieces:
            yield piece
            if left:
                await left.pop().wait()

    return slow


@contextmanager
def one_left_behind(caplog: pytest.LogCaptureFixture, name: str) -> Iterator[None]:
    with caplog.at_level(logging.WARNING):
        yield
    said = [r.message for r in caplog.records if "left behind" in r.message]
    assert len(said) == 1
    assert said[0].startswith(name)
    assert not [r for r in caplog.records if r.levelno >= logging.ERROR]


@pytest.mark.parametrize("where", ["thinker", "talker", "filter"])
@pytest.mark.parametrize("end", ["interrupt", "hangup"])
def test_a_stage_that_swallows_its_cancellation_holds_neither_the_call_nor_its_end(
    where: str, end: str, caplog: pytest.LogCaptureFixture
) -> None:
    @virtual_time
    async def scenario() -> None:
        mule, story = Mule(), ["Once upon a time there was. ", "And then."]
        thinker = StubbornThinker(mule) if where == "thinker" else ScriptedThinker(story, ["Noon."])
        talker = StubbornTalker(mule) if where == "talker" else ScriptedTalker()
        filters = [stubborn_filter(mule)] if where == "filter" else []
        loop = asyncio.get_running_loop()
        async with rehearse(thinker, talker=talker, filters=filters) as stage:
            await stage.user("Tell me a story.")
            await stage.until(events.PlaybackStarted)
            await asyncio.sleep(0.5)
            asked = loop.time()
            if end == "interrupt":
                stage.line.put(Interrupt())
                await stage.until(events.Interrupted)
                assert stage.seen(events.UtteranceFinished)[-1].interrupted  # nothing in the wait
            else:
                stage.line.hang_up()
                await stage.until(events.SessionEnded)
            assert loop.time() - asked == pytest.approx(LEFT_BEHIND_S, abs=0.1)
            known = len(stage.line.events)
            await mule.let_go()
            assert len(stage.line.events) == known  # of what comes too late nothing is done
            if end == "interrupt":
                await stage.user("What time is it?")
                assert "oon." in await stage.agent()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        assert not others

    with one_left_behind(caplog, "reply resp_"):
        scenario()


@virtual_time
async def test_what_is_left_behind_keeps_asyncio_run_waiting_for_none_of_its_tasks() -> None:
    mule = Mule()
    async with rehearse(StubbornThinker(mule)) as stage:
        await stage.user("Tell me a story.")
        await stage.until(events.PlaybackStarted)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    await mule.let_go()


def test_a_draft_that_does_not_end_is_left_behind(caplog: pytest.LogCaptureFixture) -> None:
    @virtual_time
    async def scenario() -> None:
        mule = Mule()
        async with rehearse(StubbornThinker(mule)) as stage:
            await stage.user("Tell me", then_silence_ms=400)
            await stage.user("what time it is.")
            assert await stage.agent() == "It is noon."
            await mule.let_go()

    with one_left_behind(caplog, "reply resp_"):
        scenario()


class StubbornEars(ScriptedEars):
    def __init__(self, mule: Mule) -> None:
        super().__init__()
        self.mule = mule

    async def transcribe(self, audio: AudioFrame, *, language: str = "en") -> Transcript:
        await self.mule.wait()
        return Transcript("")


def test_ears_that_do_not_end_do_not_hold_the_end(caplog: pytest.LogCaptureFixture) -> None:
    @virtual_time
    async def scenario() -> None:
        mule = Mule()
        persona = Persona(name="test", greeting="Hello.", fillers=())
        async with rehearse(ears=StubbornEars(mule), persona=persona) as stage:
            assert await stage.agent() == "Hello."
            await stage.user("Tell me a story.")
            stage.line.hang_up()
            await stage.until(events.SessionEnded)
            await mule.let_go()

    with one_left_behind(caplog, "listening"):
        scenario()
