"""An event loop whose clock jumps to the next timer instead of waiting for it."""

from __future__ import annotations

import asyncio
import functools
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_THREAD_POLL_S = 0.01


class Deadlock(RuntimeError):
    """Every task waits and no timer is set: nothing would ever happen."""


class _JumpingSelector(selectors.DefaultSelector):
    """Reports to its loop how long it was asked to wait, and does not wait."""

    loop: VirtualTimeLoop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if self.loop.threads:  # a tool in a thread: real time, without moving the clock
            return super().select(_THREAD_POLL_S)
        if timeout is None:
            raise Deadlock("every task is waiting and no timer is set: nothing will ever happen")
        self.loop.advance(timeout)
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Runs as fast as it can; ``time()`` is the sum of the waits that were skipped.

    Work in threads (plain tool functions) is awaited in real time while the
    clock stands still.
    """

    def __init__(self) -> None:
        self.threads = 0
        self._virtual_now = 0.0
        selector = _JumpingSelector()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        return self._virtual_now

    def advance(self, seconds: float) -> None:
        self._virtual_now += seconds

    # The stub types the arguments with a TypeVarTuple; this passes them through.
    def run_in_executor(  # type: ignore[override]  # see above
        self, executor: Any, func: Any, *args: Any
    ) -> Any:
        future = super().run_in_executor(executor, func, *args)
        self.threads += 1
        future.add_done_callback(self._thread_ended)
        return future

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        self.threads += 1  # its threads end in real time
        await super().shutdown_default_executor()

    def thread_waits(self, waits: bool) -> None:
        """A thread waits for what happens here, say for a user's answer: time goes on meanwhile."""
        self.threads += -1 if waits else 1

    def _thread_ended(self, future: asyncio.Future[Any]) -> None:
        self.threads -= 1


def virtual_time(test: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, T]:
    """Run an ``async def`` test in virtual time, as a plain function."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            return runner.run(test(*args, **kwargs))

    return run
