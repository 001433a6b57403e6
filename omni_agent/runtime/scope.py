"""Tasks of code that is not ours: they end with their call, or are left behind.

A ``TaskGroup`` waits for ever for a task that swallows its cancellation, and so does
``asyncio.run``: one bad tool would keep a line, and Ctrl-C, waiting.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable
from contextvars import ContextVar, copy_context
from typing import Any, TypeVar
from weakref import WeakSet

from omni_agent.errors import EngineError, ToolError, words_of

log = logging.getLogger(__name__)

T = TypeVar("T")

LEFT_BEHIND_S = 2.0
"""How long a cancelled task may take to clean up, before it is left behind."""
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


class _Contained(Coroutine[Any, Any, T]):
    """A coroutine that cannot end the loop: what would is an ordinary error of type ``failure``."""

    def __init__(self, work: Coroutine[Any, Any, T], failure: type[Exception]) -> None:
        self._work, self._failure = work, failure

    def __getattr__(self, name: str) -> Any:  # cr_frame and its like, for who looks at a task
        return getattr(self._work, name)

    def send(self, value: Any, /) -> Any:
        try:
            return self._work.send(value)
        except (SystemExit, KeyboardInterrupt, GeneratorExit) as error:
            raise self._ordinary(error) from error

    def throw(self, *raised: Any) -> Any:
        try:
            return self._work.throw(*raised)
        except (SystemExit, KeyboardInterrupt, GeneratorExit) as error:
            raise self._ordinary(error) from error

    def close(self) -> None:
        self._work.close()

    def __iter__(self) -> Generator[Any, Any, T]:
        return self

    __await__ = __iter__

    def __next__(self) -> Any:
        return self.send(None)

    def _ordinary(self, error: BaseException) -> Exception:
        name = getattr(self._work, "__qualname__", "a task")
        what = f"{name} raised {type(error).__name__}: {words_of(error)}"
        log.error("%s, which ends nothing", what, exc_info=error)
        return self._failure(what)


def contained_task(loop: asyncio.AbstractEventLoop, work: Any, **options: Any) -> asyncio.Task[Any]:
    """A task factory: SystemExit in a task, which would end the loop, is the task's own failure.

    A signal is none of this: its handler runs in the main thread, and tells the server.
    """
    return asyncio.Task(_Contained(work, RuntimeError), loop=loop, **options)


async def answer_of(engine: Awaitable[T]) -> T:
    """What an engine answers. Raises EngineError where it would end the loop, or this task."""
    try:
        return await _Contained(_awaited(engine), EngineError)
    except asyncio.CancelledError as error:
        heed_cancellation()
        raise EngineError("an engine was cancelled, by nobody of the call") from error


async def answer_within(ask: Callable[[], Awaitable[T]], seconds: float | None, what: str) -> T:
    """What an engine answers when it is asked. Raises EngineError whatever goes wrong in it, and
    after ``seconds``.

    seconds: None waits for as long as it takes. what: who is asked, for the message.
    """
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            return await answer_of(_asked(ask))
    except EngineError:
        raise
    except Exception as error:
        if limit.expired():  # else a TimeoutError is the engine's own
            raise EngineError(f"{what}: no answer within {seconds:g} s") from None
        why = f"{what} failed: {type(error).__name__}: {words_of(error)}"
        raise EngineError(why) from error


async def _asked(ask: Callable[[], Awaitable[T]]) -> T:
    return await ask()


async def _awaited(engine: Awaitable[T]) -> T:
    return await engine


class Scope:
    """Tasks that end when it is closed, at the latest."""

    def __init__(self) -> None:
        self._tasks: dict[asyncio.Task[Any], WeakSet[asyncio.Task[Any]]] = {}
        self._cancelled: WeakSet[asyncio.Task[Any]] = WeakSet()
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
        """Cancel tasks of this scope and let them clean up; who goes on after LEFT_BEHIND_S is
        left behind, and waited for no more. When this is cancelled, ``aclose`` waits for them."""
        ending = [task for task in tasks if task in self._tasks and not task.done()]
        for task in ending:
            if task not in self._cancelled:  # a second time would cut its cleaning up short
                self._cancelled.add(task)
                task.cancel()
        if ending:
            await asyncio.wait(ending, timeout=LEFT_BEHIND_S)
            self._leave_behind(ending)

    async def aclose(self) -> None:
        """End all tasks; from now on there are no new ones."""
        self._closed = True
        tasks = tuple(self._tasks)
        try:
            await self.end(tasks)
        finally:
            self._leave_behind(tasks)

    def _leave_behind(self, ended: Iterable[asyncio.Task[Any]]) -> None:
        tasks = [task for task in ended if task in self._tasks and not task.done()]
        for name in sorted({task.get_name() for task in tasks}):
            log.warning("%s did not end when it was cancelled: it is left behind", name)
        # asyncio.run cancels the tasks it knows of and waits for them without a limit.
        for task in tasks:
            for each in (task, *self._tasks.pop(task, ())):
                asyncio._unregister_task(each)
