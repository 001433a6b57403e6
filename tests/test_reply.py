"""One reply: whose states the Talker reads, and what is heard when a Thinker fails."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from omni_agent import Persona, events, tool
from omni_agent.errors import EngineError
from omni_agent.testing import (
    Pause,
    ScriptedTalker,
    ScriptedThinker,
    call,
    rehearse,
    virtual_time,
)
from omni_agent.thinker import Features, MalformedCall

APOLOGY = "Sorry, something went wrong on my side. Could you say that again?"


@tool
async def room_of(name: str) -> str:
    """Which room somebody has. name: who."""
    await asyncio.sleep(3)
    return f"{name} has room 12"


async def spoken_with(
    *scripts: Sequence[Any], persona: Persona | None = None
) -> list[tuple[str, Any]]:
    """(kind, features) of everything that is voiced in answer to one question."""
    talker = ScriptedTalker()
    thinker = ScriptedThinker(*scripts, hears=True)
    async with rehearse(thinker, talker=talker, persona=persona, tools=[room_of]) as stage:
        if stage.session.greets:
            await stage.agent()
        await stage.user("Where is Ann, please?")
        await stage.until(events.ReplyFinished)
        await asyncio.sleep(10)
        kinds = [event.kind for event in stage.seen(events.UtteranceStarted)]
        return list(zip(kinds, [voice.features for voice in talker.voices], strict=True))


@virtual_time
async def test_an_answer_is_spoken_with_the_features_of_its_thought() -> None:
    assert await spoken_with([Features("a"), "In room ", "twelve."]) == [("answer", "a")]


@virtual_time
async def test_each_round_is_spoken_with_its_own_features() -> None:
    rounds: list[Sequence[Any]] = [
        [Features("a"), "Let me look. ", call("room_of", name="Ann")],
        [Features("b"), "She has room twelve."],
    ]
    assert await spoken_with(*rounds) == [("answer", "a"), ("answer", "b")]


@virtual_time
async def test_a_round_without_features_is_spoken_with_the_last_ones() -> None:
    rounds: list[Sequence[Any]] = [
        [Features("a"), call("room_of", name="Ann")],
        ["She has room twelve."],
    ]
    assert await spoken_with(*rounds) == [("answer", "a")]


@virtual_time
async def test_what_was_not_thought_of_has_no_features() -> None:
    persona = Persona(name="test", greeting="Good morning.", fillers=("One moment.",))
    rounds: list[Sequence[Any]] = [
        [Features("a"), call("room_of", name="Ann")],
        [Features("b"), "In room twelve."],
    ]
    assert await spoken_with(*rounds, persona=persona) == [
        ("greeting", None),
        ("filler", None),
        ("answer", "b"),
    ]


@virtual_time
async def test_the_next_reply_does_not_speak_with_old_features() -> None:
    talker = ScriptedTalker()
    thinker = ScriptedThinker([Features("a"), "One."], ["Two."])
    async with rehearse(thinker, talker=talker) as stage:
        await stage.user("Say one for me.")
        await stage.agent()
        await stage.user("Say two for me.")
        await stage.agent()
        assert [voice.features for voice in talker.voices] == ["a", None]


FAILURES: dict[str, tuple[Sequence[Any], str]] = {
    "before any text": ([EngineError("the engine died")], APOLOGY),
    "while thinking": ([Pause(2), EngineError("the engine died")], APOLOGY),
    "within a sentence": (["She is in ", EngineError("the engine died")], f"She is in … {APOLOGY}"),
    "within a word": (["She is in ro", EngineError("the engine died")], f"She is in ro… {APOLOGY}"),
    "between sentences": (["I see.", EngineError("the engine died")], f"I see. {APOLOGY}"),
}


@pytest.mark.parametrize("hears", [False, True], ids=["reads", "hears"])
@pytest.mark.parametrize("failure", FAILURES)
def test_a_thinker_that_dies_is_apologised_for_and_the_next_turn_works(
    failure: str, hears: bool
) -> None:
    @virtual_time
    async def scenario() -> None:
        script, said = FAILURES[failure]
        thinker = ScriptedThinker(script, ["In room twelve."], hears=hears)
        async with rehearse(thinker) as stage:
            await stage.user("Where is Ann, please?")
            assert await stage.agent() == said
            assert [(e.source, e.detail) for e in stage.seen(events.ErrorOccurred)] == [
                ("thinker", "the engine died")
            ]
            await stage.user("Where is Ann, I said?")
            assert await stage.agent() == "In room twelve."
            assert stage.transcript == [
                ("user", "Where is Ann, please?"),
                ("assistant", said),
                ("user", "Where is Ann, I said?"),
                ("assistant", "In room twelve."),
            ]
        thinker.assert_complete()

    scenario()


@virtual_time
async def test_a_thinker_that_dies_over_a_draft_is_nobody_s_business_when_the_user_goes_on() -> (
    None
):
    thinker = ScriptedThinker([EngineError("the engine died")], ["Ten minutes."], hears=True)
    async with rehearse(thinker) as stage:
        await stage.user("Set a timer", then_silence_ms=160)
        await stage.user("for ten minutes please.")
        assert await stage.agent() == "Ten minutes."
        assert not stage.seen(events.ErrorOccurred)


@virtual_time
async def test_a_thinker_that_dies_after_a_tool_call_is_apologised_for_once() -> None:
    thinker = ScriptedThinker([call("room_of", name="Ann")], [EngineError("the engine died")])
    async with rehearse(thinker, tools=[room_of]) as stage:
        await stage.user("Where is Ann, please?")
        assert await stage.agent() == APOLOGY
        await stage.until(events.ReplyFinished)
        assert len(stage.seen(events.UtteranceStarted)) == 1


@virtual_time
async def test_a_malformed_call_after_words_does_not_run_into_them() -> None:
    async with rehearse(ScriptedThinker(["Let me see", MalformedCall("f(", "cut")])) as stage:
        await stage.user("Where is Ann, please?")
        assert await stage.agent() == "Let me see… Sorry, I could not do that."
