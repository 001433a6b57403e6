"""Tasks of code that is not ours: they end with their call, or are left behind.

A ``TaskGroup`` waits for ever for a task that swallows its cancellation, and so does
``asyncio.run``: one bad tool would keep a line, and Ctrl-C, waiting.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Iterable
from contextvars import ContextVar, copy_context
from typing import Any, TypeVar
from weakref import WeakSet

from omni_agent.errors import ToolError

log = logging.getLogger(__name__)

T = TypeVar("T")

PATIENCE_S = 2.0
"""How long a cancelled task may take to clean up."""
MOST_TASKS = 256
"""Of one scope at once."""

_kin: ContextVar[WeakSet[asyncio.Task[Any]] | None] = ContextVar("kin", default=None)
"""A task of a scope, and those inside it that it waits for."""


def kin(task: asyncio.Task[T]) -> asyncio.Task[T]:
    """Have a task left behind together with the one that makes it and waits for it."""
    if (others := _kin.get()) is not None:
        others.add(task)
    return task


def heed_cancellation() -> None:
    """Raises CancelledError when this task was cancelled and somebody swallowed that."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


class Scope:
    """Tasks that end when it is closed, at the latest."""

    def __init__(self) -> None:
        self._tasks: dict[asyncio.Task[Any], WeakSet[asyncio.Task[Any]]] = {}
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
        others: WeakSet[asyncio.Task[Any]] = WeakSet()
        context = copy_context()
        context.run(_kin.set, others)
        task = asyncio.get_running_loop().create_task(work, name=name, context=context)
        self._tasks[task] = others
        task.add_done_callback(lambda task: self._tasks.pop(task, None))
        return task

    async def end(self, tasks: Iterable[asyncio.Task[Any]]) -> None:
        """Cancel tasks of this scope and let them clean up; who goes on after PATIENCE_S is
        left behind, and waited for no more."""
        ending = [task for task in tasks if task in self._tasks and not task.done()]
        for task in ending:
            task.cancel()
        try:
            if ending:
                await asyncio.wait(ending, timeout=PATIENCE_S)
        finally:
            self._leave_behind([task for task in ending if not task.done()])

    async def aclose(self) -> None:
        """End all tasks; from now on there are no new ones."""
        self._closed = True
        await self.end(tuple(self._tasks))

    def _leave_behind(self, tasks: list[asyncio.Task[Any]]) -> None:
        for name in sorted({task.get_name() for task in tasks}):
            log.warning("%s did not end when it was cancelled: it is left behind", name)
        # asyncio.run cancels the tasks it knows of and waits for them without a limit.
        for task in tasks:
            for each in (task, *self._tasks.pop(task, ())):
                asyncio._unregister_task(each)
