"""Push to talk: what is told of a turn that the client ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from unittest.mock import patch

import numpy as np
import pytest

from omni_agent.audio import SHORTEST_S, AudioFrame
from omni_agent.ears import EAR_RATE
from omni_agent.errors import EngineError, ProtocolError
from omni_agent.hearing.account import Account
from omni_agent.hearing.heard import HeardEvent, HearingFailed, TurnOver
from omni_agent.hearing.push_to_talk import MOST_S, PushToTalk
from omni_agent.testing import ScriptedEars, virtual_time
from omni_agent.testing.doubles import Loudness


class Room:
    """A caller who presses, speaks and releases."""

    def __init__(self, account: Account, ears: ScriptedEars, *, deaf: bool) -> None:
        self.ears, self._account = ears, account
        self.push_to_talk = PushToTalk(None if deaf else ears, account)

    async def heard(self) -> Sequence[HeardEvent]:
        return [event async for event in self._account.heard_so_far()]

    async def words(self) -> list[str | None]:
        """Of the turns that are over; None where nobody knows them."""
        over = [event for event in await self.heard() if isinstance(event, TurnOver)]
        return [event.transcript and event.transcript.text for event in over]


@asynccontextmanager
async def room(*, deaf: bool = False) -> AsyncIterator[Room]:
    async with asyncio.TaskGroup() as tasks:
        yield Room(Account(tasks.create_task), ScriptedEars(), deaf=deaf)


@virtual_time
async def test_a_turn_is_over_with_its_words() -> None:
    async with room() as it:
        it.push_to_talk.push(it.ears.say("Hello."))
        turn = it.push_to_talk.commit("en")
        (over,) = await it.heard()
        assert isinstance(over, TurnOver)
        assert over.turn is turn
        assert over.transcript is not None
        assert over.transcript.text == "Hello."


@virtual_time
async def test_a_turn_knows_where_in_all_the_audio_it_is() -> None:
    async with room() as it:
        it.push_to_talk.push(AudioFrame.silence(3, 48_000))
        it.push_to_talk.clear()
        it.push_to_talk.push(AudioFrame.silence(1, EAR_RATE))
        turn = it.push_to_talk.commit("en")
        assert (turn.began_ms, turn.ended_ms) == (3000, 4000)


@virtual_time
async def test_a_turn_begins_where_somebody_speaks_however_long_it_was_silent_before() -> None:
    async with room() as it:
        it.push_to_talk.push(AudioFrame.silence(2, EAR_RATE))
        it.push_to_talk.push(it.ears.say("Hello."))
        turn = it.push_to_talk.commit("en")
        assert turn.began_ms == 0
        await it.heard()
        assert abs(turn.began_ms - 2000) <= Loudness.window_ms


@pytest.mark.parametrize(
    ("pieces", "began_s"),
    [
        ([(3.0, 0.0, 0.5), (3.0, 0.0, 0.5)], 2.0),  # all of it at the end: it was said before
        ([(1.0, 0.0, 1.0), (5.0, 0.0, 0.1)], 0.0),  # nothing came while nobody spoke
        ([(5.0, 4.0, 1.0), (5.5, 0.5, 0.0)], 4.0),  # as it was said, with silence before
    ],
)
@virtual_time
async def test_a_turn_began_before_its_audio_came(
    pieces: Sequence[tuple[float, float, float]], began_s: float
) -> None:
    async with room() as it:
        loop = asyncio.get_running_loop()
        start = loop.time()
        for came_s, silent_s, spoken_s in pieces:
            await asyncio.sleep(start + came_s - loop.time())
            it.push_to_talk.push(AudioFrame.silence(silent_s, EAR_RATE))
            it.push_to_talk.push(AudioFrame(np.ones(int(spoken_s * EAR_RATE), np.int16), EAR_RATE))
        turn = it.push_to_talk.commit("en")
        await it.heard()
        assert abs(turn.began_at - start - began_s) < 0.05


@virtual_time
async def test_pieces_with_nothing_in_them_are_not_kept_for_ever() -> None:
    async with room() as it:
        it.push_to_talk.push(AudioFrame.silence(1, EAR_RATE))
        for _ in range(int(MOST_S / SHORTEST_S)):
            it.push_to_talk.push(AudioFrame.silence(0, EAR_RATE))
        with pytest.raises(ProtocolError, match="nothing to commit"):
            it.push_to_talk.commit("en")


@virtual_time
async def test_silence_has_no_words_and_ears_are_not_asked_for_any() -> None:
    async with room() as it:
        it.push_to_talk.push(AudioFrame.silence(2, EAR_RATE))
        it.push_to_talk.commit("en")
        assert await it.words() == [""]
        assert it.ears.transcribed == 0


@virtual_time
async def test_words_that_ears_fail_to_find_are_not_known() -> None:
    async with room() as it:
        it.push_to_talk.push(it.ears.say("Hello."))
        it.ears.error = EngineError("ears lost")
        it.push_to_talk.commit("en")
        failed, over = await it.heard()
        assert isinstance(failed, HearingFailed)
        assert isinstance(over, TurnOver)
        assert over.transcript is None


@pytest.mark.parametrize("deaf", [True, False], ids=["no ears", "ears that find none"])
def test_somebody_who_speaks_and_is_not_understood_has_words_that_nobody_knows(deaf: bool) -> None:
    @virtual_time
    async def scenario() -> None:
        async with room(deaf=deaf) as it:
            it.push_to_talk.push(it.ears.say(""))
            it.push_to_talk.commit("en")
            assert await it.words() == [None]

    scenario()


class Broken(Loudness):
    """Voice activity of ears that are anybody's."""

    def __init__(self, *, hangs: bool) -> None:
        super().__init__()
        self._hangs = hangs

    async def aclose(self) -> None:
        if self._hangs:
            await asyncio.sleep(1e6)
        raise ValueError("a bug")


@pytest.mark.parametrize("hangs", [False, True], ids=["raises", "hangs"])
def test_ears_that_break_as_they_are_given_up_cost_the_words_and_nothing_else(hangs: bool) -> None:
    @virtual_time
    async def scenario() -> None:
        async with room() as it:
            with patch.object(it.ears, "voice_activity", lambda: Broken(hangs=hangs)):
                it.push_to_talk.push(it.ears.say("Hello."))
                it.push_to_talk.commit("en")
                assert await it.words() == [None]
            it.push_to_talk.push(it.ears.say("Hello again."))
            it.push_to_talk.commit("en")
            assert await it.words() == ["Hello again."]

    scenario()


@virtual_time
async def test_ears_without_a_voice_activity_are_no_end_of_the_call() -> None:
    async with room() as it:
        with patch.object(it.ears, "voice_activity", side_effect=ValueError("a bug")):
            it.push_to_talk.push(it.ears.say("Hello."))
            it.push_to_talk.commit("en")
            assert await it.words() == [None]


@virtual_time
async def test_turns_are_over_in_the_order_of_their_commits() -> None:
    async with room() as it:
        for text in ("A rather long one to begin with.", "", "Short."):
            it.push_to_talk.push(it.ears.say(text) if text else AudioFrame.silence(1, EAR_RATE))
            it.push_to_talk.commit("en")
        assert await it.words() == ["A rather long one to begin with.", "", "Short."]


@virtual_time
async def test_hardly_anything_is_no_turn_and_is_kept() -> None:
    async with room() as it:
        it.push_to_talk.push(AudioFrame.silence(0.05, EAR_RATE))
        with pytest.raises(ProtocolError, match="nothing to commit"):
            it.push_to_talk.commit("en")
        it.push_to_talk.push(AudioFrame.silence(0.05, EAR_RATE))
        assert it.push_to_talk.commit("en").ended_ms == 100
        assert await it.words() == [""]
