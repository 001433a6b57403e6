"""Engines and tasks of plugins that would end the process: they end nothing but their own work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

import pytest

from omni_agent import Persona, events
from omni_agent.audio import AudioFrame
from omni_agent.ears import Transcript
from omni_agent.runtime.scope import contained_task
from omni_agent.talker import Speech, Voice
from omni_agent.testing import (
    ScriptedEars,
    ScriptedTalker,
    ScriptedThinker,
    call,
    rehearse,
    virtual_time,
)
from omni_agent.testing.doubles import Loudness
from omni_agent.thinker import ThinkRequest, Thought
from omni_agent.tools.tool import tool

ENDS = [SystemExit(3), KeyboardInterrupt(), GeneratorExit(), asyncio.CancelledError()]


class ExitingThinker(ScriptedThinker):
    def __init__(self, end: BaseException) -> None:
        super().__init__(["It is noon."])
        self.end: BaseException | None = end

    async def think(self, request: ThinkRequest) -> AsyncGenerator[Thought, None]:
        end, self.end = self.end, None
        if end is not None:
            raise end
        async for thought in super().think(request):
            yield thought


class ExitingTalker(ScriptedTalker):
    def __init__(self, end: BaseException) -> None:
        super().__init__()
        self.end: BaseException | None = end

    async def speak(self, text: AsyncIterator[str], voice: Voice) -> AsyncGenerator[Speech, None]:
        end, self.end = self.end, None
        if end is not None:
            raise end
        async for piece in super().speak(text, voice):
            yield piece


class BrokenActivity(Loudness):
    def __init__(self, does: object) -> None:
        super().__init__()
        self.does = does
        self.broken = False

    async def push(self, frame: AudioFrame) -> list[float]:
        if not self.broken:
            return await super().push(frame)
        if isinstance(self.does, BaseException):
            raise self.does
        return self.does  # type: ignore[return-value]  # what a plugin gets wrong


class BrokenEars(ScriptedEars):
    """The first turn that they are to hear makes them do this."""

    def __init__(self, does: object) -> None:
        super().__init__()
        self.does = does
        self.broken = True

    async def transcribe(self, audio: AudioFrame, *, language: str = "en") -> Transcript:
        if not self.broken:
            return await super().transcribe(audio, language=language)
        if isinstance(self.does, BaseException):
            raise self.does
        return self.does  # type: ignore[return-value]  # what a plugin gets wrong


@pytest.mark.parametrize("end", ENDS, ids=lambda end: type(end).__name__)
@virtual_time
async def test_a_thinker_that_would_end_the_process_is_apologised_for(end: BaseException) -> None:
    async with rehearse(ExitingThinker(end)) as stage:
        stage.types("What time is it?")
        assert "went wrong" in await stage.agent()
        stage.types("What time is it?")
        assert await stage.agent() == "It is noon."


@pytest.mark.parametrize("end", ENDS, ids=lambda end: type(end).__name__)
@virtual_time
async def test_a_talker_that_would_end_the_process_costs_only_what_it_said(
    end: BaseException,
) -> None:
    thinker = ScriptedThinker(["It is noon."], ["It is one."])
    async with rehearse(thinker, talker=ExitingTalker(end)) as stage:
        stage.types("What time is it?")
        assert await stage.agent() == ""
        assert stage.seen(events.ErrorOccurred)
        stage.types("What time is it?")
        assert await stage.agent() == "It is one."


@pytest.mark.parametrize(
    "does",
    [*ENDS, ValueError("x"), None, Transcript(None)],  # type: ignore[arg-type]
    ids=repr,
)
@virtual_time
async def test_ears_that_do_what_they_like_have_failed_and_the_call_goes_on(does: object) -> None:
    ears = BrokenEars(does)
    async with rehearse(ScriptedThinker(["It is noon."]), ears=ears) as stage:
        await stage.user("What time is it now, could you tell me that?")
        await stage.until(events.ErrorOccurred, lambda error: error.source == "ears")
        ears.broken = False
        await stage.user("What time is it?")
        assert await stage.agent() == "It is noon."


@pytest.mark.parametrize("does", [*ENDS, ValueError("x"), None, ["x"]], ids=repr)
@virtual_time
async def test_voice_activity_that_does_what_it_likes_has_failed_and_the_call_goes_on(
    does: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    ears, activity = ScriptedEars(), BrokenActivity(does)
    monkeypatch.setattr(ears, "voice_activity", lambda: activity)
    async with rehearse(ScriptedThinker(["It is noon."]), ears=ears) as stage:
        activity.broken = True
        await stage.user("Can you hear me?")
        failed = await stage.until(events.ErrorOccurred)
        assert failed.source == "ears"
        activity.broken = False
        await stage.user("What time is it?")
        assert await stage.agent() == "It is noon."


@pytest.mark.parametrize("grouped", [False, True])
@virtual_time
async def test_under_the_server_s_task_factory_a_tool_s_own_task_ends_alone(grouped: bool) -> None:
    async def leave() -> None:
        raise SystemExit(7)

    @tool
    async def leaving() -> str:
        """Leave."""
        if grouped:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(leave())
        else:
            with pytest.raises(RuntimeError, match="SystemExit: 7"):
                await asyncio.create_task(leave(), name="own")
        return "ok"

    asyncio.get_running_loop().set_task_factory(contained_task)
    thinker = ScriptedThinker([call("leaving")], ["Done."])
    persona = Persona(name="t", fillers=())
    async with rehearse(thinker, tools=[leaving], persona=persona) as stage:
        stage.types("Leave.")
        assert await stage.agent() == "Done."
        assert stage.seen(events.ToolFinished)[0].ok is not grouped


@virtual_time
async def test_a_contained_task_is_like_any_other() -> None:
    asyncio.get_running_loop().set_task_factory(contained_task)

    async def work() -> str:
        await asyncio.sleep(1)
        return "done"

    task = asyncio.create_task(work(), name="mine")
    unstarted = asyncio.create_task(work())
    unstarted.cancel()
    await asyncio.sleep(0)
    coroutine = task.get_coro()
    assert "work" in repr(task)
    assert task.get_name() == "mine"
    assert asyncio.iscoroutine(coroutine)
    assert coroutine.cr_suspended  # type: ignore[union-attr]  # anyio asks
    assert await task == "done"
    assert unstarted.cancelled()
