"""One reply: whose states the Talker reads, and what is heard when a Thinker fails."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Any

import pytest

from omni_agent import Persona, events, tool
from omni_agent.commands import Interrupt
from omni_agent.errors import EngineError, ToolError
from omni_agent.markdown import no_markdown
from omni_agent.talker import Speech, Voice
from omni_agent.testing import (
    Pause,
    Rehearsal,
    ScriptedTalker,
    ScriptedThinker,
    call,
    rehearse,
    virtual_time,
)
from omni_agent.thinker import Features, MalformedCall, ToolCallRequest, Usage

APOLOGY = "Sorry, something went wrong on my side. Could you say that again?"
UNSAID = "Sorry, I have no words for what came of that."


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
@pytest.mark.parametrize("written", ["👍", "```python\nprint(1)\n```"])
async def test_an_answer_that_no_voice_can_say_is_shown_and_not_apologised_for(
    written: str,
) -> None:
    thinker = ScriptedThinker([written], ["Yes."])
    async with rehearse(thinker, filters=[no_markdown]) as stage:
        await stage.user("Is that all right, then?")
        assert await stage.agent() == written
        assert stage.seen(events.PlaybackStarted) == []
        await stage.user("Is that a yes, please?")
        assert await stage.agent() == "Yes."
        assert stage.transcript[1] == ("assistant", written)


async def no_codes(pieces: AsyncIterator[str]) -> AsyncIterator[str]:
    """A filter of a persona that withholds what has digits in it."""
    async for piece in pieces:
        if not any(character.isdigit() for character in piece):
            yield piece


@virtual_time
async def test_an_answer_that_a_filter_withholds_is_neither_said_nor_shown_nor_kept() -> None:
    thinker = ScriptedThinker(["code 4711"], ["Yes."])
    async with rehearse(thinker, filters=[no_codes, no_markdown]) as stage:
        await stage.user("What is the code, please?")
        await stage.until(events.ReplyFinished)
        await stage.user("Is that a secret, then?")
        assert await stage.agent() == "Yes."
        assert "code 4711" not in str(stage.line.events)
        assert "code 4711" not in str(thinker.requests[-1].items)


@pytest.mark.parametrize("second", [["In room twelve."], []], ids=["told", "still nothing"])
@virtual_time
async def test_a_result_that_is_not_told_is_asked_for_once_more(second: Sequence[Any]) -> None:
    thinker = ScriptedThinker(["Let me look.", call("room_of", name="Ann")], [], second)
    async with rehearse(thinker, tools=[room_of]) as stage:
        await stage.user("Where is Ann, please?")
        assert await stage.agent() == "Let me look."
        assert await stage.agent() == ("In room twelve." if second else UNSAID)
        notes = ["tell the user now" in request.instructions for request in thinker.requests]
        assert notes == [False, False, True]
    thinker.assert_complete()


@virtual_time
async def test_a_thinker_that_only_uses_tools_does_not_have_them_asked_for_again() -> None:
    asking = ([call("room_of", name=name)] for name in ("Ann", "Bo", "Cy"))
    thinker = ScriptedThinker(*asking, [])
    async with rehearse(thinker, tools=[room_of]) as stage:
        await stage.user("Where are they, please?")
        assert await stage.agent() == UNSAID
    thinker.assert_complete()


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


@virtual_time
async def test_a_thinker_whose_call_cannot_be_read_is_told_why_and_may_make_it_again() -> None:
    thinker = ScriptedThinker(
        ["Let me see.", MalformedCall("room_of(", "the call was cut off")],
        [call("room_of", name="Ann")],
        ["In room twelve."],
    )
    async with rehearse(thinker, tools=[room_of]) as stage:
        await stage.user("Where is Ann, please?")
        assert await stage.agent() == "Let me see."
        assert await stage.agent() == "In room twelve."
    notes = ["could not be read: the call was cut" in r.instructions for r in thinker.requests]
    assert notes == [False, True, False]
    thinker.assert_complete()


def _nested(levels: int) -> Any:
    return [_nested(levels - 1)] if levels else []


@pytest.mark.parametrize("arguments", [None, "{}", {"name": _nested(600)}, {"name": _nested(70)}])
@virtual_time
async def test_arguments_that_are_none_or_far_too_deep_are_no_call(arguments: Any) -> None:
    odd = ToolCallRequest("call_odd", "room_of", arguments)
    thinker = ScriptedThinker([odd], [call("room_of", name="Ann")], ["In room twelve."])
    async with rehearse(thinker, tools=[room_of]) as stage:
        await stage.user("Where is Ann, please?")
        assert await stage.agent() == "In room twelve."
    assert "could not be read: its arguments" in thinker.requests[1].instructions


@virtual_time
async def test_it_is_told_so_once() -> None:
    broken = [MalformedCall("room_of(", "the call was cut off")]
    thinker = ScriptedThinker(broken, broken, ["Hello."])
    async with rehearse(thinker, tools=[room_of]) as stage:
        await stage.user("Where is Ann, please?")
        assert await stage.agent() == "Sorry, I could not do that."
        await stage.user("And where is Ben, please?")
        assert await stage.agent() == "Hello."
    assert [("could not be read" in request.instructions) for request in thinker.requests] == [
        False, True, False,
    ]  # fmt: skip


@tool(timeout_s=60)
async def search(seconds: float) -> str:
    """Search for a while. seconds: how long."""
    await asyncio.sleep(seconds)
    return "found"


@tool
def forbidden() -> str:
    """Never allowed."""
    raise ToolError("not allowed")


FILLERS = ("One moment.", "Let me see.", "Let me check.")


def fillers_said(stage: Rehearsal) -> list[tuple[float, str]]:
    """(when, what) of the fillers so far."""
    begun = [e for e in stage.seen(events.UtteranceStarted) if e.kind == "filler"]
    spoken = {e.utterance: e.text for e in stage.seen(events.SpokenText)}
    return [(e.at, spoken[e.utterance]) for e in begun]


@virtual_time
async def test_a_long_tool_is_never_long_silent_and_its_fillers_vary_over_the_call() -> None:
    persona = Persona(name="test", fillers=FILLERS)
    asked = [[[call("search", seconds=8)], ["Found it."]] for _ in range(3)]
    thinker = ScriptedThinker(*itertools.chain(*asked))
    async with rehearse(thinker, persona=persona, tools=[search]) as stage:
        for _ in range(3):
            stage.types("Search, please.")
            assert await stage.agent() == "Found it."
        texts = [text for _, text in fillers_said(stage)]
        assert texts == [*FILLERS, *FILLERS]
        (started, *_), (finished, *_) = (
            stage.seen(kind) for kind in (events.ToolStarted, events.ToolFinished)
        )
        times = [at for at, _ in fillers_said(stage) if at < finished.at]
        assert times[0] - started.at == pytest.approx(0.2)
        assert 4 < times[1] - times[0] < 5.5
        assert finished.at - times[1] < 4


@virtual_time
async def test_fillers_of_a_very_long_tool_become_rarer() -> None:
    persona = Persona(name="test", fillers=FILLERS)
    async with rehearse(
        ScriptedThinker([call("search", seconds=59)], ["Found it."]),
        persona=persona,
        tools=[search],
    ) as stage:
        stage.types("Search, please.")
        await stage.agent()
        times = [at for at, _ in fillers_said(stage)]
        gaps = [later - sooner for sooner, later in itertools.pairwise(times)]
        assert gaps == sorted(gaps)
        assert 5 <= len(times) <= 7


@pytest.mark.parametrize(
    "script",
    [
        [call("search", seconds=0)],
        [call("search", seconds=0.15)],
        [call("search", seconds="soon")],
        [call("forbidden")],
        [call("no_such_tool")],
    ],
    ids=["at once", "quick", "refused by its schema", "failing", "unknown"],
)
def test_no_filler_is_said_for_what_is_quick_or_refused(script: Sequence[Any]) -> None:
    @virtual_time
    async def scenario() -> None:
        persona = Persona(name="test", fillers=FILLERS)
        thinker = ScriptedThinker(script, [Pause(2), "There you are."])
        async with rehearse(thinker, persona=persona, tools=[search, forbidden]) as stage:
            stage.types("Search, please.")
            assert await stage.agent() == "There you are."
            assert not fillers_said(stage)

    scenario()


@virtual_time
async def test_words_before_a_call_are_its_first_filler() -> None:
    persona = Persona(name="test", fillers=FILLERS)
    thinker = ScriptedThinker(["Let me look. ", call("search", seconds=8)], ["Found it."])
    async with rehearse(thinker, persona=persona, tools=[search]) as stage:
        stage.types("Search, please.")
        assert await stage.agent() == "Let me look. "
        said = stage.now
        assert await stage.agent() == "Found it."
        assert [at - said for at, _ in fillers_said(stage)] == [pytest.approx(4, abs=0.1)]


@virtual_time
async def test_a_persona_with_one_filler_has_it_again() -> None:
    persona = Persona(name="test", fillers=FILLERS[:1])
    thinker = ScriptedThinker([call("search", seconds=8)], ["Found it."])
    async with rehearse(thinker, persona=persona, tools=[search]) as stage:
        stage.types("Search, please.")
        await stage.agent()
        assert len(fillers_said(stage)) == 2


class FailingTalker(ScriptedTalker):
    """Fails after so many pieces."""

    def __init__(self, pieces: int) -> None:
        super().__init__()
        self.left = pieces

    async def speak(self, text: AsyncIterator[str], voice: Voice) -> AsyncGenerator[Speech, None]:
        async for piece in super().speak(text, voice):
            if not self.left:
                raise EngineError("the voice is gone")
            self.left -= 1
            yield piece
        raise EngineError("the voice is gone")


@pytest.mark.parametrize("pieces", [0, 30])
@virtual_time
async def test_what_a_failed_voice_did_not_voice_is_not_said(pieces: int) -> None:
    thinker, talker = ScriptedThinker(["Hello there. ", "And more."]), FailingTalker(pieces)
    async with rehearse(thinker, talker=talker) as stage:
        stage.types("Hello.")
        heard = await stage.agent()
        written = stage.seen(events.UtteranceFinished)[-1].text
        assert len(heard) < len(written)
        assert bool(heard) == bool(pieces)
        assert stage.transcript[-1] == ("assistant", heard)


@pytest.mark.parametrize(
    ("seconds", "pauses"), [(4, []), (6, [5]), (12, [5]), (30, [5, 7.5, 11.25])]
)
def test_a_slow_thinker_is_never_long_silent(seconds: float, pauses: list[float]) -> None:
    @virtual_time
    async def scenario() -> None:
        persona = Persona(name="test", fillers=FILLERS)
        thinker = ScriptedThinker([Pause(seconds), "There you are."])
        async with rehearse(thinker, persona=persona) as stage:
            stage.types("Where is my order?")
            assert await stage.agent() == "There you are."
            (began,) = stage.seen(events.ReplyStarted)
            ended = [finished.at for finished in stage.seen(events.UtteranceFinished)]
            quiet_since = [began.at, *ended]
            said = [at for at, _ in fillers_said(stage)]
            gaps = [at - quiet for at, quiet in zip(said, quiet_since, strict=False)]
            assert gaps == [pytest.approx(pause, abs=0.1) for pause in pauses]

    scenario()


@virtual_time
async def test_a_thinker_that_is_slow_after_a_tool_has_fillers_too() -> None:
    persona = Persona(name="test", fillers=FILLERS)
    script = [[Pause(6), call("room_of", name="Ann")], [Pause(6), "Room twelve."]]
    async with rehearse(ScriptedThinker(*script), persona=persona, tools=[room_of]) as stage:
        stage.types("Where is Ann?")
        assert await stage.agent() == "Room twelve."
        (tool_done,) = stage.seen(events.ToolFinished)
        said = [at for at, _ in fillers_said(stage)]
        assert [at > tool_done.at for at in said] == [False, True]  # not one for each reason


@virtual_time
async def test_a_slow_thinker_that_is_interrupted_has_no_filler_any_more() -> None:
    persona = Persona(name="test", fillers=FILLERS)
    async with rehearse(ScriptedThinker([Pause(30), "Late."]), persona=persona) as stage:
        stage.types("Where is my order?")
        await asyncio.sleep(3)
        stage.line.put(Interrupt())
        await asyncio.sleep(30)
        assert not fillers_said(stage)


@virtual_time
async def test_a_persona_without_fillers_waits_for_a_slow_thinker_in_silence() -> None:
    persona = Persona(name="test", fillers=())
    async with rehearse(ScriptedThinker([Pause(30), "Late."]), persona=persona) as stage:
        stage.types("Where is my order?")
        assert await stage.agent() == "Late."
        assert not fillers_said(stage)


@virtual_time
async def test_a_thinker_that_timed_out_is_one_line_in_the_log_and_an_apology(
    caplog: pytest.LogCaptureFixture,
) -> None:
    thinker = ScriptedThinker([Pause(8), EngineError("no answer within 40 s")])
    async with rehearse(thinker, persona=Persona(name="test", fillers=FILLERS)) as stage:
        stage.types("Where is my order?")
        assert await stage.agent() == APOLOGY
    (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert "no answer within 40 s" in record.message
    assert not record.exc_info


@virtual_time
async def test_what_each_run_of_the_thinker_took_is_told_once_its_turn_is_over() -> None:
    asks = [call("room_of", name="Ann"), Usage(100, 0, 7)]
    thinker = ScriptedThinker(asks, ["Room twelve.", Usage(120, 100, 4)])
    async with rehearse(thinker, tools=[room_of]) as stage:
        await stage.user("Which room has Ann, please?")
        await stage.until(events.ReplyFinished)
        (reply,) = stage.seen(events.ReplyStarted)
        used = stage.seen(events.TokensUsed)
        assert [one.reply_id for one in used] == [reply.reply_id] * 2
        assert [(one.prompt_tokens, one.cached_tokens, one.completion_tokens) for one in used] == [
            (100, 0, 7),
            (120, 100, 4),
        ]
