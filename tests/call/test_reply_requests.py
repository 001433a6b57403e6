"""What a client asks to have answered, and what a yes that it asks that of is a yes to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from omni_agent import Persona, ToolContext, events, tool
from omni_agent.audio import AudioFrame
from omni_agent.commands import AddItem, CommitAudio, ReplyRequest
from omni_agent.conversation import user
from omni_agent.ears import EAR_RATE
from omni_agent.testing import (
    Rehearsal,
    ScriptedEars,
    ScriptedThinker,
    call,
    rehearse,
    virtual_time,
)
from omni_agent.wishes import Wishes

MANUAL = Wishes(turns="manual")
UNANSWERED = Wishes(answered=False, interrupts=False)
QUESTION = "Shall I really delete everything that there is?"


@tool(timeout_s=60)
async def delete(call: ToolContext) -> str:
    """Delete everything."""
    await asyncio.sleep(5)
    return "deleted" if await call.ask(QUESTION) else "kept"


@asynccontextmanager
async def asked_after_a_while(
    wishes: Wishes, *, ears: ScriptedEars | None = None
) -> AsyncIterator[Rehearsal]:
    """5 s after this begins, the agent asks whether to delete everything."""
    thinker = ScriptedThinker([call("delete")], ["One."], ["Two."], ["Three."])
    persona = Persona(name="test", fillers=())
    async with rehearse(
        thinker, persona=persona, tools=[delete], wishes=wishes, ears=ears
    ) as stage:
        stage.types("Clean up.")
        await stage.until(events.ToolStarted)
        yield stage


async def until_asked(stage: Rehearsal) -> None:
    assert await stage.agent() == QUESTION


async def decided(stage: Rehearsal) -> str:
    return (await stage.until(events.ToolFinished)).output


@virtual_time
async def test_a_yes_spoken_before_the_question_and_released_after_it_is_no_answer() -> None:
    async with asked_after_a_while(MANUAL) as stage:
        await asyncio.sleep(4)
        await stage.user("Yes.", then_silence_ms=0)
        await until_asked(stage)
        stage.line.put(CommitAudio())
        stage.line.put(ReplyRequest())
        assert await decided(stage) == "kept"


@virtual_time
async def test_a_yes_whose_words_are_known_after_the_question_is_no_answer() -> None:
    async with asked_after_a_while(MANUAL, ears=ScriptedEars(delay_s=6)) as stage:
        await asyncio.sleep(4)
        await stage.user("Yes.", then_silence_ms=0)
        await stage.until(events.PlaybackStarted)
        stage.line.put(CommitAudio())
        stage.line.put(ReplyRequest())
        assert await decided(stage) == "kept"


@virtual_time
async def test_a_yes_spoken_over_the_question_is_no_answer_whenever_a_reply_is_asked_for() -> None:
    async with asked_after_a_while(UNANSWERED) as stage:
        await stage.until(events.PlaybackStarted)
        await stage.user("Yes.")
        await until_asked(stage)
        stage.line.put(ReplyRequest())
        assert await decided(stage) == "kept"


@virtual_time
async def test_a_yes_typed_over_the_question_is_no_answer_whenever_a_reply_is_asked_for() -> None:
    async with asked_after_a_while(Wishes()) as stage:
        await stage.until(events.PlaybackStarted)
        stage.line.put(AddItem(user("Yes.")))
        await until_asked(stage)
        stage.line.put(ReplyRequest())
        assert await decided(stage) == "kept"


@pytest.mark.parametrize("later_s", [0, 5])
@virtual_time
async def test_a_yes_typed_after_the_question_is_one_when_a_reply_is_asked_for(
    later_s: float,
) -> None:
    async with asked_after_a_while(Wishes()) as stage:
        await until_asked(stage)
        stage.line.put(AddItem(user("Yes.")))
        await asyncio.sleep(later_s)
        stage.line.put(ReplyRequest())
        assert await decided(stage) == "deleted"


@virtual_time
async def test_a_yes_spoken_after_the_question_is_one_however_long_its_words_take() -> None:
    async with asked_after_a_while(MANUAL, ears=ScriptedEars(delay_s=6)) as stage:
        await until_asked(stage)
        await stage.user("Yes.", then_silence_ms=0)
        stage.line.put(CommitAudio())
        stage.line.put(ReplyRequest())
        assert await decided(stage) == "deleted"


@virtual_time
async def test_a_microphone_that_was_open_before_the_question_takes_no_yes_away() -> None:
    async with asked_after_a_while(MANUAL) as stage:
        await stage.line.speak(AudioFrame.silence(10, EAR_RATE))
        await stage.user("Yes.", then_silence_ms=0)
        stage.line.put(CommitAudio())
        stage.line.put(ReplyRequest())
        assert await decided(stage) == "deleted"
