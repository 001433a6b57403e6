"""The account of one caller: positions in their audio, and what was heard, in order."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from omni_agent.audio import AudioFrame
from omni_agent.ears import EAR_RATE, Transcript
from omni_agent.hearing.account import Account
from omni_agent.hearing.heard import HeardEvent, TurnOver, UserTurn
from omni_agent.testing import virtual_time


def words(text: str, *, after_s: float) -> Callable[[], Awaitable[Transcript]]:
    async def known() -> Transcript:
        await asyncio.sleep(after_s)
        return Transcript(text)

    return known


async def told(account: Account) -> list[HeardEvent]:
    return [heard async for heard in account.heard_so_far()]


@virtual_time
async def test_turns_are_over_in_the_order_they_ended_in_whatever_words_come_first() -> None:
    async with asyncio.TaskGroup() as tasks:
        account = Account(tasks.create_task)
        turns = [UserTurn(f"item_{after_s}", 0, 0.0) for after_s in (6, 1, 3)]
        found = [tasks.create_task(_after(seconds)) for seconds in (6, 1, 3)]
        for turn, task in zip(turns, found, strict=True):
            account.conclude(turn, lambda task=task: task)
        heard = await told(account)
        assert [event.turn for event in heard if isinstance(event, TurnOver)] == turns
        assert asyncio.get_running_loop().time() == pytest.approx(6)


async def _after(seconds: float) -> Transcript:
    await asyncio.sleep(seconds)
    return Transcript("Hello.")


@virtual_time
async def test_words_are_asked_for_one_turn_after_the_other() -> None:
    """Ears that are given several turns at once would have less time for each."""
    async with asyncio.TaskGroup() as tasks:
        account = Account(tasks.create_task)
        for text in ("One.", "Two."):
            account.conclude(UserTurn(text, 0, 0.0), words(text, after_s=2))
        heard = await told(account)
        assert [event.turn.item_id for event in heard if isinstance(event, TurnOver)] == [
            "One.",
            "Two.",
        ]
        assert asyncio.get_running_loop().time() == pytest.approx(4)


@virtual_time
async def test_all_that_was_read_counts_whatever_rate_it_came_at() -> None:
    async with asyncio.TaskGroup() as tasks:
        account = Account(tasks.create_task)
        for rate in (8_000, 48_000, EAR_RATE):
            assert account.read(AudioFrame.silence(0.5, rate)).sample_rate == EAR_RATE
        assert account.audio_ms == pytest.approx(1500)
