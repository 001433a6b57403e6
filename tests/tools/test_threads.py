"""Functions that never return hold nobody else up."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Iterator

import pytest

from omni_agent.errors import ToolError
from omni_agent.tools.threads import MOST_PER_CALL, ToolThreads

VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("variable")


@pytest.fixture
def free() -> Iterator[threading.Event]:
    """Lets all threads of a test go at its end."""
    event = threading.Event()
    yield event
    event.set()


async def begun(threads: ToolThreads, call: str, free: threading.Event) -> asyncio.Task[bool]:
    """A function that has begun to hang in its thread."""
    there, loop = asyncio.Event(), asyncio.get_running_loop()

    def hang() -> bool:
        loop.call_soon_threadsafe(there.set)
        return free.wait()

    task = asyncio.ensure_future(threads.run(call, hang))
    await there.wait()
    return task


async def test_a_function_returns_what_it_returns_and_sees_its_context() -> None:
    VARIABLE.set("seen")
    assert await ToolThreads().run("a", VARIABLE.get) == "seen"


@pytest.mark.parametrize("error", [ValueError, SystemExit, KeyboardInterrupt, GeneratorExit])
async def test_what_a_function_raises_reaches_the_caller(error: type[BaseException]) -> None:
    def broken() -> None:
        raise error

    with pytest.raises(error):
        await ToolThreads().run("a", broken)


async def test_an_exhausted_iterator_is_an_error_not_a_hang() -> None:
    with pytest.raises(RuntimeError, match="StopIteration"):
        await ToolThreads().run("a", lambda: next(iter(())))


async def test_functions_that_hang_are_refused_when_they_are_many(free: threading.Event) -> None:
    threads = ToolThreads()
    tasks = [await begun(threads, "a", free) for _ in range(MOST_PER_CALL)]
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    with pytest.raises(ToolError, match="still busy with an earlier request"):
        await threads.run("a", int)
    assert await threads.run("b", int) == 0  # another call
    assert await ToolThreads().run("a", int) == 0  # another tool


async def test_a_thread_that_returns_after_all_makes_room(free: threading.Event) -> None:
    threads = ToolThreads()
    tasks = [await begun(threads, "a", free) for _ in range(MOST_PER_CALL)]
    free.set()
    assert await asyncio.gather(*tasks) == [True] * MOST_PER_CALL
    assert await threads.run("a", int) == 0


async def test_a_thread_that_never_began_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = ToolThreads()

    def fail(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", fail)
        for _ in range(MOST_PER_CALL):
            with pytest.raises(ToolError, match="too much to do"):
                await threads.run("a", int)
        patched.setattr(threading.Thread, "start", lambda thread: None)  # as slow as can be
        for _ in range(MOST_PER_CALL):
            task = asyncio.ensure_future(threads.run("a", int))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
    assert await threads.run("a", int) == 0


async def test_nobody_joins_a_thread_that_hangs() -> None:
    assert await ToolThreads().run("a", lambda: threading.current_thread().daemon)
