"""The frame clock: when each slot of outgoing audio is due."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

SLOT_S = 0.02
"""A slot, seconds: what RTP carries in a packet, and telephones in a frame."""
MAX_LATE_S = 0.1


class FrameClock:
    """Slots of ``slot_s`` on an absolute grid, so that errors never add up.

    A clock that finds itself more than ``MAX_LATE_S`` late leaves slots out
    instead of sending a burst: the caller must skip as much of its line's time.
    ``on_late`` is told of each slot's lateness in seconds.
    """

    def __init__(
        self,
        on_late: Callable[[float], None] = lambda seconds: None,
        *,
        slot_s: float = SLOT_S,
        time: Callable[[], float] | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._on_late, self._slot_s, self._sleep = on_late, slot_s, sleep
        self._time = time or asyncio.get_running_loop().time
        self._start: float | None = None
        self._slot = -1

    async def tick(self) -> tuple[int, float]:
        """Wait for the next slot: its number (from 0) and the time it was due, loop seconds."""
        now = self._time()
        if self._start is None:
            self._start, self._slot = now, 0
            self._on_late(0.0)
            return 0, now
        self._slot += 1
        if now - self._due() > MAX_LATE_S:
            self._on_late(now - self._due())
            self._slot = int((now - self._start) / self._slot_s) + 1
        wait = self._due() - now
        if wait > 0:
            await self._sleep(wait)
        self._on_late(max(0.0, self._time() - self._due()))
        return self._slot, self._due()

    def _due(self) -> float:
        assert self._start is not None
        return self._start + self._slot * self._slot_s
