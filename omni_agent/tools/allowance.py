"""The time that a tool may take."""

from __future__ import annotations

import asyncio
from typing import Any


class Allowance:
    """The seconds of one tool, from now on; they can be stopped, and run on."""

    def __init__(self, seconds: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._spent: asyncio.Future[None] = self._loop.create_future()
        self._seconds = self._left = seconds
        self._since = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self.run()

    @property
    def used_s(self) -> float:
        """By the last time that it was stopped."""
        return self._seconds - self._left

    def run(self) -> None:
        """On, from where it was stopped."""
        self._since = self._loop.time()
        self._timer = self._loop.call_later(self._left, self._end)

    def stop(self) -> None:
        """It does not run until it is told to."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._left -= self._loop.time() - self._since

    async def wait(self, task: asyncio.Task[Any]) -> None:
        """Until the task is done, or there is no time left."""
        await asyncio.wait([task, self._spent], return_when=asyncio.FIRST_COMPLETED)

    def _end(self) -> None:
        if not self._spent.done():
            self._spent.set_result(None)
