"""What tests of processes share: where services are found, and how to wait for a process."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).parent
PATHS = {"PYTHONPATH": f"{HERE}{os.pathsep}{HERE.parents[2]}"}


async def eventually(holds: Callable[[], bool]) -> None:
    """Wait for another process, which has no event to await."""
    async with asyncio.timeout(60):
        while not holds():  # noqa: ASYNC110  # as above
            await asyncio.sleep(0.005)


class Beats:
    """A worker's beats, given by the test."""

    def __init__(self) -> None:
        self._due = 0

    async def __call__(self, lost: asyncio.Event) -> None:
        while not (self._due or lost.is_set()):  # noqa: ASYNC110  # either of two things
            await asyncio.sleep(0.001)
        self._due = 0

    async def until(self, holds: Callable[[], bool]) -> None:
        """One after the other, until something holds."""
        while not holds():
            self._due = 1
            await eventually(lambda: not self._due)


def running(pid: int) -> bool:
    """False for a process that is gone, or dead and waiting for its parent."""
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
