"""Whose turn it is, in the language of the persona and as the persona has it."""

from __future__ import annotations

import asyncio

import pytest

from omni_agent import Persona, events, tool
from omni_agent.audio import AudioFrame
from omni_agent.commands import ChoosePersona, Configure
from omni_agent.conversation import ToolResult
from omni_agent.ears import EAR_RATE
from omni_agent.persona import TurnTaking
from omni_agent.personas.outfit import Outfit
from omni_agent.testing import (
    FixedWardrobe,
    Rehearsal,
    ScriptedThinker,
    ScriptedTurnEnd,
    call,
    rehearse,
    virtual_time,
)
from omni_agent.wishes import Wishes

NOISE = {"en": "Yeah.", "de": "Ach so.", "zh": "嗯，好的", "ja": "はい。"}


def dressed(name: str, *, language: str = "en", end: str = "words") -> Outfit:
    turn = TurnTaking(end=end)
    return Outfit(Persona(name=name, language=language, turn=turn, fillers=()), {}, ())


async def silence(stage: Rehearsal, seconds: float) -> None:
    await stage.line.speak(AudioFrame.silence(seconds, EAR_RATE))


@pytest.mark.parametrize("spoken", NOISE)
@pytest.mark.parametrize("language", NOISE)
def test_a_listening_noise_is_one_in_its_own_language(spoken: str, language: str) -> None:
    @virtual_time
    async def scenario() -> None:
        thinker = ScriptedThinker(["word " * 40], ["Yes?"])
        persona = Persona(name="test", language=language, fillers=())
        async with rehearse(thinker, persona=persona) as stage:
            stage.types("Tell me a story.")
            await stage.until(events.PlaybackStarted)
            await silence(stage, 2)
            await stage.user(NOISE[spoken])
            interrupted = bool(stage.seen(events.Interrupted))
        assert interrupted is (spoken != language)

    scenario()


@virtual_time
async def test_a_question_long_ago_is_long_ago_where_there_are_no_spaces_too() -> None:
    """What was voiced around a moment is a few characters of a text without spaces."""
    thinker = ScriptedThinker(["您要订几位？" + "今天的天气很好，" * 20])
    async with rehearse(thinker, persona=Persona(name="x", language="zh", fillers=())) as stage:
        stage.types("你好")
        await stage.until(events.PlaybackStarted)
        await silence(stage, 4)
        await stage.user("嗯，好的。")
        assert [event.text for event in stage.seen(events.BackchannelIgnored)] == ["嗯，好的。"]


@virtual_time
async def test_the_language_that_is_changed_to_between_turns_is_heard_from_then_on() -> None:
    thinker = ScriptedThinker(["word " * 40], ["Oui ?"])
    async with rehearse(thinker) as stage:
        stage.line.put(Configure(Wishes(language="fr-CA")))
        stage.types("Raconte.")
        await stage.until(events.PlaybackStarted)
        await silence(stage, 2)
        await stage.user("Ah bon ?")
        assert [event.text for event in stage.seen(events.BackchannelIgnored)] == ["Ah bon ?"]
        await stage.user("Attends !")
        await stage.until(events.Interrupted)


@virtual_time
async def test_a_goodbye_in_the_persona_s_language_ends_the_call() -> None:
    persona = Persona(name="test", language="ja", goodbye="さようなら。", fillers=())
    async with rehearse(persona=persona) as stage:
        await stage.user("ありがとうございました。失礼します。")
        assert (await stage.until(events.SessionEnded)).reason == "goodbye"


async def end_of_turn_ms(stage: Rehearsal, text: str) -> float:
    """From the end of what was said to the end of the turn."""
    await stage.user(text, then_silence_ms=1500)
    await stage.agent()
    return stage.seen(events.Waterfall)[-1].marks["end_of_turn"]


@virtual_time
async def test_a_persona_has_the_end_of_turn_that_it_asks_for_and_the_next_one_another() -> None:
    thinker = ScriptedThinker(["One."], ["Two."])
    end = ScriptedTurnEnd(0.9)
    wardrobe = FixedWardrobe(dressed("eager", end="keen"), dressed("patient"))
    async with rehearse(thinker, wardrobe=wardrobe, turn_ends={"keen": end}) as stage:
        assert await end_of_turn_ms(stage, "What time is it?") < 320
        stage.line.put(ChoosePersona("patient"))
        await stage.until(events.PersonaChanged)
        assert await end_of_turn_ms(stage, "And what time is it now?") > 480
        assert len(end.asked) == 1


@virtual_time
async def test_an_end_of_turn_reads_what_was_said_before() -> None:
    end = ScriptedTurnEnd(0.9)
    wardrobe = FixedWardrobe(dressed("eager", end="keen"))
    thinker = ScriptedThinker(["For how many?"], ["Done."])
    async with rehearse(thinker, wardrobe=wardrobe, turn_ends={"keen": end}) as stage:
        await end_of_turn_ms(stage, "Book a table.")
        await end_of_turn_ms(stage, "For two.")
    (_, before), (words, items) = end.asked
    assert not before
    assert words == "For two."
    assert [getattr(item, "text", "") for item in items] == ["Book a table.", "For how many?"]


@virtual_time
async def test_a_sound_while_a_tool_runs_interrupts_nothing_though_any_sound_may() -> None:
    """Any sound over the agent's speech stops it; there is none."""
    thinker = ScriptedThinker([call("look_up", name="Ann")], ["Ann is in room twelve."])
    persona = Persona(name="test", fillers=(), turn=TurnTaking(backchannels="interrupt"))
    async with rehearse(thinker, persona=persona, tools=[look_up]) as stage:
        stage.types("Where is Ann?")
        await stage.until(events.ToolStarted)
        await silence(stage, 1)
        await stage.user("")
        assert await stage.agent() == "Ann is in room twelve."
        assert len(stage.seen(events.ReplyStarted)) == 1
        assert not stage.seen(events.Interrupted)


@tool(timeout_s=60)
async def look_up(name: str) -> str:
    """Look somebody up.

    name: who
    """
    await asyncio.sleep(6)
    return f"{name} is in room twelve."


@pytest.mark.parametrize("hears", [False, True])
def test_a_yes_while_a_tool_runs_is_a_turn_even_after_the_agent_has_spoken(hears: bool) -> None:
    """The agent said something, was silent for a while, and only then heard "yes"."""

    @virtual_time
    async def scenario() -> None:
        thinker = ScriptedThinker(
            [call("look_up", name="Ann")],
            ["Yes to what?"],
            ["Ann is in room twelve."],
            hears=hears,
        )
        turn = TurnTaking(filler_again_ms=60_000)
        persona = Persona(name="test", fillers=("One moment.",), turn=turn)
        async with rehearse(thinker, persona=persona, tools=[look_up]) as stage:
            stage.types("Where is Ann?")
            await stage.until(events.UtteranceFinished)
            await silence(stage, 3.5)
            await stage.user("Yes.")
            assert await stage.agent() == "Yes to what?"
            assert await stage.agent() == "Ann is in room twelve."
            assert not stage.seen(events.BackchannelIgnored)
            assert isinstance(thinker.requests[-1].items[-1], ToolResult)
        thinker.assert_complete()

    scenario()
