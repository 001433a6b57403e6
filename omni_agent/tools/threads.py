"""Threads for functions that may never return."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from typing import Any, TypeVar

from omni_agent.errors import ToolError

T = TypeVar("T")

MOST_PER_CALL = 8
"""Threads of one tool that a call may have at once; six rooms may be lit in parallel."""
MOST = 64
"""Threads of one tool, in all calls."""


class DaemonThreads(Executor):
    """A thread for each function, joined by nobody.

    asyncio's own executor has a handful of threads, which hanging functions use up, and both
    ``asyncio.run`` and the interpreter wait for them in the end. ended: told once of each
    function that it has returned, or will never run.
    """

    def __init__(self, name: str, ended: Callable[[], None] = lambda: None) -> None:
        """name: of the threads, for who looks at them."""
        self._name, self._ended = name, ended

    def submit(self, function: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        future: Future[T] = Future()
        future.add_done_callback(lambda _: self._ended())
        work = partial(function, *args, **kwargs)
        try:
            threading.Thread(
                target=_settle, args=(future, work), name=self._name, daemon=True
            ).start()
        except RuntimeError:  # the system has no thread left
            future.cancel()
            raise
        return future


def _settle(future: Future[T], work: Callable[[], T]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = work()
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(result)


class ToolThreads:
    """The threads of one tool; counts those that run, by call."""

    def __init__(self) -> None:
        self._running: Counter[str] = Counter()
        self._lock = threading.Lock()

    async def run(self, call: str, work: Callable[[], T]) -> T:
        """``work()`` in a thread of its own; cancelling this leaves the thread to itself.

        Raises ToolError when too many have not returned, and what ``work`` raises.
        """
        with self._lock:
            if self._running[call] >= MOST_PER_CALL or self._running.total() >= MOST:
                raise ToolError("That is still busy with an earlier request.")
            self._running[call] += 1
        threads = DaemonThreads("tool", partial(self._ended, call))
        carried = partial(_carried, contextvars.copy_context(), work)
        try:
            future = asyncio.get_running_loop().run_in_executor(threads, carried)
        except RuntimeError as problem:
            raise ToolError("There is too much to do just now.") from problem
        result, error = await future
        if error is not None:
            raise error
        return result  # type: ignore[return-value]  # a T, as there is no error

    def _ended(self, call: str) -> None:
        with self._lock:
            self._running[call] -= 1
            if not self._running[call]:
                del self._running[call]


def _carried(
    context: contextvars.Context, work: Callable[[], T]
) -> tuple[T | None, BaseException | None]:
    """What a function raises is a value here: a future refuses StopIteration."""
    try:
        return context.run(work), None
    except BaseException as error:
        return None, error
