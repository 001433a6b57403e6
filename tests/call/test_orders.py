"""What a client may ask of its call: wishes, push to talk, its own tools, and the rest."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from omni_agent import Persona, ToolContext, events, tool
from omni_agent.audio import AudioFrame
from omni_agent.call.keys import PAUSE_S
from omni_agent.call.orders import MOST_AWAITED
from omni_agent.commands import (
    AddItem,
    ChoosePersona,
    ClearAudio,
    CommitAudio,
    Configure,
    DeleteItem,
    Digit,
    Interrupt,
    ReplyRequest,
    Truncate,
)
from omni_agent.conversation import Message, TextPart, ToolCall, ToolResult, user
from omni_agent.ears import EAR_RATE
from omni_agent.errors import ProtocolError
from omni_agent.markdown import no_markdown
from omni_agent.personas.outfit import Outfit
from omni_agent.testing import (
    FixedWardrobe,
    Pause,
    Rehearsal,
    ScriptedTalker,
    ScriptedThinker,
    call,
    rehearse,
    virtual_time,
)
from omni_agent.thinker import ToolSchema
from omni_agent.wishes import Wishes

MANUAL = Wishes(turns="manual")
LOCATE = ToolSchema("locate", "Where the user is.", {"type": "object", "properties": {}})


def asked(thinker: ScriptedThinker, reply: int = -1) -> list[str]:
    items = thinker.requests[reply].items
    return [item.text for item in items if isinstance(item, Message)]


async def talk(stage: Rehearsal, text: str) -> None:
    """Press, speak, release."""
    await stage.user(text, then_silence_ms=0)
    stage.line.put(CommitAudio())


NONSENSE: list[Any] = [
    None,
    5,
    AddItem(None),  # type: ignore[arg-type]
    AddItem(Message("user", None)),  # type: ignore[arg-type]
    AddItem(Message("nobody", ())),  # type: ignore[arg-type]
    AddItem(Message("user", (TextPart(None),))),  # type: ignore[arg-type]
    AddItem(user("x", ["x"])),  # type: ignore[arg-type]
    AddItem(ToolResult([], None)),  # type: ignore[arg-type]
    DeleteItem([]),  # type: ignore[arg-type]
    Configure(None),  # type: ignore[arg-type]
    Configure(Wishes(turns="x")),  # type: ignore[arg-type]
    Configure(Wishes(tool_choice="zzz")),  # type: ignore[arg-type]
    Configure(Wishes(tools=5)),  # type: ignore[arg-type]
    Configure(Wishes(tools=(None,))),  # type: ignore[arg-type]
    Configure(Wishes(tools=(ToolSchema([], "", {}),))),  # type: ignore[arg-type]
    Configure(Wishes(tools=(ToolSchema("x", "", None),))),  # type: ignore[arg-type]
    Configure(Wishes(tools=(ToolSchema("x", "", {"anyOf": [{}] * 5200}),))),
    Configure(Wishes(instructions=5)),  # type: ignore[arg-type]
    Configure(Wishes(speed=float("nan"))),
    ReplyRequest(None),  # type: ignore[arg-type]
    ReplyRequest(Wishes(tool_choice="zzz")),  # type: ignore[arg-type]
    ReplyRequest(items=5),  # type: ignore[arg-type]
    ReplyRequest(items=(None,), private=True),  # type: ignore[arg-type]
    ChoosePersona([]),  # type: ignore[arg-type]
    ChoosePersona("b", None),  # type: ignore[arg-type]
    Truncate([], 5),  # type: ignore[arg-type]
    Truncate("x", None),  # type: ignore[arg-type]
    Truncate("x", float("nan")),  # type: ignore[arg-type]
    Digit([]),  # type: ignore[arg-type]
]


@virtual_time
@pytest.mark.parametrize("command", NONSENSE, ids=lambda command: repr(command)[:80])
async def test_what_makes_no_sense_is_told_and_the_call_goes_on(command: Any) -> None:
    async with rehearse(ScriptedThinker(["Noon."])) as stage:
        stage.line.put(command)
        await stage.until(events.ErrorOccurred, lambda event: event.source == "session")
        await stage.user("When?")
        assert await stage.agent() == "Noon."


# -- wishes --------------------------------------------------------------------------------------


@virtual_time
async def test_a_call_begins_with_the_wishes_it_came_with() -> None:
    thinker, talker = ScriptedThinker(["Guten Tag."]), ScriptedTalker()
    wishes = Wishes(
        instructions="Sei knapp.", voice="kerstin", language="de", speed=1.2, max_tokens=9
    )
    persona = Persona(name="a", greeting="Hello.", fillers=())
    async with rehearse(thinker, talker=talker, persona=persona, wishes=wishes) as stage:
        assert await stage.agent() == "Hello."
        stage.types("Hallo")
        assert await stage.agent() == "Guten Tag."
    (request,) = thinker.requests
    assert (request.instructions, request.sampling.max_tokens) == ("Sei knapp.", 9)
    said = {(voice.speaker, voice.language, voice.speed) for voice in talker.voices}
    assert said == {("kerstin", "de", 1.2)}


@virtual_time
async def test_a_later_wish_leaves_the_earlier_ones_in_force() -> None:
    thinker = ScriptedThinker(["One."], ["Two."])
    async with rehearse(thinker, wishes=Wishes(instructions="Be brief.")) as stage:
        stage.line.put(Configure(Wishes(max_tokens=7)))
        stage.types("First")
        await stage.agent()
        stage.line.put(Configure(Wishes(instructions="Be kind.")))
        stage.types("Second")
        await stage.agent()
    told = [(request.instructions, request.sampling.max_tokens) for request in thinker.requests]
    assert told == [("Be brief.", 7), ("Be kind.", 7)]


@virtual_time
async def test_what_is_being_said_is_said_as_it_was_begun() -> None:
    thinker, talker = ScriptedThinker(["One.", Pause(1), " Two."]), ScriptedTalker()
    async with rehearse(thinker, talker=talker) as stage:
        stage.types("Go")
        await stage.until(events.PlaybackStarted)
        stage.line.put(Configure(Wishes(voice="other")))
        assert await stage.agent() == "One. Two."
    assert [voice.speaker for voice in talker.voices] == [None]


@virtual_time
async def test_wishes_outlive_a_change_of_persona() -> None:
    thinker = ScriptedThinker(["Yes."])
    outfits = [Outfit(Persona(name=name, thinker=name, fillers=()), {}, ()) for name in "ab"]
    wishes = Wishes(max_tokens=3)
    async with rehearse(thinker, wardrobe=FixedWardrobe(*outfits), wishes=wishes) as stage:
        stage.line.put(ChoosePersona("b"))
        stage.types("Hello")
        await stage.agent()
    (request,) = thinker.requests
    assert (request.instructions, request.sampling.max_tokens) == ("b", 3)


@virtual_time
async def test_a_call_that_is_written_only_makes_no_sound() -> None:
    thinker, talker = ScriptedThinker(["Read ", "this."]), ScriptedTalker()
    async with rehearse(thinker, talker=talker, wishes=Wishes(spoken=False)) as stage:
        stage.types("Hello")
        assert await stage.agent() == "Read this."
        assert sum(frame.seconds for frame in stage.line.recording()) == 0
    assert talker.voices == []


@virtual_time
async def test_a_turn_that_is_not_to_be_answered_joins_the_conversation_and_waits() -> None:
    thinker = ScriptedThinker(["Yes?"])
    async with rehearse(thinker, wishes=Wishes(answered=False)) as stage:
        await stage.user("Note this.")
        await stage.until(events.UserTranscript, lambda e: e.final)
        await asyncio.sleep(10)
        assert thinker.requests == []
        stage.line.put(ReplyRequest())
        assert await stage.agent() == "Yes?"
        assert asked(thinker) == ["Note this."]


@virtual_time
async def test_speech_that_may_not_interrupt_is_answered_after_what_is_said() -> None:
    thinker = ScriptedThinker(["word " * 40], ["Now you."])
    async with rehearse(thinker, wishes=Wishes(interrupts=False)) as stage:
        stage.types("Go on")
        await stage.until(events.PlaybackStarted)
        await stage.user("But I have something to say.")
        assert await stage.agent() == ("word " * 40).strip() + " "
        assert await stage.agent() == "Now you."
        assert stage.seen(events.Interrupted) == []
        assert asked(thinker)[-2:] == [("word " * 40), "But I have something to say."]


# -- one reply's own wishes ----------------------------------------------------------------------


@virtual_time
async def test_a_reply_may_have_wishes_of_its_own() -> None:
    thinker = ScriptedThinker(["One."], ["Two."])
    async with rehearse(thinker) as stage:
        stage.line.put(AddItem(user("Hello")))
        stage.line.put(ReplyRequest(Wishes(instructions="Just once.", tool_choice="none")))
        await stage.agent()
        stage.types("Again")
        await stage.agent()
    assert [request.instructions for request in thinker.requests] == ["Just once.", ""]


@virtual_time
async def test_a_reply_may_have_to_use_a_tool_or_may_use_none() -> None:
    @tool
    def look() -> str:
        """Look."""
        return "seen"

    thinker = ScriptedThinker([call("look")], ["A cat."], ["Hm."])
    async with rehearse(thinker, tools=[look]) as stage:
        for choice in ("required", "none"):
            stage.line.put(AddItem(user("What is it?")))
            stage.line.put(ReplyRequest(Wishes(tool_choice=choice)))
            await stage.agent()
    told = [(request.tool_choice, len(request.tools)) for request in thinker.requests]
    assert told == [("required", 1), ("auto", 1), ("auto", 0)]


@virtual_time
async def test_a_reply_may_answer_other_items_than_the_conversation() -> None:
    @tool
    def look() -> str:
        """Look."""
        return "seen"

    thinker = ScriptedThinker([call("look")], ["A cat."])
    async with rehearse(thinker, tools=[look]) as stage:
        stage.line.put(AddItem(user("Secret")))
        stage.line.put(ReplyRequest(items=(user("What is this?"),)))
        assert await stage.agent() == "A cat."
    assert asked(thinker) == ["What is this?"]
    assert [type(item) for item in thinker.requests[-1].items] == [Message, ToolCall, ToolResult]


@virtual_time
async def test_a_private_reply_is_written_beside_what_is_said_and_joins_no_conversation() -> None:
    thinker = ScriptedThinker(["word " * 40], ["calm"])
    async with rehearse(thinker) as stage:
        stage.types("Go on")
        await stage.until(events.PlaybackStarted)
        request = ReplyRequest(Wishes(instructions="Name the mood."), private=True)
        stage.line.put(request)
        aside = await stage.until(events.UtteranceStarted, lambda e: e.kind == "aside")
        told = await stage.until(events.UtteranceFinished)
        assert (told.utterance, told.text) == (aside.utterance, "calm")
        assert "word" in await stage.agent()
        assert [role for role, _ in stage.transcript] == ["user", "assistant"]
    assert thinker.requests[-1].instructions == "Name the mood."


@virtual_time
async def test_a_reply_s_own_tools_are_the_client_s_to_run() -> None:
    thinker = ScriptedThinker([call("locate")], ["Lisbon."])
    async with rehearse(thinker) as stage:
        stage.line.put(AddItem(user("Where am I?")))
        stage.line.put(ReplyRequest(Wishes(tools=(LOCATE,))))
        started = await stage.until(events.ToolStarted)
        await stage.until(events.ReplyFinished)
        stage.line.put(AddItem(ToolResult(started.call_id, "Lisbon")))
        stage.line.put(ReplyRequest())
        assert await stage.agent() == "Lisbon."


@virtual_time
async def test_words_of_other_items_end_no_call_and_answer_no_question() -> None:
    thinker = ScriptedThinker(["A farewell."])
    persona = Persona(name="a", goodbye="Goodbye.", fillers=())
    async with rehearse(thinker, persona=persona) as stage:
        stage.line.put(AddItem(user("Goodbye.")))
        stage.line.put(ReplyRequest(items=(user("What kind of word is this?"),)))
        assert await stage.agent() == "A farewell."
        assert stage.seen(events.SessionEnded) == []


# -- push to talk --------------------------------------------------------------------------------


@virtual_time
async def test_push_to_talk_hears_a_turn_when_it_is_released_and_answers_when_asked() -> None:
    thinker = ScriptedThinker(["At noon."])
    async with rehearse(thinker, wishes=MANUAL) as stage:
        await stage.user("When does", then_silence_ms=3000)
        assert thinker.requests == []
        await talk(stage, "the train leave?")
        stage.line.put(ReplyRequest())  # it waits for the words
        assert await stage.agent() == "At noon."
        assert asked(thinker) == ["When does the train leave?"]
        (committed,) = stage.seen(events.AudioCommitted)
        assert committed.duration_ms > 3000
        assert stage.seen(events.SpeechStarted) == []


@virtual_time
async def test_what_was_said_and_cleared_is_never_heard() -> None:
    thinker = ScriptedThinker(["Sure."])
    async with rehearse(thinker, wishes=MANUAL) as stage:
        await stage.user("Never mind that.", then_silence_ms=0)
        stage.line.put(ClearAudio())
        await talk(stage, "Do this.")
        stage.line.put(ReplyRequest())
        await stage.agent()
        assert asked(thinker) == ["Do this."]


@virtual_time
async def test_committing_nothing_is_told_and_changes_nothing() -> None:
    async with rehearse(ScriptedThinker(), wishes=MANUAL) as stage:
        stage.line.put(CommitAudio())
        error = await stage.until(events.ErrorOccurred)
        assert (error.source, "nothing to commit" in error.message) == ("audio", True)
        assert stage.transcript == []


@virtual_time
async def test_silence_that_is_committed_is_no_turn() -> None:
    thinker = ScriptedThinker(["Yes?"])
    async with rehearse(thinker, wishes=MANUAL) as stage:
        stage.line.put(AudioFrame.silence(2, EAR_RATE))
        await asyncio.sleep(0.1)
        stage.line.put(CommitAudio())
        assert (await stage.until(events.UserTranscript)).text == ""
        assert stage.transcript == []
        assert stage.ears.transcribed == 0, "ears make words up"


@virtual_time
async def test_turns_end_by_themselves_again_when_that_is_wished() -> None:
    thinker = ScriptedThinker(["Hello."])
    async with rehearse(thinker, wishes=MANUAL) as stage:
        stage.line.put(Configure(Wishes(turns="auto")))
        await asyncio.sleep(0.1)
        await stage.user("Hi there.")
        assert await stage.agent() == "Hello."


@virtual_time
async def test_a_long_turn_is_heard_in_pieces_that_ears_can_take() -> None:
    class Short(ScriptedThinker):
        pass

    thinker = Short(["Long."])
    async with rehearse(thinker, wishes=MANUAL) as stage:
        longest = 0.0
        transcribe = stage.ears.transcribe

        async def noting(audio: Any, *, language: str = "en") -> Any:
            nonlocal longest
            longest = max(longest, audio.seconds)
            return await transcribe(audio, language=language)

        stage.ears.transcribe = noting  # type: ignore[method-assign]  # looked at on the way
        await talk(stage, " ".join(f"word{number}" for number in range(120)))
        stage.line.put(ReplyRequest())
        await stage.agent()
        assert 14 <= longest <= 28
        assert len(asked(thinker)[0].split()) >= 115


@virtual_time
async def test_a_turn_in_the_middle_of_which_all_is_wished_otherwise_ends_as_it_began() -> None:
    thinker = ScriptedThinker(["Noon."])
    async with rehearse(thinker) as stage:
        speaking = asyncio.ensure_future(stage.user("When does the next train to Lisbon leave?"))
        await stage.until(events.SpeechStarted)
        await asyncio.sleep(0.5)
        stage.line.put(Configure(MANUAL))
        await speaking
        assert await stage.agent() == "Noon."
        assert asked(thinker) == ["When does the next train to Lisbon leave?"]


@virtual_time
async def test_what_was_never_committed_is_gone_when_turns_end_by_themselves_again() -> None:
    thinker = ScriptedThinker(["Yes."])
    async with rehearse(thinker, wishes=MANUAL) as stage:
        await stage.user("An old secret.", then_silence_ms=0)
        for turns in ("auto", "manual"):
            stage.line.put(Configure(Wishes(turns=turns)))  # type: ignore[arg-type]  # as it is
            await asyncio.sleep(0.1)
        await talk(stage, "Something new.")
        stage.line.put(ReplyRequest())
        await stage.agent()
        assert asked(thinker) == ["Something new."]


@virtual_time
async def test_a_request_after_a_commit_interrupts_as_a_typed_one_does() -> None:
    thinker = ScriptedThinker(["word " * 100], ["Here."])
    async with rehearse(thinker, wishes=MANUAL) as stage:
        stage.types("Go on")
        await stage.until(events.PlaybackStarted)
        await talk(stage, "Wait, where?")
        stage.line.put(ReplyRequest(Wishes(max_tokens=5)))
        assert len((await stage.agent()).split()) < 50
        assert await stage.agent() == "Here."
    assert thinker.requests[-1].sampling.max_tokens == 5


@virtual_time
async def test_a_client_that_commits_faster_than_ears_hear_is_refused() -> None:
    thinker = ScriptedThinker(["Fine."])
    async with rehearse(thinker, wishes=MANUAL) as stage:
        stage.ears.delay_s = 100
        for _ in range(20):
            await talk(stage, "Word.")
        await asyncio.sleep(1)
        assert len(stage.seen(events.AudioCommitted)) == MOST_AWAITED
        assert len(stage.seen(events.ErrorOccurred)) == 20 - MOST_AWAITED


@virtual_time
async def test_a_turn_ends_as_it_began_though_the_client_configures_meanwhile() -> None:
    thinker = ScriptedThinker(["One."], ["Two."], ["Three."])
    async with rehearse(thinker) as stage:
        await stage.user("My number is", then_silence_ms=100)
        stage.line.put(Configure(MANUAL))
        await asyncio.sleep(0.4)
        await stage.user("five five five")
        await stage.agent()
        said = [text for who, text in stage.transcript if who == "user"]
        assert " ".join(said) == "My number is five five five"
        await talk(stage, "and this is manual")
        await stage.until(events.AudioCommitted)


@virtual_time
async def test_a_persona_is_chosen_with_the_wishes_that_it_needs() -> None:
    """One that has a tool of the name that the client's has: it takes its own away with it."""

    @tool
    def locate() -> str:
        """Where the user is."""
        return "here"

    outfits = (
        Outfit(Persona(name="a"), {}, ()),
        Outfit(Persona(name="b"), {"locate": locate}, ()),
    )
    wishes = Wishes(tools=(LOCATE,))
    thinker = ScriptedThinker(["Hello."])
    async with rehearse(thinker, wardrobe=FixedWardrobe(*outfits), wishes=wishes) as stage:
        stage.line.put(ChoosePersona("b"))
        assert (await stage.until(events.ErrorOccurred)).source == "persona"
        stage.line.put(ChoosePersona("b", Wishes(tools=())))
        assert (await stage.until(events.PersonaChanged)).persona == "b"
        stage.types("Hi")
        await stage.agent()
    assert [one.name for one in thinker.requests[0].tools] == ["locate"]


# -- the client's tools --------------------------------------------------------------------------


@virtual_time
async def test_a_tool_of_the_client_is_called_there_and_its_result_is_told_when_asked_for() -> None:
    thinker = ScriptedThinker([call("locate")], ["You are in Lisbon."])
    async with rehearse(thinker, wishes=Wishes(tools=(LOCATE,))) as stage:
        stage.types("Where am I?")
        started = await stage.until(events.ToolStarted)
        await stage.until(events.ReplyFinished)  # no apology, no filler: the client is waited for
        assert stage.seen(events.UtteranceStarted) == []
        stage.line.put(AddItem(ToolResult(started.call_id, "Lisbon", id="mine")))
        stage.line.put(ReplyRequest())
        assert await stage.agent() == "You are in Lisbon."
        (finished,) = stage.seen(events.ToolFinished)
        assert (finished.name, finished.output) == ("locate", "Lisbon")
    assert [schema.name for schema in thinker.requests[0].tools] == ["locate"]
    result = thinker.requests[-1].items[-1]
    assert (result.id, type(result)) == ("mine", ToolResult)
    thinker.assert_complete()


@virtual_time
async def test_a_result_that_nobody_waits_for_is_refused() -> None:
    thinker = ScriptedThinker([call("locate")], ["Lisbon."])
    async with rehearse(thinker, wishes=Wishes(tools=(LOCATE,))) as stage:
        stage.line.put(AddItem(ToolResult("call_unknown", "x")))
        assert (await stage.until(events.ErrorOccurred)).source == "tool"
        stage.types("Where am I?")
        started = await stage.until(events.ToolStarted)
        for _ in range(2):
            stage.line.put(AddItem(ToolResult(started.call_id, "Lisbon")))
        await stage.until(events.ErrorOccurred)
        results = [item for item in stage.session.conversation if isinstance(item, ToolResult)]
        assert [result.output for result in results] == ["Lisbon"]


@virtual_time
async def test_a_server_tool_called_beside_a_client_tool_runs_before_the_reply_ends() -> None:
    @tool
    async def look() -> str:
        """Look."""
        await asyncio.sleep(1)
        return "seen"

    thinker = ScriptedThinker([call("look"), call("locate")])
    wishes = Wishes(tools=(LOCATE,))
    async with rehearse(thinker, tools=[look], wishes=wishes) as stage:
        stage.types("Go")
        await stage.until(events.ReplyFinished)
        assert [finished.output for finished in stage.seen(events.ToolFinished)] == ["seen"]
    thinker.assert_complete()


@virtual_time
async def test_a_client_cannot_take_the_name_of_a_tool_that_is_there() -> None:
    @tool(name="locate")
    def own() -> str:
        """Ours."""
        return "ours"

    thinker = ScriptedThinker([call("locate")], ["Ours."])
    async with rehearse(thinker, tools=[own]) as stage:
        stage.line.put(Configure(Wishes(tools=(LOCATE,), max_tokens=1)))
        error = await stage.until(events.ErrorOccurred)
        assert "locate" in error.message
        stage.types("Go")
        await stage.agent()
        assert [finished.output for finished in stage.seen(events.ToolFinished)] == ["ours"]
    assert thinker.requests[0].sampling.max_tokens != 1, "wishes are taken whole or not at all"


@virtual_time
async def test_what_is_typed_waits_for_no_words_of_before() -> None:
    thinker = ScriptedThinker(["Typed."])
    async with rehearse(thinker, wishes=MANUAL) as stage:
        stage.ears.delay_s = 500
        await talk(stage, "Slow ears.")
        await asyncio.sleep(0.1)
        began = stage.now
        stage.types("hello?")
        assert await stage.agent() == "Typed."
        assert stage.now - began < 5


@virtual_time
async def test_a_request_that_waits_for_words_is_forgotten_at_a_stop() -> None:
    async with rehearse(ScriptedThinker(["No."]), wishes=MANUAL) as stage:
        await talk(stage, "Some words.")
        stage.line.put(ReplyRequest())
        stage.line.put(Interrupt())
        await stage.until(events.UserTranscript, lambda e: e.final)
        await asyncio.sleep(5)
        assert stage.seen(events.ReplyStarted) == []


@virtual_time
async def test_a_request_that_takes_the_place_of_one_that_waits_for_words_is_told() -> None:
    thinker = ScriptedThinker(["Two."])
    async with rehearse(thinker, wishes=MANUAL) as stage:
        await talk(stage, "Some words.")
        for instructions in ("One.", "Two."):
            stage.line.put(ReplyRequest(Wishes(instructions=instructions)))
        assert "took the place" in (await stage.until(events.ErrorOccurred)).message
        assert await stage.agent() == "Two."
    assert [request.instructions for request in thinker.requests] == ["Two."]


@virtual_time
async def test_a_request_that_brings_its_own_items_waits_for_no_words() -> None:
    thinker = ScriptedThinker(["A cat."], ["Hello."])
    async with rehearse(thinker, wishes=MANUAL) as stage:
        stage.ears.delay_s = 10
        await talk(stage, "Hello there.")
        stage.line.put(ReplyRequest())
        stage.line.put(ReplyRequest(items=(user("What is this?"),)))
        assert await stage.agent() == "A cat."
        assert stage.seen(events.UserTranscript) == []
        assert await stage.agent() == "Hello."
        assert stage.seen(events.ErrorOccurred) == []
    assert [asked(thinker, reply)[-1] for reply in (0, 1)] == ["What is this?", "Hello there."]


@virtual_time
async def test_a_request_waits_for_the_words_of_every_turn_committed_before_it() -> None:
    thinker = ScriptedThinker(["Both."])
    async with rehearse(thinker, wishes=MANUAL) as stage:
        stage.ears.delay_s = 1
        await talk(stage, "The first thing.")
        await talk(stage, "The second.")
        await stage.until(events.UserTranscript)
        stage.line.put(ReplyRequest())
        assert await stage.agent() == "Both."
    assert asked(thinker) == ["The first thing.", "The second."]


@virtual_time
async def test_what_a_client_asks_before_the_words_of_a_turn_are_known_is_answered_with_them() -> (
    None
):
    thinker = ScriptedThinker(["Noted."])
    async with rehearse(thinker, wishes=Wishes(answered=False)) as stage:
        stage.ears.delay_s = 3
        await stage.user("Note this.")
        await stage.until(events.SpeechStopped)
        stage.line.put(ReplyRequest())
        assert await stage.agent() == "Noted."
    assert asked(thinker) == ["Note this."]


@virtual_time
async def test_a_yes_that_a_client_asked_to_have_answered_is_answered_once() -> None:
    @tool
    async def pay(call: ToolContext) -> str:
        """Pay."""
        return "paid" if await call.ask("Shall I pay?") else "kept"

    thinker = ScriptedThinker([call("pay")], ["Paid."])
    async with rehearse(thinker, tools=[pay]) as stage:
        stage.types("Pay the bill.")
        assert await stage.agent() == "Shall I pay?"
        stage.ears.delay_s = 2
        await stage.user("Yes.")
        stage.line.put(ReplyRequest())
        assert await stage.agent() == "Paid."
        await stage.user("", then_silence_ms=5000)
        assert len(thinker.requests) == 2


@virtual_time
async def test_wishes_of_a_reply_that_waits_for_words_outlive_a_noise_after_them() -> None:
    thinker = ScriptedThinker(["Early."], ["Briefly."])
    async with rehearse(thinker) as stage:
        stage.ears.delay_s = 3
        await stage.user("What time is it?")
        stage.line.put(ReplyRequest(Wishes(instructions="Be brief.")))
        await asyncio.sleep(1)
        await stage.user("", then_silence_ms=1000)
        assert await stage.agent() == "Briefly."
        assert thinker.requests[-1].instructions == "Be brief."


@virtual_time
async def test_positions_in_the_audio_count_all_of_it_whoever_ends_the_turns() -> None:
    async with rehearse(ScriptedThinker(["One."], ["Two."]), wishes=MANUAL) as stage:
        await talk(stage, text := "Hello there, my friend.")
        stage.line.put(Configure(Wishes(turns="auto")))
        await stage.until(events.UserTranscript)
        await stage.user("Hello again.")
        (started,) = stage.seen(events.SpeechStarted)
        assert abs(started.audio_ms - 1000 * stage.ears.say(text).seconds) < 50


@virtual_time
async def test_a_private_reply_goes_through_the_persona_s_filters_but_keeps_its_markdown() -> None:
    async def polite(text: AsyncIterator[str]) -> AsyncIterator[str]:
        async for piece in text:
            yield piece.replace("damn", "****")

    thinker = ScriptedThinker(["It is damn **cold**."])
    async with rehearse(thinker, filters=[polite, no_markdown]) as stage:
        stage.line.put(ReplyRequest(private=True))
        told = await stage.until(events.UtteranceFinished)
        assert told.text == "It is **** **cold**."
        spoken = "".join(event.text for event in stage.seen(events.SpokenText))
        assert spoken == told.text


@virtual_time
async def test_a_private_reply_that_fails_ends_nothing() -> None:
    thinker = ScriptedThinker([ValueError("a bug")], ["Fine."])
    async with rehearse(thinker) as stage:
        stage.line.put(ReplyRequest(private=True))
        await stage.until(events.ReplyFinished)
        stage.types("Hello")
        assert await stage.agent() == "Fine."
        assert len(stage.seen(events.ErrorOccurred)) == 1


@virtual_time
async def test_wishes_are_checked_against_the_persona_that_is_to_come() -> None:
    @tool(name="locate")
    def own() -> str:
        """Ours."""
        return "ours"

    outfits = [
        Outfit(Persona(name="a", fillers=()), {}, ()),
        Outfit(Persona(name="b", fillers=()), {"locate": own}, ()),
    ]
    thinker = ScriptedThinker(["Hello."])
    async with rehearse(thinker, wardrobe=FixedWardrobe(*outfits)) as stage:
        stage.types("Go on")
        await stage.until(events.UtteranceStarted)
        stage.line.put(ChoosePersona("b"))
        stage.line.put(Configure(Wishes(tools=(LOCATE,))))
        assert "locate" in (await stage.until(events.ErrorOccurred)).message
        assert (await stage.until(events.PersonaChanged)).persona == "b"
        await asyncio.sleep(5)
        assert len(stage.seen(events.ErrorOccurred)) == 1


# -- items ---------------------------------------------------------------------------------------


@virtual_time
async def test_a_deleted_item_is_read_no_more() -> None:
    thinker = ScriptedThinker(["Fine."])
    async with rehearse(thinker) as stage:
        stage.line.put(AddItem(user("Forget me", "gone")))
        stage.line.put(DeleteItem("gone"))
        stage.line.put(DeleteItem("never there"))
        stage.types("Hello")
        await stage.agent()
        assert [event.item_id for event in stage.seen(events.ItemRemoved)] == ["gone"]
    assert asked(thinker) == ["Hello"]


@virtual_time
async def test_a_message_that_is_deleted_while_it_is_said_stays_gone() -> None:
    async with rehearse(ScriptedThinker(["word " * 20])) as stage:
        stage.types("Go on")
        started = await stage.until(events.UtteranceStarted)
        await stage.until(events.PlaybackStarted)
        stage.line.put(DeleteItem(started.utterance))
        await stage.agent()
        assert stage.transcript == [("user", "Go on")]


@virtual_time
async def test_what_waits_for_a_silence_is_said_after_a_truncation() -> None:
    async with rehearse(ScriptedThinker(["word " * 100])) as stage:
        stage.types("Go on")
        started = await stage.until(events.UtteranceStarted)
        await stage.until(events.PlaybackStarted)
        stage.session._replies.announce("Tea is ready.")
        stage.line.put(Truncate(started.utterance, 500))
        await stage.agent()
        assert await stage.agent() == "Tea is ready."


@virtual_time
async def test_truncating_what_is_being_said_ends_it_there() -> None:
    async with rehearse(ScriptedThinker(["word " * 100])) as stage:
        stage.types("Go on")
        started = await stage.until(events.UtteranceStarted)
        await stage.until(events.PlaybackStarted)
        await asyncio.sleep(3)
        stage.line.put(Truncate(started.utterance, 1500))
        assert (await stage.until(events.UtteranceFinished)).interrupted
        await asyncio.sleep(1)
        (_, (role, said)) = stage.transcript
        assert (role, said.split()) == ("assistant", ["word"] * 6)


@virtual_time
async def test_no_truncation_says_that_more_was_heard() -> None:
    async with rehearse(ScriptedThinker(["word " * 100])) as stage:
        stage.types("Go on")
        started = await stage.until(events.UtteranceStarted)
        await stage.until(events.PlaybackStarted)
        await asyncio.sleep(3)
        stage.line.put(Interrupt())
        heard = await stage.agent()
        stage.line.put(Truncate(started.utterance, 86_400_000))
        await asyncio.sleep(1)
        assert stage.transcript[-1] == ("assistant", heard)


@virtual_time
async def test_a_message_that_is_deleted_while_it_is_answered_is_read_no_more() -> None:
    @tool
    async def slow() -> str:
        """Slow."""
        await asyncio.sleep(5)
        return "done"

    thinker = ScriptedThinker([call("slow")], ["Done."])
    async with rehearse(thinker, tools=[slow]) as stage:
        stage.line.put(AddItem(user("my card is 4111", "secret")))
        stage.line.put(ReplyRequest())
        await stage.until(events.ToolStarted)
        stage.line.put(DeleteItem("secret"))
        await stage.agent()
        assert asked(thinker) == []


@virtual_time
async def test_no_item_takes_the_place_of_another() -> None:
    thinker = ScriptedThinker([call("locate")])
    async with rehearse(thinker, wishes=Wishes(tools=(LOCATE,))) as stage:
        stage.line.put(AddItem(user("Where am I?", "mine")))
        stage.line.put(ReplyRequest())
        started = await stage.until(events.ToolStarted)
        stage.line.put(AddItem(ToolResult(started.call_id, "Lisbon", id="mine")))
        stage.line.put(AddItem(user("Other words", "mine")))
        await stage.until(events.ErrorOccurred)
        await stage.until(events.ErrorOccurred)
        assert stage.transcript == [("user", "Where am I?")]


@virtual_time
async def test_a_hash_ends_what_is_pressed_however_fast_more_follows() -> None:
    thinker = ScriptedThinker(["One."], ["Two."])
    async with rehearse(thinker) as stage:
        for key in "12#34#":
            stage.line.put(Digit(key))
        await stage.until(events.ReplyFinished)
        texts = [text for role, text in stage.transcript if role == "user"]
        assert texts == ["[keys pressed: 1 2 #]", "[keys pressed: 3 4 #]"]


@virtual_time
async def test_the_keys_of_a_telephone_are_read_together() -> None:
    thinker = ScriptedThinker(["Two hundred and three."], ["Done."])
    async with rehearse(thinker) as stage:
        for key in "203":
            stage.line.put(Digit(key))
            await asyncio.sleep(PAUSE_S / 2)
        assert await stage.agent() == "Two hundred and three."
        for key in ("7", "x", "", "#"):
            stage.line.put(Digit(key))
        assert await stage.agent() == "Done."
        assert [event.key for event in stage.seen(events.KeyPressed)] == ["2", "0", "3", "7", "#"]
    assert asked(thinker)[0] == "[keys pressed: 2 0 3]"
    assert asked(thinker)[-1] == "[keys pressed: 7 #]"


# -- a call that goes on from another ------------------------------------------------------------


@virtual_time
async def test_a_session_goes_on_where_another_one_ended() -> None:
    ran = 0

    @tool
    async def book() -> str:
        """Book."""
        nonlocal ran
        ran += 1
        await asyncio.sleep(0 if ran == 1 else 60)
        return "booked"

    first, lost, awaited = call("book"), call("book"), call("locate")
    wishes = Wishes(tools=(LOCATE,))
    persona = Persona(name="a", greeting="Welcome.", fillers=())
    before = ScriptedThinker([first], ["Booked."], [awaited, lost])
    async with rehearse(before, tools=[book], persona=persona, wishes=wishes) as stage:
        assert await stage.agent() == "Welcome."
        stage.types("Book it")
        assert await stage.agent() == "Booked."
        stage.types("And where am I? Book again.")
        await stage.until(events.ToolStarted, lambda e: e.call_id == lost.call_id)
        left = stage.session.conversation.items
    after = ScriptedThinker([first, awaited, lost], ["You are in Lisbon."])
    again = rehearse(after, tools=[book], persona=persona, wishes=wishes, history=left)
    async with again as stage:
        await asyncio.sleep(5)
        assert stage.seen(events.UtteranceStarted) == [], "nobody is greeted twice"
        stage.line.put(AddItem(ToolResult(awaited.call_id, "Lisbon")))
        stage.line.put(ReplyRequest())
        await stage.until(events.ReplyFinished)
        assert ran == 2, "a call that was made runs no second time"
        assert isinstance(stage.line.events[0], events.SessionStarted), "before anything is told"
    results = {
        item.call_id: item.output
        for item in after.requests[0].items
        if isinstance(item, ToolResult)
    }
    assert results[first.call_id] == "booked"
    assert "nobody knows" in results[lost.call_id]
    assert results[awaited.call_id] == "Lisbon"


@pytest.mark.parametrize(
    "wishes", [Wishes(speed=90), Wishes(max_tokens=10**9), Wishes(language="not a tag!")]
)
def test_wishes_that_no_persona_may_have_are_refused(wishes: Wishes) -> None:
    with pytest.raises(ProtocolError):
        Outfit(Persona(name="a"), {}, ()).wishing(wishes)


@pytest.mark.parametrize("field", ["instructions", "voice", "language", "speed", "max_tokens"])
def test_wishes_that_say_nothing_leave_the_persona_as_it_is(field: str) -> None:
    outfit = Outfit(Persona(name="a", voice="x", thinker="Be."), {}, ())
    assert outfit.wishing(Wishes()) is outfit
    other = outfit.wishing(Wishes(**{field: 2 if field in ("speed", "max_tokens") else "fr"}))
    assert other.persona != outfit.persona
    assert other.persona.name == "a"
