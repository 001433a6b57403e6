"""Time that passes when a test says so, beside processes and sockets that are real."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest


def put_forward(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """The running loop's clock."""
    loop = asyncio.get_running_loop()
    now = loop.time
    monkeypatch.setattr(loop, "time", lambda: now() + seconds)


async def until(holds: Callable[[], object]) -> None:
    """Wait for what no event tells of."""
    async with asyncio.timeout(60):
        while not holds():  # noqa: ASYNC110  # as above
            await asyncio.sleep(0.001)
