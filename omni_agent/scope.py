"""Tasks of code that is not ours: they end with their call, or are left behind.

A ``TaskGroup`` waits for ever for a task that swallows its cancellation, and so does
``asyncio.run``: one bad tool would keep a line, and Ctrl-C, waiting.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

from omni_agent.errors import ToolError

log = logging.getLogger(__name__)

T = TypeVar("T")

PATIENCE_S = 2.0
"""How long a cancelled task may take to clean up."""
MOST_TASKS = 256
"""Of one scope at once."""


class Scope:
    """Tasks that end when it is closed, at the latest."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closed = False

    def spawn(self, work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        """A task of this scope; ``name`` is what the log calls it.

        Raises ToolError when there are MOST_TASKS, CancelledError when the scope is
        closed: whoever asks ends with it.
        """
        if self._closed or len(self._tasks) >= MOST_TASKS:
            work.close()
            if self._closed:
                raise asyncio.CancelledError
            raise ToolError("Too much is going on in the background already.")
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def end(self, tasks: Iterable[asyncio.Task[Any]]) -> None:
        """Cancel tasks and let them clean up; who goes on after PATIENCE_S is left behind."""
        ending = [task for task in tasks if not task.done()]
        for task in ending:
            task.cancel()
        try:
            if ending:
                await asyncio.wait(ending, timeout=PATIENCE_S)
        finally:
            for task in ending:
                if not task.done():
                    self._leave_behind(task)

    async def aclose(self) -> None:
        """End all tasks; from now on there are no new ones."""
        self._closed = True
        await self.end(tuple(self._tasks))

    def _leave_behind(self, task: asyncio.Task[Any]) -> None:
        log.warning("%s did not end when it was cancelled: it is left behind", task.get_name())
        self._tasks.discard(task)
        # asyncio.run cancels the tasks it knows of and waits for them without a limit.
        asyncio._unregister_task(task)
