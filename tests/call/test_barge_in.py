"""Who speaks: answers, listening noises, echoes and goodbyes over and after the agent's words."""

from __future__ import annotations

import asyncio

import pytest

from omni_agent import Persona, events, tool
from omni_agent.audio import AudioFrame
from omni_agent.conversation import ToolResult
from omni_agent.ears import EAR_RATE
from omni_agent.persona import SpeechOptions
from omni_agent.testing import (
    Pause,
    Rehearsal,
    ScriptedEars,
    ScriptedThinker,
    call,
    rehearse,
    virtual_time,
)

QUESTION = "There is a table at eight. Shall I book it?"
MS_PER_CHARACTER = 50
"""Of the scripted Talker."""

hearing = pytest.mark.parametrize("hears", [False, True], ids=["reads", "hears"])


async def silence(stage: Rehearsal, seconds: float) -> None:
    await stage.line.speak(AudioFrame.silence(seconds, EAR_RATE))


async def until_heard(stage: Rehearsal, characters: int, *, ms: int = 0) -> None:
    """Wait until so much of the agent's next message was played, and ``ms`` longer or shorter."""
    await stage.until(events.PlaybackStarted)
    await silence(stage, (characters * MS_PER_CHARACTER + ms) / 1000)


@hearing
@pytest.mark.parametrize("ms", [-400, -200, 0, 300, 1000])
@pytest.mark.parametrize(
    "answer", ["Yes.", "OK.", "Right.", "Mm-hm.", "Sure, thanks.", "No, thanks."]
)
def test_a_short_answer_at_the_end_of_a_question_is_an_answer(
    answer: str, ms: int, hears: bool
) -> None:
    @virtual_time
    async def scenario() -> None:
        thinker = ScriptedThinker([QUESTION], ["It is booked."], hears=hears)
        async with rehearse(thinker) as stage:
            stage.types("Have you a table?")
            await until_heard(stage, len(QUESTION), ms=ms)
            await stage.user(answer)
            await stage.until(events.UtteranceFinished)
            assert await stage.agent() == "It is booked."
            assert ("user", answer) in stage.transcript
            assert not stage.seen(events.BackchannelIgnored)

    scenario()


@virtual_time
async def test_a_short_answer_counts_though_the_agent_went_on_after_its_question() -> None:
    thinker = ScriptedThinker([QUESTION + " There is one at nine, too."], ["It is booked."])
    async with rehearse(thinker) as stage:
        stage.types("Have you a table?")
        await until_heard(stage, len(QUESTION), ms=600)
        await stage.user("Yes.")
        await stage.until(events.UtteranceFinished)
        assert await stage.agent() == "It is booked."


@pytest.mark.parametrize("noise", ["Mm-hm.", "Yes.", "Okay. Right."])
def test_a_listening_noise_over_a_statement_stays_one(noise: str) -> None:
    @virtual_time
    async def scenario() -> None:
        async with rehearse(ScriptedThinker([QUESTION + " " + "word " * 40])) as stage:
            stage.types("Have you a table?")
            await until_heard(stage, len(QUESTION), ms=4000)
            await stage.user(noise)
            await stage.agent()
            assert [e.text for e in stage.seen(events.BackchannelIgnored)] == [noise]
            assert not stage.seen(events.Interrupted)

    scenario()


@tool(timeout_s=30)
async def look_up(name: str) -> str:
    """Look somebody up. name: who."""
    await asyncio.sleep(8)
    return "room 12"


def searching(fillers: tuple[str, ...] = ()) -> tuple[ScriptedThinker, Persona]:
    thinker = ScriptedThinker(
        [call("look_up", name="Ann")], ["Yes to what?"], ["Ann is in room twelve."]
    )
    return thinker, Persona(name="test", fillers=fillers)


@virtual_time
async def test_a_yes_while_a_tool_runs_is_not_swallowed_and_the_result_is_told() -> None:
    thinker, persona = searching()
    async with rehearse(thinker, persona=persona, tools=[look_up]) as stage:
        stage.types("Where is Ann?")
        await stage.until(events.ToolStarted)
        await silence(stage, 2)
        await stage.user("Yes.")
        assert await stage.agent() == "Yes to what?"
        assert await stage.agent() == "Ann is in room twelve."
        assert isinstance(thinker.requests[-1].items[-1], ToolResult)
    thinker.assert_complete()


@pytest.mark.parametrize("noise", ["Hmm.", "Okay, thanks.", ""])
def test_who_says_okay_to_one_moment_please_waits(noise: str) -> None:
    @virtual_time
    async def scenario() -> None:
        thinker, persona = searching(("One moment, please.",))
        async with rehearse(thinker, persona=persona, tools=[look_up]) as stage:
            stage.types("Where is Ann?")
            await until_heard(stage, len("One moment, please."), ms=500)
            await stage.user(noise)
            assert await stage.agent() == "Yes to what?"  # the script after the call
            assert len(stage.seen(events.ReplyStarted)) == 1

    scenario()


@virtual_time
async def test_a_yes_while_the_agent_thinks_is_heard() -> None:
    thinker = ScriptedThinker([Pause(5), "Too late."], ["Yes, sir."])
    async with rehearse(thinker) as stage:
        stage.types("Have you a table?")
        await silence(stage, 1)
        await stage.user("Yes.")
        assert await stage.agent() == "Yes, sir."


WEATHER = "The weather in Oslo is sunny with a light wind from the west and it stays so all week."


@hearing
@pytest.mark.parametrize("delay_s", [0.1, 0.4])
@pytest.mark.parametrize(
    ("echo", "after"),
    [
        ("Oslo.", "The weather in Oslo"),
        ("is sunny", "The weather in Oslo is sunny"),
        ("The weather in Oslo is sunny with a light wind", "The weather in Oslo is sunny"),
        ("The whether in Oslo is sunny with the light wind.", "The weather in Oslo is sunny with"),
        ("weather in Oslo is sunny with a light wind from the west and it stays", WEATHER[:60]),
    ],
    ids=["one word", "two words", "nine words", "misspelled", "fourteen words"],
)
def test_the_agent_s_own_words_do_not_interrupt_it(
    echo: str, after: str, delay_s: float, hears: bool
) -> None:
    @virtual_time
    async def scenario() -> None:
        thinker = ScriptedThinker([WEATHER + " word" * 20], hears=hears)
        async with rehearse(thinker, ears=ScriptedEars(delay_s=delay_s)) as stage:
            stage.types("How is the weather?")
            await until_heard(stage, len(after))
            await stage.user(echo)
            assert await stage.agent() == WEATHER + " word" * 20
            assert not stage.seen(events.Interrupted)
            assert len(thinker.requests) == 1

    scenario()


@virtual_time
async def test_who_goes_on_after_an_echo_with_words_of_their_own_takes_the_floor() -> None:
    thinker = ScriptedThinker([WEATHER], ["Bergen is rainy."])
    async with rehearse(thinker) as stage:
        stage.types("How is the weather?")
        await until_heard(stage, 40)
        await stage.user("Oslo is sunny no stop I meant to ask about Bergen and not Oslo")
        assert (await stage.until(events.UtteranceFinished)).interrupted
        assert await stage.agent() == "Bergen is rainy."


@hearing
@pytest.mark.parametrize("echo", ["from the west.", "west"])
def test_an_echo_that_comes_when_the_agent_has_just_ended_is_not_answered(
    echo: str, hears: bool
) -> None:
    said = "The wind in Oslo comes from the west."

    @virtual_time
    async def scenario() -> None:
        thinker = ScriptedThinker([said], ["Pardon?"], hears=hears)
        async with rehearse(thinker) as stage:
            stage.types("How is the wind?")
            await until_heard(stage, len(said), ms=200)
            await stage.user(echo)
            await silence(stage, 3)
            assert len(stage.seen(events.ReplyStarted)) == 1
            assert stage.transcript == [("user", "How is the wind?"), ("assistant", said)]

    scenario()


@hearing
@pytest.mark.parametrize("ms", [-200, 100, 300, 2000])
@pytest.mark.parametrize("answer", ["Coffee.", "Coffee, thanks.", "A cup of coffee."])
def test_a_user_who_repeats_the_agent_s_word_is_answered(answer: str, ms: int, hears: bool) -> None:
    asked = "Would you like a pot of tea or a cup of coffee?"

    @virtual_time
    async def scenario() -> None:
        thinker = ScriptedThinker([asked], ["Coffee it is."], hears=hears)
        async with rehearse(thinker) as stage:
            stage.types("I am thirsty.")
            await until_heard(stage, len(asked), ms=ms)
            await stage.user(answer)
            await stage.until(events.UtteranceFinished)
            assert await stage.agent() == "Coffee it is."

    scenario()


@virtual_time
async def test_twelve_after_room_twelve_is_a_question() -> None:
    said = "You are in room twelve."
    thinker = ScriptedThinker([said], ["Yes, twelve."])
    async with rehearse(thinker) as stage:
        stage.types("Where am I?")
        await until_heard(stage, len(said), ms=700)
        await stage.user("Twelve?")
        await stage.until(events.UtteranceFinished)
        assert await stage.agent() == "Yes, twelve."


@virtual_time
async def test_stop_stops_the_agent_that_has_just_said_stop() -> None:
    said = "I will not stop the music " + "and go on " * 10
    thinker = ScriptedThinker([said], ["All right."])
    async with rehearse(thinker) as stage:
        stage.types("Play music.")
        await until_heard(stage, 18)
        await stage.user("Stop.")
        assert (await stage.until(events.UtteranceFinished)).interrupted
        assert await stage.agent() == "All right."


PERSONA = Persona(name="test", goodbye="Sleep well.", fillers=())


@virtual_time
async def test_a_typed_goodbye_ends_the_call() -> None:
    async with rehearse(ScriptedThinker(["Hello."]), persona=PERSONA) as stage:
        stage.types("Hello")
        assert await stage.agent() == "Hello."
        stage.types("Bye, Mira.")
        assert await stage.agent() == "Sleep well."
        assert (await stage.until(events.SessionEnded)).reason == "goodbye"


@pytest.mark.parametrize("typed", [False, True], ids=["spoken", "typed"])
def test_goodbye_as_the_answer_to_a_question_about_it_goes_on(typed: bool) -> None:
    @virtual_time
    async def scenario() -> None:
        thinker = ScriptedThinker(["How do you say auf Wiedersehen?"], ["Very good!"])
        async with rehearse(thinker, persona=PERSONA) as stage:
            stage.types("Teach me German.")
            await stage.agent()
            await silence(stage, 1)
            if typed:
                stage.types("Goodbye.")
            else:
                await stage.user("Goodbye.")
            assert await stage.agent() == "Very good!"
            assert not stage.seen(events.SessionEnded)

    scenario()


PRICE = "It costs $1,250.50 today. Shall I order it?"


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("It costs", "It costs"),
        ("It costs one thousand two hundred and fifty dollars", "It costs"),
        ("It costs one thousand two hundred and fifty dollars and fifty cents", PRICE[:18]),
    ],
)
def test_a_number_given_in_words_is_cut_where_it_is_written(said: str, kept: str) -> None:
    @virtual_time
    async def scenario() -> None:
        persona = Persona(name="Test", speech=SpeechOptions(numbers="words"), fillers=())
        async with rehearse(ScriptedThinker([PRICE], ["All right."]), persona=persona) as stage:
            stage.types("How much is it?")
            await until_heard(stage, len(said), ms=100)
            await stage.user("Stop, please.")
            await stage.until(events.ReplyFinished)
            assert stage.transcript[1] == ("assistant", kept)
            captions = "".join(spoken.text for spoken in stage.seen(events.SpokenText))
            assert captions.startswith(PRICE[: len(kept)])
            assert "thousand" not in captions

    scenario()
