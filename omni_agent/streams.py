"""Small pieces for composing async streams."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager, aclosing, nullcontext
from typing import TypeVar

from omni_agent.errors import EngineError
from omni_agent.runtime.scope import answer_of, heed_cancellation
from omni_agent.utf8 import whole

T = TypeVar("T")


class Channel:
    """A stream of text between two tasks of one loop; ``close`` ends the iteration."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[str | None] = asyncio.Queue()

    def put(self, text: str) -> None:
        self._queue.put_nowait(text)

    def close(self) -> None:
        self._queue.put_nowait(None)

    async def __aiter__(self) -> AsyncGenerator[str, None]:
        while (text := await self._queue.get()) is not None:
            yield text


def closing(stream: AsyncIterator[T]) -> AbstractAsyncContextManager[AsyncIterator[T]]:
    """A context that closes the stream when it can be closed (a generator)."""
    return aclosing(stream) if isinstance(stream, AsyncGenerator) else nullcontext(stream)


async def heeding(stream: AsyncIterator[T]) -> AsyncGenerator[T, None]:
    """A stream of code that is not ours, closed in the end: when its reader is cancelled it
    goes no further, though it swallowed that. Raises EngineError where it would end the loop."""
    try:
        async with closing(stream) as pieces:
            while True:
                try:
                    piece = await answer_of(anext(pieces))
                except StopAsyncIteration:
                    break
                heed_cancellation()
                yield piece
    except (SystemExit, KeyboardInterrupt) as error:  # raised as it was closed
        raise EngineError(f"an engine raised {type(error).__name__}") from error
    finally:
        heed_cancellation()


async def one(text: str) -> AsyncGenerator[str, None]:
    """A stream of one piece."""
    yield text


async def chain(first: str, rest: AsyncIterator[str]) -> AsyncGenerator[str, None]:
    """``first``, then the rest; closing the rest stays with whoever opened it."""
    yield first
    async for text in rest:
        yield text


async def first_words(stream: AsyncIterator[str]) -> str:
    """The beginning of a stream up to its first visible character; empty if there is none."""
    async for piece in stream:
        if begun := piece.lstrip():
            return begun
    return ""


class Halves:
    """Text in, cut anywhere; whole characters out (see :func:`omni_agent.utf8.whole`)."""

    def __init__(self) -> None:
        self._half = ""

    def push(self, text: str) -> str:
        text = self._half + text
        self._half = text[-1:] if "\ud800" <= text[-1:] <= "\udbff" else ""
        return whole(text[: len(text) - len(self._half)])

    def finish(self) -> str:
        half, self._half = self._half, ""
        return whole(half)
