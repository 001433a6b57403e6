"""The agent loop, rehearsed on scripted parts in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omni_agent import (
    AudioFrame,
    CallContext,
    Persona,
    Session,
    Transport,
    WrappedTransport,
    events,
    hookimpl,
    tool,
)
from omni_agent.commands import ChoosePersona, Command, Interrupt, Truncate
from omni_agent.conversation import ImagePart, Message, ToolCall, ToolResult, VideoPart
from omni_agent.errors import EngineError
from omni_agent.lines.in_process import InProcessTransport
from omni_agent.personas.outfit import Outfit
from omni_agent.stages import Stages
from omni_agent.testing import (
    FixedWardrobe,
    Pause,
    Rehearsal,
    ScriptedEars,
    ScriptedTalker,
    ScriptedThinker,
    call,
    rehearse,
    virtual_time,
)
from omni_agent.testing.doubles import Loudness
from omni_agent.thinker import MalformedCall, ToolCallRequest
from omni_agent.transport import VideoFrame


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
        assert cut.heard != "word " * 100
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


@virtual_time
async def test_the_greeting_is_spoken_first_and_joins_the_conversation() -> None:
    persona = Persona(name="test", greeting="Hello, front desk.", fillers=())
    async with rehearse(persona=persona) as stage:
        assert await stage.agent() == "Hello, front desk."
        assert stage.transcript == [("assistant", "Hello, front desk.")]


@virtual_time
async def test_nothing_that_waited_is_said_after_the_goodbye() -> None:
    @tool
    def remember(call: CallContext) -> str:
        """Remember."""
        call.say("Your timer is done.")
        return "done"

    persona = Persona(name="test", goodbye="Sleep well.", fillers=())
    thinker = ScriptedThinker([call("remember")], ["word " * 50])
    async with rehearse(thinker, persona=persona, tools=[remember]) as stage:
        await stage.user("Remember this, please.")
        await stage.until(events.PlaybackStarted)
        await stage.user("Thanks, goodbye!")
        await stage.until(events.SessionEnded)
        assert [text for _, text in stage.transcript][-1] == "Sleep well."


@virtual_time
async def test_a_goodbye_is_answered_and_ends_the_call() -> None:
    persona = Persona(name="test", goodbye="Sleep well.", fillers=())
    async with rehearse(persona=persona) as stage:
        await stage.user("Thanks, goodbye!")
        assert await stage.agent() == "Sleep well."
        assert (await stage.until(events.SessionEnded)).reason == "goodbye"


@virtual_time
async def test_a_silent_user_is_let_go_after_a_while() -> None:
    async with rehearse(idle_s=60) as stage:
        ended = await stage.until(events.SessionEnded)
        assert ended.reason == "idle"
        assert 60 <= ended.at < 62


@virtual_time
async def test_a_failing_thinker_is_apologised_for_and_the_call_goes_on() -> None:
    thinker = ScriptedThinker([EngineError("out of memory")], ["I am back."])
    async with rehearse(thinker) as stage:
        await stage.user("Hello there, how are you?")
        assert "went wrong" in await stage.agent()
        assert [e.detail for e in stage.seen(events.ErrorOccurred)] == ["out of memory"]
        await stage.user("Are you still there, my friend?")
        assert await stage.agent() == "I am back."


@virtual_time
async def test_a_failing_filter_voices_nothing_of_what_it_should_have_filtered() -> None:
    async def broken(pieces: AsyncIterator[str]) -> AsyncIterator[str]:
        async for piece in pieces:
            if "secret" in piece:
                raise RuntimeError("filter bug")
            yield piece

    thinker = ScriptedThinker(["The secret is 42."])
    async with rehearse(thinker, filters=[broken]) as stage:
        await stage.user("Tell me the secret, please.")
        failed = await stage.until(events.ErrorOccurred)
        assert "filter bug" in failed.detail
        await stage.until(events.UtteranceFinished)
        assert all("42" not in spoken.text for spoken in stage.seen(events.SpokenText))


@virtual_time
async def test_a_failing_talker_is_reported_and_the_answer_counts_as_unheard() -> None:
    talker = ScriptedTalker(error=EngineError("voice lost"))
    async with rehearse(ScriptedThinker(["Hello."]), talker=talker) as stage:
        await stage.user("Good morning to you.")
        finished = await stage.until(events.UtteranceFinished)
        assert finished.heard == ""
        assert stage.seen(events.ErrorOccurred)[0].source == "talker"


@virtual_time
async def test_failing_ears_are_reported_and_the_call_goes_on() -> None:
    async with rehearse(ScriptedThinker(["Yes, I am."])) as stage:
        stage.ears.error = EngineError("ears lost")
        await stage.user("Can anybody hear me?")
        assert "ears lost" in (await stage.until(events.ErrorOccurred)).detail
        stage.ears.error = None
        await stage.user("Can anybody hear me now?")
        assert await stage.agent() == "Yes, I am."


@virtual_time
async def test_noise_without_words_is_not_answered() -> None:
    async with rehearse() as stage:
        await stage.user("")
        assert (await stage.until(events.UserTranscript)).text == ""
        await asyncio.sleep(5)
        assert not stage.seen(events.ReplyStarted)


@tool(timeout_s=30)
async def slow_lookup(name: str) -> str:
    """Look somebody up. name: who."""
    await asyncio.sleep(8)
    return f"{name} is in room 12"


@virtual_time
async def test_a_slow_tool_is_bridged_by_a_filler_that_is_not_history() -> None:
    persona = Persona(name="test", fillers=("One moment.",))
    thinker = ScriptedThinker([call("slow_lookup", name="Ann")], ["Room twelve."])
    async with rehearse(thinker, persona=persona, tools=[slow_lookup]) as stage:
        await stage.user("Where is Ann?")
        assert await stage.agent() == "Room twelve."
        kinds = [e.kind for e in stage.seen(events.UtteranceStarted)]
        assert kinds == ["filler", "filler", "answer"]
        assert [role for role, _ in stage.transcript] == ["user", "assistant"]


@virtual_time
async def test_interrupting_does_not_kill_a_tool_and_its_result_is_told_once() -> None:
    thinker = ScriptedThinker(
        [call("slow_lookup", name="Ann")], ["It is noon."], ["Ann is in room twelve."]
    )
    async with rehearse(thinker, tools=[slow_lookup]) as stage:
        await stage.user("Where is Ann?")
        await stage.until(events.ToolStarted)
        await stage.user("And what time is it, by the way?")
        assert await stage.agent() == "It is noon."
        assert await stage.agent() == "Ann is in room twelve."
        assert len(stage.seen(events.ToolFinished)) == 1
        results = [i for i in stage.session.conversation if isinstance(i, ToolResult)]
        assert [r.output for r in results] == ["Ann is in room 12"]
        *said, made, result = thinker.requests[-1].items
        assert [item.text for item in said if isinstance(item, Message)] == [
            "Where is Ann?",
            "And what time is it, by the way?",
            "It is noon.",
        ]
        assert isinstance(made, ToolCall)
        assert result == results[0]
    thinker.assert_complete()


@virtual_time
async def test_results_of_calls_made_at_once_are_read_together_however_quick_the_first_is() -> None:
    thinker = ScriptedThinker(
        [call("order_status", order_id="A"), Pause(1), call("order_status", order_id="B")],
        ["Both are on their way."],
    )
    async with rehearse(thinker, tools=[order_status]) as stage:
        await stage.user("Where are A and B, please?")
        assert await stage.agent() == "Both are on their way."
        kinds = [type(item) for item in thinker.requests[-1].items]
        assert kinds == [Message, ToolCall, ToolCall, ToolResult, ToolResult]


@virtual_time
async def test_an_interruptible_tool_is_cancelled_by_a_barge_in() -> None:
    @tool(interruptible=True)
    async def play_music() -> str:
        """Play music."""
        await asyncio.sleep(1000)
        return "played"

    thinker = ScriptedThinker([call("play_music")], ["Stopped."])
    async with rehearse(thinker, tools=[play_music]) as stage:
        await stage.user("Play some music for me.")
        await stage.until(events.ToolStarted)
        await stage.user("Stop the music right now please.")
        assert await stage.agent() == "Stopped."
        (finished,) = stage.seen(events.ToolFinished)
        assert (finished.output, finished.ok) == ("Cancelled.", False)


@virtual_time
async def test_several_tools_run_at_the_same_time() -> None:
    thinker = ScriptedThinker(
        [call("slow_lookup", name="Ann"), call("slow_lookup", name="Bob")], ["Both found."]
    )
    async with rehearse(thinker, tools=[slow_lookup]) as stage:
        await stage.user("Where are Ann and Bob?")
        started = await stage.until(events.ToolStarted)
        await stage.agent()
        finished = stage.seen(events.ToolFinished)
        assert len(finished) == 2
        assert all(e.at - started.at < 9 for e in finished)


@virtual_time
async def test_a_thinker_that_only_calls_tools_is_made_to_speak_in_the_end() -> None:
    forever = [[call("order_status", order_id="A")] for _ in range(3)]
    thinker = ScriptedThinker(*forever, ["Enough."])
    async with rehearse(thinker, tools=[order_status]) as stage:
        await stage.user("Where is my order?")
        assert await stage.agent() == "Enough."
        assert thinker.requests[-1].tools == ()


@pytest.mark.parametrize(
    ("made", "detail"),
    [
        (call("order_status", number=3), "'number' was unexpected"),
        (call("order_state"), "no tool 'order_state'"),
    ],
    ids=["arguments", "name"],
)
def test_of_a_call_that_does_not_fit_the_thinker_has_the_details_and_the_caller_has_none(
    made: ToolCallRequest, detail: str
) -> None:
    @virtual_time
    async def scenario() -> None:
        script = [[made], [call("order_status", order_id="A-1")], ["On its way."]]
        thinker = ScriptedThinker(*script)
        async with rehearse(thinker, tools=[order_status]) as stage:
            await stage.user("Where is order A-1?")
            assert await stage.agent() == "On its way."
            refused, right = stage.seen(events.ToolFinished)
            assert (refused.ok, right.ok) == (False, True)
            assert refused.output == "It could not be called like that."
        results = [i for i in thinker.requests[1].items if isinstance(i, ToolResult)]
        assert detail in results[0].output
        assert "not for the user" in results[0].output

    scenario()


@virtual_time
async def test_a_malformed_call_fails_closed_with_an_apology() -> None:
    thinker = ScriptedThinker([MalformedCall("set_timer(", "unfinished")])
    async with rehearse(thinker) as stage:
        await stage.user("Set a timer for one minute.")
        assert await stage.agent() == "Sorry, I could not do that."
        assert not stage.seen(events.ToolStarted)


@virtual_time
async def test_a_tool_can_speak_up_later_when_nobody_else_does() -> None:
    @tool
    async def set_alarm(call: CallContext) -> str:
        """Ring in five seconds."""

        async def ring() -> None:
            await asyncio.sleep(5)
            call.say("Ring ring.")

        call.background(ring())
        return "set"

    thinker = ScriptedThinker([call("set_alarm")], ["word " * 40])
    async with rehearse(thinker, tools=[set_alarm]) as stage:
        await stage.user("Wake me in five seconds.")
        assert (await stage.agent()).startswith("word")
        assert await stage.agent() == "Ring ring."
        assert stage.transcript[-1] == ("assistant", "Ring ring.")


@virtual_time
async def test_typing_is_answered_and_stops_the_agent() -> None:
    thinker = ScriptedThinker(["word " * 100], ["Typed answer."])
    async with rehearse(thinker) as stage:
        stage.types("Tell me a story")
        await stage.until(events.PlaybackStarted)
        await asyncio.sleep(1)
        stage.types("Something else")
        assert (await stage.until(events.UtteranceFinished)).interrupted
        assert await stage.agent() == "Typed answer."


@virtual_time
async def test_the_client_s_word_on_what_was_heard_counts() -> None:
    async with rehearse(ScriptedThinker(["one two three four five"])) as stage:
        await stage.user("Count to five for me.")
        finished = await stage.until(events.UtteranceFinished)
        stage.line.put(Truncate(finished.utterance, 450))
        await stage.until(events.ItemAdded)
        assert stage.transcript[-1] == ("assistant", "one two")


@virtual_time
async def test_another_persona_takes_over_between_turns() -> None:
    first = Outfit(Persona(name="a", thinker="You are A.", fillers=()), {}, ())
    second = Outfit(Persona(name="b", thinker="You are B.", voice="chelsie", fillers=()), {}, ())
    talker, thinker = ScriptedTalker(), ScriptedThinker(["I am A."], ["I am B."])
    wardrobe = FixedWardrobe(first, second)
    async with rehearse(thinker, talker=talker, wardrobe=wardrobe) as stage:
        await stage.user("Who are you, actually?")
        await stage.agent()
        stage.line.put(ChoosePersona("b"))
        assert (await stage.until(events.PersonaChanged)).persona == "b"
        await stage.user("And who are you now?")
        assert await stage.agent() == "I am B."
        assert [r.instructions for r in thinker.requests] == ["You are A.", "You are B."]
        assert [v.speaker for v in talker.voices] == [None, "chelsie"]
        stage.line.put(ChoosePersona("nobody"))
        assert "nobody" in (await stage.until(events.ErrorOccurred)).detail


@virtual_time
async def test_a_persona_that_is_gone_is_worn_until_the_call_is_over() -> None:
    outfit = Outfit(Persona(name="a", thinker="You are A.", fillers=()), {}, ())
    wardrobe = FixedWardrobe(outfit)
    async with rehearse(ScriptedThinker(["I am A."]), wardrobe=wardrobe) as stage:
        del wardrobe.outfits["a"]
        await stage.user("Who are you, actually?")
        assert await stage.agent() == "I am A."
        assert stage.seen(events.ErrorOccurred)


@virtual_time
async def test_hanging_up_in_the_middle_releases_everything_and_keeps_what_was_heard() -> None:
    talker, thinker = ScriptedTalker(), ScriptedThinker(["word " * 200])
    async with rehearse(thinker, talker=talker) as stage:
        await stage.user("Tell me a story.")
        await stage.until(events.PlaybackStarted)
        await asyncio.sleep(2)
        stage.line.hang_up()
        ended = await stage.until(events.SessionEnded)
        assert ended.reason == "hangup"
        role, text = stage.transcript[-1]
        assert role == "assistant"
        assert 5 <= len(text.split()) <= 12
    assert talker.open_streams == 0
    assert stage.line.closed


@virtual_time
async def test_a_session_that_is_cancelled_says_shutdown_and_keeps_what_was_heard() -> None:
    line, ears = InProcessTransport(), ScriptedEars()
    outfit = Outfit(Persona(name="test", greeting="Good " * 100, fillers=()), {}, ())
    session = Session(
        Stages(ScriptedThinker(), ScriptedTalker(), ears), line, FixedWardrobe(outfit)
    )
    running = asyncio.create_task(session.run())
    stage = Rehearsal(session, line, ears)
    await stage.until(events.PlaybackStarted)
    await asyncio.sleep(1)
    running.cancel()
    await asyncio.wait([running])
    assert running.cancelled()
    assert (await stage.until(events.SessionEnded)).reason == "shutdown"
    assert 3 <= len(stage.transcript[-1][1].split()) <= 20
    assert line.closed


@virtual_time
async def test_a_camera_picture_reaches_a_thinker_that_sees() -> None:
    thinker = ScriptedThinker(["A cat."])
    thinker.sees = True
    async with rehearse(thinker) as stage:
        stage.line.put(VideoFrame(b"jpeg", 640, 480, stage.now))
        await stage.user("What do you see?")
        await stage.agent()
        message = thinker.requests[-1].items[-1]
        assert isinstance(message, Message)
        assert ImagePart(b"jpeg", "image/jpeg") in message.parts


class Watching(ScriptedThinker):
    watches_s = 4.0


@virtual_time
async def test_a_thinker_that_watches_is_shown_the_last_seconds() -> None:
    thinker = Watching(["A dance."], ["Still."])
    thinker.sees = True
    async with rehearse(thinker) as stage:
        await asyncio.sleep(10)
        for number in range(21):
            width = 640 if number else 480  # a camera that was turned
            stage.line.put(VideoFrame(b"%d" % number, width, 480, stage.now - (20 - number) / 2))
            await asyncio.sleep(0)
        stage.types("What am I doing?")
        await stage.agent()
        message = thinker.requests[-1].items[-1]
        assert isinstance(message, Message)
        (clip,) = (part for part in message.parts if isinstance(part, VideoPart))
        assert (clip.frames[0], clip.frames[-1]) == (b"12", b"20")
        assert (len(clip.frames), clip.fps) == (9, 2.0)


@virtual_time
async def test_words_so_far_are_shown_and_prepare_the_thinker() -> None:
    thinker = ScriptedThinker(["Noted."])
    async with rehearse(thinker) as stage:
        await stage.user("one two three four five six seven eight nine ten eleven twelve")
        await stage.agent()
        shown = [e.text for e in stage.seen(events.UserTranscript) if not e.final]
        assert len(shown) >= 2
        assert shown == sorted(shown, key=len)
        assert thinker.prepared


@virtual_time
async def test_an_observer_that_fails_disturbs_nobody() -> None:
    line, ears = InProcessTransport(), ScriptedEars()
    outfit = Outfit(Persona(name="t", greeting="Hi.", fillers=()), {}, ())

    def fails(session_id: str, event: events.Event) -> None:
        raise RuntimeError("observer bug")

    stages = Stages(ScriptedThinker(), ScriptedTalker(), ears)
    session = Session(stages, line, FixedWardrobe(outfit), observers=[fails])
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(session.run())
        stage = Rehearsal(session, line, ears)
        assert await stage.agent() == "Hi."
        line.hang_up()


@virtual_time
async def test_an_observer_that_fails_on_every_event_is_logged_once_for_each_type(
    caplog: pytest.LogCaptureFixture,
) -> None:
    line, ears = InProcessTransport(), ScriptedEars()
    outfit = Outfit(Persona(name="t", fillers=()), {}, ())

    def fails(session_id: str, event: events.Event) -> None:
        raise RuntimeError("observer bug")

    stages = Stages(ScriptedThinker(*[["word " * 20]] * 5), ScriptedTalker(), ears)
    session = Session(stages, line, FixedWardrobe(outfit), observers=[fails, fails])
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(session.run())
        stage = Rehearsal(session, line, ears)
        for _ in range(5):
            stage.types("Go on.")
            await stage.agent()
        line.hang_up()
    logged = [r for r in caplog.records if "observer" in r.message]
    assert len(logged) == 2 * len({type(event) for event in line.events})


@virtual_time
async def test_a_call_has_a_longest_time_and_ends_with_a_goodbye() -> None:
    persona = Persona(name="test", goodbye="Our time is up.", fillers=())
    async with rehearse(persona=persona, max_call_s=60) as stage:
        for _ in range(5):
            await asyncio.sleep(10)
            stage.types("Are you there?")
        assert await stage.until(events.UtteranceFinished, lambda e: e.text == persona.goodbye)
        ended = await stage.until(events.SessionEnded)
        assert ended.reason == "time"
        assert 60 < ended.at < 62


@pytest.mark.parametrize("hanging", [True, False], ids=["hang", "fail"])
def test_typing_stop_and_persona_do_not_wait_for_ears(hanging: bool) -> None:
    @virtual_time
    async def scenario() -> None:
        outfits = [Outfit(Persona(name=name, fillers=()), {}, ()) for name in "ab"]
        thinker = ScriptedThinker(["word " * 100], ["Typed answer."])
        async with rehearse(thinker, wardrobe=FixedWardrobe(*outfits)) as stage:
            await stage.until(events.SessionStarted)
            if hanging:
                stage.ears.activity.wait_for = asyncio.Event()
            else:
                stage.ears.activity.error = EngineError("the ears are gone")
            async with asyncio.TaskGroup() as tasks:
                speaking = tasks.create_task(stage.user("word " * 100))
                began = stage.now
                stage.types("Tell me a story")
                await stage.until(events.PlaybackStarted)
                stage.line.put(Interrupt())
                assert (await stage.until(events.UtteranceFinished)).interrupted
                stage.line.put(ChoosePersona("b"))
                assert (await stage.until(events.PersonaChanged)).persona == "b"
                assert stage.now - began < 0.2
                stage.types("Something else")
                assert await stage.agent() == "Typed answer."
                speaking.cancel()
            assert len(stage.seen(events.ErrorOccurred)) == (not hanging)

    scenario()


@virtual_time
async def test_ears_that_come_back_hear_what_was_said_meanwhile() -> None:
    async with rehearse(ScriptedThinker(["It is noon."])) as stage:
        await stage.until(events.SessionStarted)
        stage.ears.activity.wait_for = back = asyncio.Event()
        await stage.user("What time is it?")
        await asyncio.sleep(3)
        back.set()
        assert await stage.agent() == "It is noon."


@given(
    st.lists(st.tuples(st.sampled_from("stiphn"), st.integers(20, 2500)), max_size=8),
    st.booleans(),
    st.sampled_from([0.1, 0.6, 2.0]),
)
@settings(max_examples=60, deadline=None)
def test_whatever_the_user_does_the_call_ends_cleanly(
    doings: list[tuple[str, int]], hears: bool, words_after_s: float
) -> None:
    @virtual_time
    async def scenario() -> None:
        scripts = [["word " * 12, call("slow_lookup", name="X")] for _ in range(20)]
        talker, ears = ScriptedTalker(), ScriptedEars(delay_s=words_after_s)
        persona = Persona(name="t", greeting="Hello.", fillers=("Wait.",))
        thinker = ScriptedThinker(*scripts, prepares=[[Pause(0.7)]] * 50, hears=hears)
        async with rehearse(
            thinker, talker=talker, ears=ears, persona=persona, tools=[slow_lookup]
        ) as stage:
            for doing, ms in doings:
                match doing:
                    case "s":
                        await stage.user("Do tell me something else.", then_silence_ms=ms)
                    case "t":
                        stage.types("typed words")
                    case "i":
                        stage.line.put(Interrupt())
                    case "p":
                        await stage.user("mm-hm", then_silence_ms=ms)
                    case "n":
                        await stage.user("", then_silence_ms=ms)
                    case _:
                        await asyncio.sleep(ms / 1000)
            await stage.user("", then_silence_ms=2500)  # whatever was going on is over now
            await asyncio.sleep(60)
            await stage.user("Are you still there, my friend?")
            await stage.until(events.UserTranscript, lambda e: e.final and e.text[-1:] == "?")
            await stage.until(events.ReplyFinished, lambda e: not e.interrupted)
        calls = [i.call_id for i in stage.session.conversation if isinstance(i, ToolCall)]
        results = [i.call_id for i in stage.session.conversation if isinstance(i, ToolResult)]
        assert len(set(results)) == len(results)
        assert set(results) <= set(calls)
        assert talker.open_streams == thinker.preparing == 0
        assert thinker.most_preparing <= 1

    scenario()


@virtual_time
async def test_what_was_said_is_read_while_nobody_waits_for_an_answer() -> None:
    thinker = ScriptedThinker(["It is noon."])
    persona = Persona(name="test", greeting="Hello.", fillers=())
    async with rehearse(thinker, persona=persona) as stage:
        await stage.agent()
        await asyncio.sleep(0.1)
        assert [len(request.items) for request in thinker.prepared] == [1]
        await stage.user("Time?")
        await stage.agent()
        await asyncio.sleep(0.1)
        assert len(thinker.prepared[-1].items) == 3


class BrokenActivity(Loudness):
    async def aclose(self) -> None:
        raise OSError("its device is gone")


class BrokenEars(ScriptedEars):
    def voice_activity(self) -> Loudness:
        return BrokenActivity()


@virtual_time
async def test_ears_that_fail_to_close_keep_no_line_open_and_no_ending_untold() -> None:
    line, outfit = InProcessTransport(), Outfit(Persona(name="a", thinker="b"), {}, ())
    stages = Stages(ScriptedThinker(), ScriptedTalker(), BrokenEars())
    session = Session(stages, line, FixedWardrobe(outfit))
    session.end("goodbye")
    with pytest.raises(EngineError, match="its device is gone"):
        await session.run()
    assert isinstance(line.events[-1], events.SessionEnded)
    assert [command async for command in line.commands()] == []


class BrokenLine(InProcessTransport):
    async def commands(self) -> AsyncIterator[Command]:
        raise OSError("the line broke in a way nobody thought of")
        yield


class Cut(InProcessTransport):
    """One whose own reading was cancelled."""

    async def commands(self) -> AsyncGenerator[Command, None]:
        raise asyncio.CancelledError
        yield


@virtual_time
async def test_a_line_that_is_cancelled_by_nobody_of_the_call_ends_it() -> None:
    stages = Stages(ScriptedThinker(), ScriptedTalker(), ScriptedEars())
    wardrobe = FixedWardrobe(Outfit(Persona(name="test"), {}, ()))
    session = Session(stages, line := Cut(), wardrobe)
    with pytest.raises(ExceptionGroup):
        await session.run()
    assert isinstance(ended := line.events[-1], events.SessionEnded)
    assert ended.reason == "failed"


@virtual_time
async def test_a_call_that_crashes_says_that_it_failed() -> None:
    line, outfit = BrokenLine(), Outfit(Persona(name="a", thinker="b"), {}, ())
    session = Session(Stages(ScriptedThinker(), ScriptedTalker()), line, FixedWardrobe(outfit))
    with pytest.raises(ExceptionGroup):
        await session.run()
    (ended,) = [event for event in line.events if isinstance(event, events.SessionEnded)]
    assert ended.reason == "failed"


class Watched(WrappedTransport):
    """Knows which of its streams were closed; nobody else finds them garbage."""

    def __init__(self, line: Transport) -> None:
        super().__init__(line)
        self.streams: list[AsyncIterator[AudioFrame]] = []
        self.closed = False

    def audio(self) -> AsyncIterator[AudioFrame]:
        self.streams.append(self._frames())
        return self.streams[-1]

    async def _frames(self) -> AsyncGenerator[AudioFrame, None]:
        try:
            async for frame in super().audio():
                yield frame
        finally:
            self.closed = True


@virtual_time
async def test_a_line_s_stream_is_closed_though_its_reader_was_at_something_else() -> None:
    lines: list[Watched] = []

    class Wraps:
        @hookimpl
        def wrap_transport(self, transport: Transport) -> Transport:
            lines.append(Watched(transport))
            return lines[-1]

    async with rehearse(plugins=[Wraps()]) as stage:
        await asyncio.sleep(1)
        stage.ears.activity.wait_for = asyncio.Event()  # they never come to a judgement
        stage.line.put(AudioFrame(np.ones(320, np.int16), 16_000))
        await asyncio.sleep(1)
    assert lines[0].closed
