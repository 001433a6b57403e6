"""The user's turns before a Thinker that hears: the audio at the pause, the words later."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from omni_agent import Persona, events, tool
from omni_agent.audio import AudioFrame, concatenate, resample
from omni_agent.conversation import AudioPart, ImagePart, Message
from omni_agent.ears import EAR_RATE
from omni_agent.errors import EngineError
from omni_agent.testing import (
    Pause,
    Rehearsal,
    ScriptedEars,
    ScriptedTalker,
    ScriptedThinker,
    call,
    rehearse,
    virtual_time,
)
from omni_agent.thinker import ThinkRequest
from omni_agent.transport import VideoFrame
from omni_agent.wishes import Wishes

PAUSE_MS = 160
"""Long enough to be a pause, too short to end the turn."""


async def silence(stage: Rehearsal, seconds: float) -> None:
    await stage.line.speak(AudioFrame.silence(seconds, EAR_RATE))


def heard(request: ThinkRequest) -> AudioPart:
    """The audio that a request ends with."""
    message = request.items[-1]
    assert isinstance(message, Message)
    part = message.parts[0]
    assert isinstance(part, AudioPart)
    return part


@virtual_time
async def test_a_thinker_that_hears_starts_at_the_pause_before_any_words_are_known() -> None:
    thinker, ears = ScriptedThinker(["It is noon."], hears=True), ScriptedEars(delay_s=3)
    async with rehearse(thinker, ears=ears) as stage:
        await stage.user("What time is it?", then_silence_ms=PAUSE_MS)
        assert heard(thinker.requests[0]).transcript is None
        assert heard(thinker.requests[0]).audio.seconds >= 0.96
        assert not stage.seen(events.ReplyStarted)


@virtual_time
async def test_words_that_come_late_join_the_item_and_the_draft_is_spoken_at_once() -> None:
    thinker, ears = ScriptedThinker(["It is noon."], hears=True), ScriptedEars(delay_s=3)
    async with rehearse(thinker, ears=ears) as stage:
        await stage.user("What time is it?")
        assert not stage.seen(events.ReplyStarted)
        assert await stage.agent() == "It is noon."
        marks = (await stage.until(events.Waterfall)).marks
        assert marks["end_of_turn"] < marks["transcript"]
        assert marks["first_frame"] < marks["transcript"]
        assert marks["on_the_wire"] - marks["transcript"] < 20
        (began,) = stage.seen(events.SpeechStarted)
        item = stage.session.conversation.get(began.item_id)
        assert isinstance(item, Message)
        assert item.parts == (AudioPart(heard(thinker.requests[0]).audio, "What time is it?"),)
        assert stage.transcript[0] == ("user", "What time is it?")
        assert len(thinker.requests) == 1


@virtual_time
async def test_a_thinker_that_reads_waits_for_the_words() -> None:
    thinker, ears = ScriptedThinker(["It is noon."]), ScriptedEars(delay_s=3)
    async with rehearse(thinker, ears=ears) as stage:
        await stage.user("What time is it?")
        assert not thinker.requests
        assert await stage.agent() == "It is noon."


@virtual_time
async def test_a_user_who_goes_on_is_heard_as_a_whole_and_answered_once() -> None:
    thinker = ScriptedThinker(["Too early."], ["Ten minutes it is."], hears=True)
    async with rehearse(thinker) as stage:
        await stage.user("Set a timer", then_silence_ms=PAUSE_MS)
        await stage.user("for ten minutes please.")
        assert await stage.agent() == "Ten minutes it is."
        early, whole = thinker.requests
        assert heard(whole).audio.samples > 2 * heard(early).audio.samples
        assert stage.transcript[0] == ("user", "Set a timer for ten minutes please.")
        assert len(stage.seen(events.ReplyStarted)) == 1


@virtual_time
async def test_a_draft_to_noise_is_discarded_and_nobody_knows_of_it() -> None:
    talker = ScriptedTalker()
    thinker = ScriptedThinker(["Pardon?"], ["Yes."], hears=True)
    async with rehearse(thinker, talker=talker) as stage:
        await stage.user("", then_silence_ms=PAUSE_MS)
        assert len(thinker.requests) == 1
        assert talker.open_streams == 1
        await silence(stage, 0.16)
        assert talker.open_streams == 0
        assert not stage.seen(events.SpeechStopped)
        await silence(stage, 2)
        assert not stage.seen(events.ReplyStarted)
        assert not stage.transcript
        await stage.user("Is anybody there?")
        assert await stage.agent() == "Yes."


@virtual_time
async def test_what_failing_ears_could_not_understand_is_answered_by_a_thinker_that_hears() -> None:
    thinker = ScriptedThinker(["It is noon."], ["Yes."], hears=True)
    async with rehearse(thinker) as stage:
        stage.ears.error = EngineError("ears lost")
        await stage.user("What time is it?")
        assert "ears lost" in (await stage.until(events.ErrorOccurred)).detail
        assert await stage.agent() == "It is noon."
        (request,) = thinker.requests
        assert heard(request).transcript is None
        assert stage.session.conversation.items[0] == request.items[-1]
        stage.ears.error = None
        await stage.user("Can you hear me now?")
        assert await stage.agent() == "Yes."


@virtual_time
async def test_what_failing_ears_could_not_understand_is_lost_to_a_thinker_that_reads() -> None:
    async with rehearse(ScriptedThinker(["Yes."])) as stage:
        stage.ears.error = EngineError("ears lost")
        await stage.user("Can anybody hear me?")
        stage.ears.error = None
        await stage.user("Can anybody hear me now?")
        assert await stage.agent() == "Yes."
        assert len(stage.seen(events.ReplyStarted)) == 1
        assert [text for _, text in stage.transcript] == ["Can anybody hear me now?", "Yes."]


@virtual_time
async def test_a_short_sound_over_the_agent_that_failing_ears_did_not_understand_is_noise() -> None:
    thinker = ScriptedThinker(["word " * 40], hears=True)
    async with rehearse(thinker) as stage:
        await stage.user("Tell me a story.")
        await stage.until(events.PlaybackStarted)
        await silence(stage, 2)
        stage.ears.error = EngineError("ears lost")
        await stage.user("Mm-hm.")
        assert await stage.agent() == "word " * 40
        assert len(thinker.requests) == 1


@virtual_time
async def test_the_agent_s_own_voice_is_not_answered_though_failing_ears_did_not_know_it() -> None:
    thinker = ScriptedThinker(["The sun is out, and it is warm."], ["Who said that?"], hears=True)
    async with rehearse(thinker) as stage:
        await stage.user("How is the weather?")
        await stage.agent()
        stage.ears.error = EngineError("ears lost")
        played = concatenate(stage.line.recording(), ScriptedTalker.sample_rate)
        own = resample(played, EAR_RATE).pcm[-EAR_RATE:]
        await stage.line.speak(AudioFrame(own, EAR_RATE), then_silence_ms=3000)
        assert stage.seen(events.ErrorOccurred)
        assert len(thinker.requests) == 1


@virtual_time
async def test_a_long_barge_in_that_failing_ears_did_not_understand_is_answered() -> None:
    thinker = ScriptedThinker(["word " * 100], ["Sorry."], hears=True)
    async with rehearse(thinker) as stage:
        await stage.user("Tell me a long story.")
        await stage.until(events.PlaybackStarted)
        await silence(stage, 3)
        stage.ears.error = EngineError("ears lost")
        await stage.user("Stop it please, that is quite enough of it now.")
        assert (await stage.until(events.UtteranceFinished)).interrupted
        assert await stage.agent() == "Sorry."


@virtual_time
async def test_words_that_come_late_join_the_conversation_before_those_of_a_later_turn() -> None:
    thinker = ScriptedThinker(["Early."], ["Both."])
    async with rehearse(thinker, ears=ScriptedEars(delay_s=6)) as stage:
        await stage.user("This is the first thing.")
        stage.ears.delay_s = 0.1
        await stage.user("And this is the second.")
        assert await stage.agent() == "Both."
        said = ["This is the first thing.", "And this is the second.", "Both."]
        assert [text for _, text in stage.transcript] == said
        assert [e.text for e in stage.seen(events.UserTranscript) if e.final] == said[:2]


@virtual_time
async def test_a_long_barge_in_is_drafted_at_its_pause_before_any_words() -> None:
    thinker = ScriptedThinker(["word " * 100], ["Sorry."], hears=True)
    async with rehearse(thinker, ears=ScriptedEars(delay_s=2)) as stage:
        await stage.user("Tell me a long story.")
        await stage.until(events.PlaybackStarted)
        await silence(stage, 3)
        await stage.user("Stop it please, that is quite enough.", then_silence_ms=PAUSE_MS)
        assert heard(thinker.requests[1]).transcript is None
        cut = stage.seen(events.UtteranceFinished)[0]
        assert cut.interrupted
        assert thinker.requests[1].items[1] == stage.session.conversation.get(cut.utterance)
        await silence(stage, 1)
        await stage.until(events.UtteranceFinished)
        assert await stage.agent() == "Sorry."


@virtual_time
async def test_a_barge_in_that_comes_in_one_piece_is_drafted_too() -> None:
    thinker = ScriptedThinker(["word " * 100], ["Sorry."], hears=True)
    async with rehearse(thinker, ears=ScriptedEars(delay_s=2)) as stage:
        await stage.user("Tell me a long story.")
        await stage.until(events.PlaybackStarted)
        words = stage.ears.say("Stop it please, that is quite enough now.")
        stage.line.put(concatenate([words, AudioFrame.silence(0.16, EAR_RATE)], EAR_RATE))
        await asyncio.sleep(0.1)
        assert stage.seen(events.Interrupted)
        assert heard(thinker.requests[1]).transcript is None


@virtual_time
async def test_a_short_word_over_the_agent_waits_for_its_words_and_is_then_drafted_at_once() -> (
    None
):
    thinker = ScriptedThinker(["word " * 100], ["Stopped."], hears=True)
    async with rehearse(thinker, ears=ScriptedEars(delay_s=0.2)) as stage:
        await stage.user("Tell me a long story.")
        await stage.until(events.PlaybackStarted)
        await silence(stage, 3)
        await stage.user("Stop.", then_silence_ms=PAUSE_MS)
        assert len(thinker.requests) == 1
        assert not stage.seen(events.Interrupted)
        await silence(stage, 0.2)
        assert stage.seen(events.Interrupted)
        assert heard(thinker.requests[1]).transcript == "Stop."
        assert not [e for e in stage.seen(events.UserTranscript) if e.final][1:]
        await silence(stage, 1)
        await stage.until(events.UtteranceFinished)
        assert await stage.agent() == "Stopped."


@virtual_time
async def test_a_backchannel_is_never_drafted_and_the_agent_goes_on() -> None:
    thinker = ScriptedThinker(["word " * 40], hears=True)
    async with rehearse(thinker) as stage:
        await stage.user("Tell me a story.")
        await stage.until(events.PlaybackStarted)
        await silence(stage, 2)
        await stage.user("Mm-hm.")
        assert await stage.agent() == "word " * 40
        assert len(thinker.requests) == 1
        assert [e.text for e in stage.seen(events.BackchannelIgnored)] == ["Mm-hm."]


@virtual_time
async def test_noises_whose_words_are_late_do_not_silence_the_agent_for_ever() -> None:
    thinker = ScriptedThinker(["word " * 60])
    async with rehearse(thinker, ears=ScriptedEars(delay_s=1.2)) as stage:
        await stage.user("Tell me a story.")
        await stage.until(events.PlaybackStarted)
        await silence(stage, 2)
        await stage.user("Mm-hm.", then_silence_ms=700)
        await stage.user("Okay.", then_silence_ms=3000)
        assert await stage.agent() == "word " * 60
        assert len(stage.seen(events.BackchannelIgnored)) == 2
        assert [role for role, _ in stage.transcript] == ["user", "assistant"]


@virtual_time
async def test_the_agent_stays_silent_while_a_second_word_may_be_a_barge_in() -> None:
    thinker = ScriptedThinker(["word " * 60], ["Stopped."])
    async with rehearse(thinker, ears=ScriptedEars(delay_s=1.2)) as stage:
        await stage.user("Tell me a story.")
        await stage.until(events.PlaybackStarted)
        await silence(stage, 2)
        await stage.user("Mm-hm.", then_silence_ms=700)
        await stage.user("Stop.", then_silence_ms=3000)  # before "Mm-hm." is understood
        cut = await stage.until(events.UtteranceFinished)
        assert 7 <= len(cut.heard.split()) <= 9  # two seconds of it
        assert await stage.agent() == "Stopped."


@virtual_time
async def test_a_reply_that_ends_by_itself_while_the_user_speaks_leaves_no_dead_line() -> None:
    @tool
    async def look_up(name: str) -> str:
        """Look somebody up. name: who."""
        await asyncio.sleep(8)
        return "not found"

    async def no_stars(pieces: AsyncIterator[str]) -> AsyncIterator[str]:
        async for piece in pieces:
            if "*" not in piece:
                yield piece

    thinker = ScriptedThinker(["Let me look.", call("look_up", name="Ann")], ["***"], ["Not yet."])
    async with rehearse(thinker, tools=[look_up], filters=[no_stars]) as stage:
        await stage.user("Where is Ann, please?")
        started = await stage.until(events.ToolStarted)
        await silence(
            stage, started.at + 8 - 0.4 - stage.now
        )  # its end falls into the first 600 ms
        await stage.user("Have you found her, or have you not?")
        assert not stage.seen(events.Interrupted)
        assert await stage.agent() == "Let me look."
        assert await stage.agent() == "Not yet."


@pytest.mark.parametrize("hears", [False, True], ids=["reads", "hears"])
def test_a_farewell_is_answered_by_a_goodbye_and_not_by_a_draft(hears: bool) -> None:
    @virtual_time
    async def scenario() -> None:
        persona = Persona(name="test", goodbye="Sleep well.", fillers=())
        talker, thinker = ScriptedTalker(), ScriptedThinker(["Going already?"], hears=hears)
        async with rehearse(thinker, persona=persona, talker=talker) as stage:
            await stage.user("Thanks, goodbye!", then_silence_ms=320)
            assert len(thinker.requests) == int(hears)
            assert talker.open_streams == 0
            assert not stage.seen(events.SpeechStopped)
            await silence(stage, 0.5)
            assert await stage.agent() == "Sleep well."
            assert (await stage.until(events.SessionEnded)).reason == "goodbye"

    scenario()


@virtual_time
async def test_a_draft_is_no_more_once_its_turn_has_to_wait_for_what_is_being_said() -> None:
    thinker = ScriptedThinker(["At noon."], ["Hello."], ["At noon, as I said."])
    async with rehearse(thinker, wishes=Wishes(interrupts=False)) as stage:
        await stage.user("When does it leave?", then_silence_ms=300)
        assert len(thinker.requests) == 1
        stage.types("Hello?")
        await silence(stage, 0.8)
        assert await stage.agent() == "Hello."
        assert await stage.agent() == "At noon, as I said."


@virtual_time
async def test_the_draft_to_an_unfinished_sentence_is_kept_while_patience_grows() -> None:
    thinker = ScriptedThinker(["For how long?"], hears=True)
    async with rehearse(thinker) as stage:
        await stage.user("Set a timer for", then_silence_ms=1000)
        assert not stage.seen(events.SpeechStopped)
        await silence(stage, 0.5)
        assert await stage.agent() == "For how long?"
        assert len(thinker.requests) == 1


@virtual_time
async def test_what_joins_the_conversation_is_what_the_thinker_heard_and_saw() -> None:
    thinker = ScriptedThinker(["A cat."], hears=True)
    thinker.sees = True
    async with rehearse(thinker) as stage:
        stage.line.put(VideoFrame(b"cat", 640, 480, stage.now))
        await stage.user("What do you see?", then_silence_ms=PAUSE_MS)
        stage.line.put(VideoFrame(b"dog", 640, 480, stage.now))
        await silence(stage, 0.6)
        await stage.agent()
        message = stage.session.conversation.items[0]
        assert isinstance(message, Message)
        assert message.parts[1:] == (ImagePart(b"cat", "image/jpeg"),)


@pytest.mark.parametrize(("delay_s", "drafts"), [(1.5, 1), (3.0, 2)])
def test_turns_that_overtake_their_words_are_answered_together(delay_s: float, drafts: int) -> None:
    """The first words come while the second turn is spoken, or after its pause."""

    @virtual_time
    async def scenario() -> None:
        thinker = ScriptedThinker(*[["Early."]] * drafts, ["Both are cats."], hears=True)
        async with rehearse(thinker, ears=ScriptedEars(delay_s=delay_s)) as stage:
            await stage.user("What is this here?", then_silence_ms=700)
            await stage.user("And what is that over there, please?")
            assert await stage.agent() == "Both are cats."
            assert [text for _, text in stage.transcript] == [
                "What is this here?",
                "And what is that over there, please?",
                "Both are cats.",
            ]
            assert [item.id for item in thinker.requests[-1].items] == [
                began.item_id for began in stage.seen(events.SpeechStarted)
            ]
        thinker.assert_complete()

    scenario()


@virtual_time
async def test_a_slow_thinker_is_still_thinking_when_the_turn_is_confirmed() -> None:
    thinker = ScriptedThinker([Pause(2), "At last."], hears=True)
    async with rehearse(thinker) as stage:
        await stage.user("Are you thinking at all?")
        assert await stage.agent() == "At last."
        assert len(thinker.requests) == 1
