"""The calls in progress, over lines that are none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from omni_agent.server.calls import Calls, Place
from omni_agent.server.line import AnswerOffer
from omni_agent.server.options import ServerOptions
from tests.server.calling import ScriptedHost


class Line:
    """Lasts until it is closed, which raises ``error``."""

    connected, reason = True, ""

    def __init__(self, error: BaseException | None = None) -> None:
        self._error, self._over = error, asyncio.Event()

    async def run(self) -> None:
        await self._over.wait()

    async def frames(self) -> AsyncIterator[str]:
        await self._over.wait()
        return
        yield ""

    def send(self, text: str) -> None:
        pass

    def hang_up(self) -> None:
        self._over.set()

    async def aclose(self, reason: str = "") -> None:
        self._over.set()
        if self._error is not None:
            raise self._error


def calls_over(*lines: Line) -> Calls:
    there = iter(lines)

    async def answer(offer: str, **terms: Any) -> tuple[Line, str]:
        return next(there), "v=0"

    return Calls(ScriptedHost(), ServerOptions(), answer=cast(AnswerOffer, answer))


async def test_two_first_calls_at_once_share_a_scope_that_ends_with_the_app() -> None:
    calls = calls_over(Line(), Line())
    await asyncio.gather(*(calls.start("v=0", Place()) for _ in range(2)))
    assert calls.active == 2
    await calls.aclose()
    assert calls.active == 0
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize("error", [OSError("no such socket"), asyncio.CancelledError()])
async def test_a_line_that_does_not_close_gives_its_place_back_and_ends_no_other_call(
    error: BaseException,
) -> None:
    broken = Line(error)
    calls = calls_over(broken, Line())
    async with calls.running():
        await calls.start("v=0", Place())
        await calls.start("v=0", Place())
        broken.hang_up()
        async with asyncio.timeout(20):
            while calls.active == 2:  # noqa: ASYNC110  # nobody is told
                await asyncio.sleep(0)
        assert calls.active == 1
