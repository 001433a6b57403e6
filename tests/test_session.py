"""The agent loop, rehearsed on scripted parts in virtual time."""

from __future__ import annotations

import asyncio

from omni_agent import events, tool
from omni_agent.testing import Pause, ScriptedThinker, call, rehearse, virtual_time


@virtual_time
async def test_a_spoken_question_is_answered_aloud() -> None:
    thinker = ScriptedThinker(["It is ", "noon."])
    async with rehearse(thinker) as stage:
        await stage.user("What time is it?")
        assert await stage.agent() == "It is noon."
        assert stage.transcript == [("user", "What time is it?"), ("assistant", "It is noon.")]
    thinker.assert_complete()


@tool
def order_status(order_id: str) -> str:
    """Where an order is. order_id: the number on the receipt."""
    return f"{order_id} is out for delivery"


@virtual_time
async def test_a_tool_is_called_and_its_result_is_told() -> None:
    thinker = ScriptedThinker([call("order_status", order_id="A-1")], ["It is on its way."])
    async with rehearse(thinker, tools=[order_status]) as stage:
        await stage.user("Where is order A-1?")
        assert await stage.agent() == "It is on its way."
        (finished,) = stage.seen(events.ToolFinished)
        assert finished.ok
        assert finished.output == "A-1 is out for delivery"
    thinker.assert_complete()


@virtual_time
async def test_a_barge_in_stops_speech_and_keeps_only_what_was_heard() -> None:
    thinker = ScriptedThinker(["word " * 100], ["Sorry."])
    async with rehearse(thinker) as stage:
        await stage.user("Tell me a long story.")
        await stage.until(events.PlaybackStarted)
        await asyncio.sleep(3)
        await stage.user("Stop it please, that is quite enough.")
        cut = await stage.until(events.UtteranceFinished)
        assert cut.interrupted
        assert "word " * 100 != cut.heard
        assert cut.heard == ("word " * 100)[: len(cut.heard)]
        assert 10 <= len(cut.heard.split()) <= 16  # 20 characters a second for a little over 3 s
        assert await stage.agent() == "Sorry."
        assert stage.transcript[1] == ("assistant", cut.heard)


@virtual_time
async def test_a_backchannel_does_not_stop_the_agent() -> None:
    thinker = ScriptedThinker(["word " * 40])
    async with rehearse(thinker) as stage:
        await stage.user("Tell me a story.")
        await stage.until(events.PlaybackStarted)
        await asyncio.sleep(2)
        await stage.user("Mm-hm.")
        assert await stage.agent() == "word " * 40
        assert not stage.seen(events.Interrupted)
        assert [e.text for e in stage.seen(events.BackchannelIgnored)] == ["Mm-hm."]


@virtual_time
async def test_thinking_starts_before_the_turn_is_certainly_over_and_shows_only_after() -> None:
    thinker = ScriptedThinker([Pause(0.2), "Hello there."])
    async with rehearse(thinker) as stage:
        await stage.user("Hi there, good evening.")
        await stage.agent()
        waterfall = await stage.until(events.Waterfall)
        assert waterfall.marks["first_thought"] < waterfall.marks["end_of_turn"]
        assert waterfall.marks["on_the_wire"] >= waterfall.marks["end_of_turn"]


@virtual_time
async def test_a_user_who_goes_on_is_answered_once() -> None:
    thinker = ScriptedThinker(["Too early."], ["Ten minutes it is."])
    async with rehearse(thinker) as stage:
        await stage.user("Set a timer", then_silence_ms=260)
        await stage.user("for ten minutes please.")
        assert await stage.agent() == "Ten minutes it is."
        assert stage.transcript[0] == ("user", "Set a timer for ten minutes please.")
        assert len(stage.seen(events.ReplyStarted)) == 1
