"""Listening to one caller: what is told of a turn, and when."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from unittest.mock import patch

import numpy as np
import pytest

from omni_agent.audio import AudioFrame
from omni_agent.conversation import assistant
from omni_agent.ears import EAR_RATE, Transcript
from omni_agent.errors import EngineError
from omni_agent.hearing.account import Account
from omni_agent.hearing.heard import (
    EndOfTurn,
    HeardEvent,
    HearingFailed,
    LikelyOver,
    Paused,
    SpeechSoFar,
    TurnBegan,
    TurnOver,
    WentOn,
    WordsSoFar,
)
from omni_agent.hearing.listener import AUDIO_EVERY_MS, WORDS_WITHIN_S, Listener
from omni_agent.hearing.policy import OVER_MS, TurnPolicy
from omni_agent.hearing.turns import TurnTiming
from omni_agent.testing import ScriptedEars, ScriptedTurnEnd, virtual_time
from omni_agent.testing.doubles import Loudness
from omni_agent.turn_taking import TurnEnd

BEFORE = assistant("What can I do for you?")
LONG = "one two three four five six seven eight nine ten eleven twelve"


class Broken(ScriptedTurnEnd):
    """An end of turn that raises, or returns what is none."""

    def __init__(self, told: object) -> None:
        super().__init__(0.5)
        self._told = told

    async def is_over(self, *about: object) -> float:
        if isinstance(self._told, Exception):
            raise self._told
        return self._told  # type: ignore[return-value]  # that is what is wrong with it


class Room:
    """A caller and what was heard of them, with the time it was told at."""

    def __init__(self, listener: Listener, account: Account, ears: ScriptedEars) -> None:
        self.listener, self.account, self.ears = listener, account, ears
        self.told: list[tuple[float, HeardEvent]] = []

    async def note(self) -> None:
        async for event in self.account.events():
            self.told.append((asyncio.get_running_loop().time(), event))

    async def say(self, text: str, *, then_silence_ms: int) -> None:
        """At the speed of speech, in pieces of 20 ms."""
        silence = np.zeros(EAR_RATE * then_silence_ms // 1000, np.int16)
        pcm = np.concatenate([self.ears.say(text).pcm, silence])
        for at in range(0, len(pcm), 320):
            await self.listener.push(AudioFrame(pcm[at : at + 320], EAR_RATE, at))
            await asyncio.sleep(0.02)

    @property
    def events(self) -> Sequence[HeardEvent]:
        return [event for _, event in self.told]

    @property
    def kinds(self) -> list[type[HeardEvent]]:
        return [type(event) for event in self.events]


@asynccontextmanager
async def room(
    *,
    delay_s: float = 0.1,
    ears: ScriptedEars | None = None,
    tell_audio: bool = False,
    timing: TurnTiming | None = None,
    end: TurnEnd | None = None,
) -> AsyncIterator[Room]:
    ears = ears or ScriptedEars(delay_s=delay_s)
    policy = TurnPolicy(timing or TurnTiming(), end=end)
    async with asyncio.TaskGroup() as tasks:
        account = Account(tasks.create_task)
        listener = Listener(ears, policy, account, tell_audio=tell_audio, items=lambda: (BEFORE,))
        made = Room(listener, account, ears)
        noting = tasks.create_task(made.note())
        yield made
        noting.cancel()


@virtual_time
async def test_a_pause_is_told_at_once_and_its_words_when_they_are_known() -> None:
    async with room(delay_s=0.3) as it:
        await it.say("Hello.", then_silence_ms=600)
        times = {type(event): at for at, event in it.told}
        assert it.kinds == [TurnBegan, Paused, LikelyOver, EndOfTurn, TurnOver]
        assert 0.28 <= times[LikelyOver] - times[Paused] <= 0.32


@virtual_time
async def test_at_the_pause_the_turn_has_all_its_audio() -> None:
    async with room() as it:
        await it.say("Hello there.", then_silence_ms=200)
        (paused,) = [event for event in it.events if isinstance(event, Paused)]
        assert paused.turn.audio is not None
        said = it.ears.say("Hello there.")
        assert np.count_nonzero(paused.turn.audio.pcm) == said.samples


@virtual_time
async def test_a_turn_that_goes_on_has_no_audio_until_the_next_pause() -> None:
    async with room() as it:
        await it.say("Set a timer", then_silence_ms=200)
        await it.say("for ten minutes", then_silence_ms=0)
        assert WentOn in it.kinds
        (began,) = [event for event in it.events if isinstance(event, TurnBegan)]
        assert began.turn.audio is None
        await it.say("please", then_silence_ms=200)
        assert began.turn.audio is not None


@virtual_time
async def test_the_audio_of_a_user_who_goes_on_is_told_to_whoever_wants_it() -> None:
    async with room(tell_audio=True) as it:
        await it.say(LONG, then_silence_ms=600)
        told = [(at, event) for at, event in it.told if isinstance(event, SpeechSoFar)]
        times = [at for at, _ in told]
        lengths = [event.audio.seconds for _, event in told]
        assert len(told) == int(60 * len(LONG) / AUDIO_EVERY_MS)
        gaps = [1000 * (b - a) for a, b in itertools.pairwise(times)]
        assert all(AUDIO_EVERY_MS - 32 <= gap <= AUDIO_EVERY_MS + 32 for gap in gaps)
        assert lengths == sorted(lengths)
        assert it.kinds.index(SpeechSoFar) < it.kinds.index(WordsSoFar)


@virtual_time
async def test_a_click_in_a_pause_is_not_a_user_who_goes_on() -> None:
    async with room(tell_audio=True) as it:
        it.ears.say("hello")
        window = EAR_RATE * 32 // 1000
        levels = [1] * 40 + [0] * 6 + [1] + [0] * 20
        for level in levels:
            await it.listener.push(AudioFrame(np.full(window, level, np.int16), EAR_RATE))
            await asyncio.sleep(0.032)
        paused = it.kinds.index(Paused)
        assert SpeechSoFar in it.kinds[:paused]
        assert it.kinds[paused:] == [Paused, LikelyOver, EndOfTurn, TurnOver]


@virtual_time
async def test_nobody_else_is_told_of_audio() -> None:
    async with room() as it:
        await it.say(LONG, then_silence_ms=600)
        assert SpeechSoFar not in it.kinds
        assert WordsSoFar in it.kinds


@virtual_time
async def test_a_turn_that_is_ended_by_force_pauses_too() -> None:
    async with room(timing=TurnTiming(max_turn_ms=1000)) as it:
        await it.say("word " * 10, then_silence_ms=0)
        await asyncio.sleep(1)
        ended = it.kinds.index(EndOfTurn)
        assert it.kinds[ended - 1] is Paused


@virtual_time
async def test_noise_is_told_as_a_pause_without_words() -> None:
    async with room() as it:
        await it.say("", then_silence_ms=600)
        (likely,) = [event for event in it.events if isinstance(event, LikelyOver)]
        assert likely.transcript is not None
        assert likely.transcript.text == ""


@virtual_time
async def test_ears_that_fail_leave_a_turn_without_words() -> None:
    async with room() as it:
        it.ears.error = EngineError("ears lost")
        await it.say("Hello.", then_silence_ms=600)
        assert it.kinds == [TurnBegan, Paused, HearingFailed, LikelyOver, EndOfTurn, TurnOver]
        told = [event for event in it.events if isinstance(event, LikelyOver | TurnOver)]
        assert [event.transcript for event in told] == [None, None], "it may have been no noise"


class HalfHeard(ScriptedEars):
    """Ears that return what they have when they are cancelled."""

    async def transcribe(self, audio: AudioFrame, *, language: str = "en") -> Transcript:
        try:
            return await super().transcribe(audio, language=language)
        except asyncio.CancelledError:
            return Transcript("Mm-hm.")


@virtual_time
async def test_of_a_user_who_goes_on_no_words_of_before_are_told() -> None:
    async with room(ears=HalfHeard(delay_s=0.5)) as it:
        await it.say("Set a timer", then_silence_ms=200)
        await it.say("please", then_silence_ms=1200)
        (likely,) = [event for event in it.events if isinstance(event, LikelyOver)]
        assert likely.transcript == Transcript("Set a timer please")


class HungActivity(Loudness):
    async def aclose(self) -> None:
        await asyncio.sleep(1e6)


@virtual_time
async def test_ears_that_never_forget_a_caller_are_waited_for_no_longer_than_a_moment() -> None:
    ears = ScriptedEars()
    with patch.object(ears, "voice_activity", HungActivity):
        async with room(ears=ears) as it:
            with pytest.raises(EngineError, match="no answer within"):
                await it.listener.aclose()
            assert asyncio.get_running_loop().time() < 10


@virtual_time
async def test_a_turn_whose_words_are_slow_is_over_before_the_one_after_it() -> None:
    async with room(delay_s=6) as it:
        await it.say("The first thing.", then_silence_ms=600)
        it.ears.delay_s = 0.1
        await it.say("The second.", then_silence_ms=600)
        await asyncio.sleep(10)
        assert words(it) == ["The first thing.", "The second."]


@virtual_time
async def test_a_turn_whose_words_never_come_does_not_hold_up_the_next_for_ever() -> None:
    async with room(delay_s=1000) as it:
        await it.say("The first thing.", then_silence_ms=600)
        it.ears.delay_s = 0.1
        await it.say("The second.", then_silence_ms=600)
        await asyncio.sleep(WORDS_WITHIN_S)
        assert words(it) == [None, "The second."]


@virtual_time
async def test_words_that_ask_for_more_get_more_patience() -> None:
    async with room() as it:
        await it.say("Set a timer for", then_silence_ms=1000)
        assert EndOfTurn not in it.kinds
        await it.listener.push(AudioFrame.silence(0.3, EAR_RATE))
        await asyncio.sleep(1)
        assert it.kinds[-1] is TurnOver


@virtual_time
async def test_a_turn_ends_though_no_packet_comes_any_more() -> None:
    async with room() as it:
        await it.say("What time is it?", then_silence_ms=0)
        stopped = asyncio.get_running_loop().time()
        await asyncio.sleep(5)
        assert it.kinds[-4:] == [Paused, EndOfTurn, LikelyOver, TurnOver]
        assert words(it) == ["What time is it?"]
        assert it.told[-1][0] - stopped < 2
        await it.say("And what day?", then_silence_ms=600)
        assert it.kinds[-1] is TurnOver


@virtual_time
async def test_a_turn_ends_on_a_line_that_sends_next_to_nothing_in_silence() -> None:
    async with room() as it:
        await it.say("What time is it?", then_silence_ms=100)
        stopped = asyncio.get_running_loop().time()
        for _ in range(10):  # discontinuous transmission: a packet of 20 ms every 400 ms
            await it.listener.push(AudioFrame.silence(0.02, EAR_RATE))
            await asyncio.sleep(0.4)
        (over_at,) = [at for at, event in it.told if isinstance(event, TurnOver)]
        assert over_at - stopped < 2


@virtual_time
async def test_a_turn_ends_when_the_ears_hang_over_its_audio() -> None:
    async with room() as it:
        await it.say("What time is it?", then_silence_ms=0)
        hung = asyncio.Event()
        it.ears.activity.wait_for = hung
        pushing = asyncio.create_task(it.listener.push(AudioFrame.silence(0.1, EAR_RATE)))
        await asyncio.sleep(10)
        assert it.kinds[-1] is TurnOver
        hung.set()
        await pushing
        it.ears.activity.wait_for = None
        await it.say("And what day?", then_silence_ms=600)
        assert it.kinds.count(TurnOver) == 2


@virtual_time
async def test_a_turn_ends_when_its_words_never_come() -> None:
    async with room(delay_s=1000) as it:
        await it.say("What time is it?", then_silence_ms=600)
        await asyncio.sleep(20)
        assert it.kinds[-3:] == [HearingFailed, LikelyOver, TurnOver]


@virtual_time
async def test_ears_that_hang_while_nobody_speaks_have_failed() -> None:
    async with room() as it:
        it.ears.activity.wait_for = asyncio.Event()
        await it.listener.push(AudioFrame.silence(0.1, EAR_RATE))
        it.ears.activity.wait_for = None
        await it.say("", then_silence_ms=600)
        assert it.kinds[0] is HearingFailed
        await it.say("What time is it?", then_silence_ms=600)
        assert it.kinds[-1] is TurnOver


@virtual_time
async def test_ears_that_fail_on_every_frame_are_one_failure() -> None:
    async with room() as it:
        it.ears.activity.error = EngineError("the ears are gone")
        await it.say("Can you hear me at all?", then_silence_ms=600)
        assert it.kinds == [HearingFailed]
        it.ears.activity.error = None
        await it.say("Can you hear me now?", then_silence_ms=6000)
        assert it.kinds[-1] is TurnOver
        it.ears.activity.error = EngineError("the ears are gone again")
        await it.say("And now?", then_silence_ms=600)
        assert it.kinds.count(HearingFailed) == 2


@virtual_time
async def test_ears_that_fail_keep_no_audio() -> None:
    async with room() as it:
        it.ears.activity.error = EngineError("the ears are gone")
        await it.say("word " * 100, then_silence_ms=0)
        it.ears.activity.error = None
        await it.say("Hi.", then_silence_ms=600)
        (over,) = [event for event in it.events if isinstance(event, TurnOver)]
        assert over.turn.audio is not None
        assert over.turn.audio.seconds < 2


def words(it: Room) -> list[str | None]:
    """Of the turns that are over; None where nobody knows them."""
    over = [event for event in it.events if isinstance(event, TurnOver)]
    return [event.transcript and event.transcript.text for event in over]


def silence_s(it: Room) -> float:
    """From the end of the turn's speech to the end of the turn."""
    (ended,) = [event for event in it.events if isinstance(event, EndOfTurn)]
    return ended.turn.end_of_turn - ended.turn.speech_end


@virtual_time
async def test_a_turn_that_sounds_over_ends_sooner() -> None:
    async with room(end=ScriptedTurnEnd(0.9)) as it:
        await it.say("Hello.", then_silence_ms=1500)
        assert OVER_MS / 1000 <= silence_s(it) <= OVER_MS / 1000 + 0.05


@virtual_time
async def test_a_turn_that_sounds_unfinished_is_waited_for() -> None:
    async with room(end=ScriptedTurnEnd(0.1)) as it:
        await it.say("Hello.", then_silence_ms=1500)
        assert 1.1 < silence_s(it) < 1.2


@virtual_time
async def test_a_sound_that_says_neither_leaves_the_patience_as_it_is() -> None:
    async with room(end=ScriptedTurnEnd(0.4)) as it:
        await it.say("Hello.", then_silence_ms=1500)
        assert 0.45 <= silence_s(it) <= 0.5


@virtual_time
async def test_words_that_hang_are_believed_whatever_they_sound_like() -> None:
    end = ScriptedTurnEnd(1.0)
    async with room(end=end) as it:
        await it.say("Set a timer for", then_silence_ms=1500)
        assert silence_s(it) > 1.1
    assert not end.asked


@virtual_time
async def test_an_end_of_turn_knows_the_words_and_what_was_said_before() -> None:
    end = ScriptedTurnEnd(0.9)
    async with room(end=end) as it:
        await it.say("Book a table.", then_silence_ms=900)
        await it.say("", then_silence_ms=900)  # noise: nobody is asked about that
    assert end.asked == [("Book a table.", (BEFORE,))]


@virtual_time
async def test_who_goes_on_is_asked_about_anew_at_the_next_pause() -> None:
    end = ScriptedTurnEnd(0.1, 0.9)
    async with room(end=end) as it:
        await it.say("Tell me a story", then_silence_ms=900)
        await it.say("about a dragon", then_silence_ms=900)
        assert it.kinds.count(EndOfTurn) == 1
        assert silence_s(it) <= OVER_MS / 1000 + 0.05
    said = [words for words, _ in end.asked]
    assert said == ["Tell me a story", "Tell me a story about a dragon"]


@virtual_time
async def test_an_answer_that_comes_when_the_user_speaks_again_counts_for_nothing() -> None:
    end = ScriptedTurnEnd(0.9, delay_s=0.2)
    async with room(end=end) as it:
        await it.say("Tell me a story", then_silence_ms=256)
        await it.say("about a dragon", then_silence_ms=0)
        await it.say("please", then_silence_ms=1000)
        assert it.kinds.count(EndOfTurn) == 1
        assert words(it) == ["Tell me a story about a dragon please"]


@pytest.mark.parametrize(
    "end",
    [Broken(EngineError("it died")), Broken(ValueError("what?")), Broken(None), Broken(1.5)],
    ids=["engine", "bug", "nothing", "no probability"],
)
def test_an_end_of_turn_that_fails_leaves_it_to_the_words_and_is_named_once(end: Broken) -> None:
    @virtual_time
    async def hear() -> None:
        async with room(end=end) as it:
            for _ in range(3):
                await it.say("Hello.", then_silence_ms=900)
            ends = [event.turn for event in it.events if isinstance(event, EndOfTurn)]
            assert [0.45 <= t.end_of_turn - t.speech_end <= 0.5 for t in ends] == [True] * 3
            (failed,) = [event for event in it.events if isinstance(event, HearingFailed)]
            assert failed.source == "turn_end"

    hear()


@virtual_time
async def test_an_end_of_turn_that_never_answers_holds_nobody_up() -> None:
    async with room(end=ScriptedTurnEnd(0.9, delay_s=1e6)) as it:
        await it.say("Hello.", then_silence_ms=900)
        assert 0.45 <= silence_s(it) <= 0.5
        assert TurnOver in it.kinds


@virtual_time
async def test_a_sound_that_hangs_is_waited_for_though_no_words_are_known_yet() -> None:
    end = ScriptedTurnEnd(0.1)
    async with room(end=end, delay_s=0.8) as it:
        await it.say("Hello.", then_silence_ms=1500)
        assert 1.1 < silence_s(it) < 1.2
    assert end.asked == [("", (BEFORE,))]


@virtual_time
async def test_no_sound_ends_a_turn_sooner_while_its_words_may_hang() -> None:
    async with room(end=ScriptedTurnEnd(0.9), delay_s=0.3) as it:
        await it.say("Set a timer for", then_silence_ms=1500)
        assert silence_s(it) > 1.1
    async with room(end=ScriptedTurnEnd(0.9), delay_s=0.3) as it:
        await it.say("Set a timer.", then_silence_ms=1500)
        assert 0.38 < silence_s(it) < 0.45  # as soon as they are known
