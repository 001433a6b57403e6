"""Tasks that are not ours end with their scope, or are left behind."""

from __future__ import annotations

import asyncio
import logging

import pytest

from omni_agent.errors import ToolError
from omni_agent.runtime.scope import LEFT_BEHIND_S, MOST_TASKS, Scope
from omni_agent.testing import virtual_time


class Stubborn:
    """Work that swallows every cancellation, until it is let go."""

    def __init__(self) -> None:
        self.free = asyncio.Event()
        self.cancelled = 0

    async def work(self) -> None:
        while not self.free.is_set():
            try:
                await self.free.wait()
            except asyncio.CancelledError:
                self.cancelled += 1


@virtual_time
async def test_work_ends_with_its_scope() -> None:
    scope = Scope()
    task = scope.spawn(asyncio.sleep(3600), "nap")
    await scope.aclose()
    assert task.cancelled()
    assert asyncio.get_running_loop().time() == 0


@virtual_time
async def test_work_that_cleans_up_is_waited_for() -> None:
    cleaned: list[str] = []

    async def tidy() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(LEFT_BEHIND_S / 2)
            cleaned.append("up")

    scope = Scope()
    scope.spawn(tidy(), "tidy")
    await asyncio.sleep(1)
    await scope.aclose()
    assert cleaned == ["up"]


@virtual_time
async def test_work_that_refuses_to_end_is_left_behind_and_named(
    caplog: pytest.LogCaptureFixture,
) -> None:
    scope, stubborn = Scope(), Stubborn()
    task = scope.spawn(stubborn.work(), "tool mule")
    await asyncio.sleep(1)
    with caplog.at_level(logging.WARNING):
        await scope.aclose()
    assert asyncio.get_running_loop().time() == 1 + LEFT_BEHIND_S
    assert [record.message for record in caplog.records] == [
        "tool mule did not end when it was cancelled: it is left behind"
    ]
    assert task not in asyncio.all_tasks()  # asyncio.run does not wait for it either
    stubborn.free.set()
    await task
    assert stubborn.cancelled == 1


@virtual_time
async def test_it_is_left_behind_even_if_whoever_waits_is_cancelled() -> None:
    scope, stubborn = Scope(), Stubborn()
    task = scope.spawn(stubborn.work(), "tool mule")
    await asyncio.sleep(1)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(LEFT_BEHIND_S / 2):
            await scope.aclose()
    assert task not in asyncio.all_tasks()
    stubborn.free.set()
    await task


@virtual_time
async def test_a_closed_scope_takes_whoever_asks_with_it() -> None:
    scope = Scope()
    await scope.aclose()
    with pytest.raises(asyncio.CancelledError):
        scope.spawn(asyncio.sleep(1), "late")


@virtual_time
async def test_a_scope_is_bounded() -> None:
    scope = Scope()
    for _ in range(MOST_TASKS):
        scope.spawn(asyncio.sleep(1), "leak")
    with pytest.raises(ToolError, match="Too much"):
        scope.spawn(asyncio.sleep(1), "leak")
    await asyncio.sleep(2)
    scope.spawn(asyncio.sleep(1), "again")
    await scope.aclose()


@virtual_time
async def test_who_waits_for_an_end_may_be_cancelled_and_the_scope_waits_on() -> None:
    scope, ended = Scope(), list[str]()

    async def slow() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(1)
            ended.append("clean")

    task = scope.spawn(slow(), "slow")
    await asyncio.sleep(0)
    waiting = asyncio.create_task(scope.end([task]))
    await asyncio.sleep(0.1)
    waiting.cancel()
    await asyncio.wait([waiting])
    await scope.aclose()
    assert ended == ["clean"]
