"""One reply at a time: drafts that no longer answer, and what waits for a silence."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator

import pytest

from omni_agent import CallContext, events, tool
from omni_agent.audio import AudioFrame
from omni_agent.call.replies import MAX_ANNOUNCEMENTS
from omni_agent.commands import AddItem, Interrupt
from omni_agent.conversation import Message, ToolResult, user
from omni_agent.ears import EAR_RATE
from omni_agent.testing import Pause, ScriptedTalker, ScriptedThinker, call, rehearse, virtual_time
from omni_agent.thinker import ThinkRequest, Thought

hearing = pytest.mark.parametrize("hears", [False, True], ids=["reads", "hears"])


@hearing
def test_a_draft_that_knows_nothing_of_what_was_typed_meanwhile_is_made_anew(hears: bool) -> None:
    @virtual_time
    async def scenario() -> None:
        thinker = ScriptedThinker(["It is noon."], ["Noon, and yes, in Oslo."], hears=hears)
        async with rehearse(thinker) as stage:
            await stage.user("What time is it?", then_silence_ms=260)
            assert len(thinker.requests) == 1
            stage.line.put(AddItem(user("In Oslo!")))
            await stage.line.speak(AudioFrame.silence(0.6, EAR_RATE))
            assert await stage.agent() == "Noon, and yes, in Oslo."
            typed = thinker.requests[-1].items[0]
            assert isinstance(typed, Message)
            assert typed.text == "In Oslo!"
        thinker.assert_complete()

    scenario()


@tool
async def slow_lookup(name: str) -> str:
    """Look somebody up. name: who."""
    await asyncio.sleep(4)
    return f"{name} is in room 12"


@hearing
def test_a_result_that_comes_between_pause_and_end_of_turn_is_told(hears: bool) -> None:
    @virtual_time
    async def scenario() -> None:
        thinker = ScriptedThinker(
            [call("slow_lookup", name="Ann")],
            ["It is noon."],
            ["Noon. And Ann is in room twelve."],
            hears=hears,
        )
        async with rehearse(thinker, tools=[slow_lookup]) as stage:
            await stage.user("Where is Ann?")
            started = await stage.until(events.ToolStarted)
            question = "And what time is it, by the way?"
            speech_s = 0.06 * len(question)
            # The result comes 300 ms after the question: later than its pause and its words.
            await stage.line.speak(
                AudioFrame.silence(started.at + 4 - 0.3 - speech_s - stage.now, EAR_RATE)
            )
            await stage.user(question, then_silence_ms=1000)
            assert await stage.agent() == "Noon. And Ann is in room twelve."
            assert any(isinstance(item, ToolResult) for item in thinker.requests[-1].items)
            await asyncio.sleep(5)
            assert len(stage.seen(events.ReplyStarted)) == 2
        thinker.assert_complete()

    scenario()


@hearing
def test_an_announcement_does_not_slip_in_between_pause_and_answer(hears: bool) -> None:
    @virtual_time
    async def scenario() -> None:
        @tool
        async def set_alarm(call: CallContext) -> str:
            """Ring in three seconds."""

            async def ring() -> None:
                await asyncio.sleep(3)
                call.say("Ring ring.")

            call.background(ring())
            return "set"

        thinker = ScriptedThinker([call("set_alarm")], ["Done."], ["It is noon."], hears=hears)
        async with rehearse(thinker, tools=[set_alarm]) as stage:
            await stage.user("Wake me in three seconds.")
            assert await stage.agent() == "Done."
            finished = stage.seen(events.ToolFinished)[0]
            question, stage.ears.delay_s = (
                "What time is it?",
                2.0,
            )  # words long after the end of turn
            await stage.line.speak(
                AudioFrame.silence(finished.at + 3 - 1 - 0.06 * len(question) - stage.now, EAR_RATE)
            )
            await stage.user(question, then_silence_ms=2500)
            assert await stage.agent() == "It is noon."
            assert await stage.agent() == "Ring ring."
            assert not stage.seen(events.Interrupted)

    scenario()


class SlowToStop(ScriptedThinker):
    """Takes a second to stop."""

    async def think(self, request: ThinkRequest) -> AsyncGenerator[Thought, None]:
        try:
            async for thought in super().think(request):
                yield thought
        finally:
            await asyncio.sleep(1)


@tool
async def rings(call: CallContext) -> str:
    """Rings after seven seconds."""

    async def ring() -> None:
        await asyncio.sleep(7)
        call.say("Ring ring.")

    call.background(ring())
    return "set"


@pytest.mark.parametrize("typed", [True, False], ids=["typed over", "interrupted"])
@virtual_time
async def test_nothing_is_announced_while_an_interrupted_reply_is_still_ending(typed: bool) -> None:
    story = ["Once upon a time " * 3, Pause(1000)]
    thinker = SlowToStop([call("rings")], ["Done."], story, ["It is noon."])
    async with rehearse(thinker, tools=[rings]) as stage:
        stage.types("Ring in seven seconds.")
        assert await stage.agent() == "Done."
        (rung,) = stage.seen(events.ToolStarted)
        stage.types("Tell me a story.")
        await asyncio.sleep(rung.at + 6.5 - stage.now)
        if typed:
            stage.types("What time is it?")
        else:
            stage.line.put(Interrupt())
        assert "upon a time" in await stage.agent()
        if typed:
            assert await stage.agent() == "It is noon."
        assert await stage.agent() == "Ring ring."
        await asyncio.sleep(5)
        assert stage.seen(events.ActivityChanged)[-1].activity == "listening"


@virtual_time
async def test_what_was_heard_is_kept_although_the_call_ends_while_its_reply_does() -> None:
    thinker = SlowToStop(["Once upon a time there was a king. " * 3, Pause(5000), "The end."])
    async with rehearse(thinker) as stage:
        stage.types("Tell me a story.")
        await stage.until(events.PlaybackStarted)
        await asyncio.sleep(2)
        stage.line.put(Interrupt())
        await asyncio.sleep(0.3)
        stage.session.end("time")
        await stage.until(events.SessionEnded)
        (told,) = stage.seen(events.UtteranceFinished)
        assert told.heard.startswith("Once upon a time")
        assert stage.session.conversation.told == told.heard
        assert [reply.interrupted for reply in stage.seen(events.ReplyFinished)] == [True]


@virtual_time
async def test_a_draft_s_tools_do_not_run_and_are_not_missed_when_it_is_discarded() -> None:
    ran = []

    @tool(interruptible=True)
    def open_door() -> str:
        """Open the door."""
        ran.append("door")
        return "open"

    thinker = ScriptedThinker(
        [call("open_door")], ["No, it stays shut."], ["It is noon."], hears=True
    )
    async with rehearse(thinker, tools=[open_door]) as stage:
        await stage.user("Open the door", then_silence_ms=160)
        await stage.user("is what I said by mistake.", then_silence_ms=800)
        await stage.until(events.PlaybackStarted)
        stage.line.put(Interrupt())
        assert (await stage.until(events.UtteranceFinished)).interrupted
        await stage.user("What time is it now?")
        assert await stage.agent() == "It is noon."
        assert not ran
        assert not stage.seen(events.ToolStarted)


@virtual_time
async def test_hanging_up_on_a_draft_releases_it() -> None:
    talker, thinker = ScriptedTalker(), ScriptedThinker(["word " * 50], hears=True)
    async with rehearse(thinker, talker=talker) as stage:
        await stage.user("Tell me a story.", then_silence_ms=160)
        assert talker.open_streams == 1
        stage.line.hang_up()
        await stage.until(events.SessionEnded)
        assert not stage.seen(events.ReplyStarted)
    assert talker.open_streams == 0


@virtual_time
async def test_a_tool_that_never_stops_announcing_is_heard_for_a_while_and_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    @tool
    def chatter(call: CallContext) -> str:
        """Chatter."""
        for number in range(1000):
            call.say(f"{number}.")
        return "done"

    async with rehearse(ScriptedThinker([call("chatter")], ["Go on."]), tools=[chatter]) as stage:
        with caplog.at_level(logging.WARNING):
            await stage.user("Chatter.")
            said = [await stage.agent() for _ in range(1 + MAX_ANNOUNCEMENTS)]
        assert said == ["Go on.", *(f"{number}." for number in range(MAX_ANNOUNCEMENTS))]
        assert len([r for r in caplog.records if "announcements wait" in r.message]) == 1
        await asyncio.sleep(10)
        assert stage.transcript[-1] == ("assistant", said[-1])  # and that was all
