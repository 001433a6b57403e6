"""Listening to one caller: what is told of a turn, and when."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import numpy as np

from omni_agent.audio import AudioFrame
from omni_agent.ears import EAR_RATE
from omni_agent.errors import EngineError
from omni_agent.listening import (
    AUDIO_EVERY_MS,
    EARSHOT_S,
    Earshot,
    EndOfTurn,
    HeardEvent,
    HearingFailed,
    LikelyOver,
    Listener,
    Paused,
    SpeechSoFar,
    TurnBegan,
    TurnOver,
    WentOn,
    WordsSoFar,
)
from omni_agent.testing import ScriptedEars, virtual_time
from omni_agent.turns import TurnTiming

LONG = "one two three four five six seven eight nine ten eleven twelve"


class Room:
    """A caller and what was heard of them, with the time it was told at."""

    def __init__(self, listener: Listener, ears: ScriptedEars) -> None:
        self.listener, self.ears = listener, ears
        self.told: list[tuple[float, HeardEvent]] = []

    async def note(self) -> None:
        async for event in self.listener.events():
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
    *, delay_s: float = 0.1, tell_audio: bool = False, timing: TurnTiming | None = None
) -> AsyncIterator[Room]:
    ears = ScriptedEars(delay_s=delay_s)
    async with asyncio.TaskGroup() as tasks:
        listener = Listener(
            ears, timing or TurnTiming(), "en", tasks.create_task, tell_audio=tell_audio
        )
        made = Room(listener, ears)
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
        assert likely.transcript.text == ""


@virtual_time
async def test_ears_that_fail_leave_a_turn_without_words() -> None:
    async with room() as it:
        it.ears.error = EngineError("ears lost")
        await it.say("Hello.", then_silence_ms=600)
        assert it.kinds == [TurnBegan, Paused, HearingFailed, LikelyOver, EndOfTurn, TurnOver]


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
        over = it.told[-1]
        assert isinstance(over[1], TurnOver)
        assert over[1].transcript.text == "What time is it?"
        assert over[0] - stopped < 2
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


@virtual_time
async def test_of_audio_that_waits_for_ears_the_oldest_is_lost() -> None:
    earshot = Earshot()
    for number in range(1, 1001):
        earshot.put(AudioFrame(np.full(EAR_RATE // 50, number, np.int16), EAR_RATE))
    kept = [int((await earshot.get()).pcm[0]) for _ in range(int(EARSHOT_S * 50))]
    assert kept == list(range(1001 - len(kept), 1001))
