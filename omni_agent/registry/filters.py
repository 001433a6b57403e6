"""A plugin's text filters, contained: what fails, never lets text past it."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
)
from contextlib import asynccontextmanager
from typing import Any

from omni_agent.errors import OmniAgentError, PluginError
from omni_agent.registry.problems import Misfit, shown
from omni_agent.text import TextFilter

FILTER_S = 5.0
"""A filter comes to its next piece, or asks for more to read, within this; the caller waits."""

MOST_GROWTH = 20
"""A filter's text is at most this many times as long as what it read: numbers put into words
grow by ten …"""

MOST_ADDED = 500
"""… and so many characters more."""


def contained(
    text_filter: TextFilter, plugin: str, failed: Callable[[BaseException], None]
) -> TextFilter:
    """A plugin's filter that fails by its plugin's name, and never lets text past it then."""

    async def contained(text: AsyncIterator[str]) -> AsyncGenerator[str, None]:
        stream: AsyncIterator[str] | None = None
        source = _Bounded(text)
        try:
            while True:
                try:
                    async with source.in_time():
                        stream = stream or _stream(text_filter(source))
                        piece = await anext(stream)
                    source.check(piece)
                except StopAsyncIteration:
                    return
                except BaseException as error:
                    if isinstance(error, OmniAgentError) or _is_cancelled(error):
                        raise  # not the filter's: it comes from what the filter reads
                    failed(error)
                    raise PluginError(plugin, "its text filter failed") from error
                yield piece
        finally:
            if isinstance(stream, AsyncGenerator):
                await _closed(stream, failed)

    return contained


class _Bounded(AsyncIterator[str]):
    """What a filter reads; bounds how long it takes for a piece, but for its waits for text, and
    how much it writes for what it read. Raises Misfit beyond that."""

    def __init__(self, text: AsyncIterator[str]) -> None:
        self._text = text
        self._read = self._written = 0
        self._limit: asyncio.Timeout | None = None

    @asynccontextmanager
    async def in_time(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(FILTER_S) as self._limit:
                yield
        except TimeoutError:
            if self._limit is not None and self._limit.expired():
                raise Misfit(f"came to no text within {FILTER_S:g} s") from None
            raise
        finally:
            self._limit = None

    async def __anext__(self) -> str:
        self._allow(None)
        try:
            piece = await anext(self._text)
        finally:
            self._allow(FILTER_S)
        self._read += len(piece) or 1
        return piece

    def check(self, piece: Any) -> None:
        if not isinstance(piece, str):
            raise Misfit(f"yielded {shown(piece)}, not text")
        self._written += len(piece) or 1
        if self._written > MOST_GROWTH * self._read + MOST_ADDED:
            raise Misfit(f"wrote {self._written} characters for the {self._read} it read")

    def _allow(self, seconds: float | None) -> None:
        if self._limit is not None and not self._limit.expired():
            now = asyncio.get_running_loop().time()
            self._limit.reschedule(None if seconds is None else now + seconds)


def _stream(answer: Any) -> AsyncIterator[str]:
    if not isinstance(answer, AsyncIterator):
        if inspect.iscoroutine(answer):
            answer.close()
        raise Misfit(f"returned {shown(answer)}, not an async iterator: it should yield")
    return answer


def _is_cancelled(error: BaseException) -> bool:
    """Whether this is a cancellation by somebody, not one that a plugin raised."""
    task = asyncio.current_task()
    cancelled = isinstance(error, asyncio.CancelledError)
    return cancelled and task is not None and task.cancelling() > 0


async def _closed(
    stream: AsyncGenerator[str, None], failed: Callable[[BaseException], None]
) -> None:
    try:
        async with asyncio.timeout(FILTER_S):
            await stream.aclose()
    except BaseException as error:
        if _is_cancelled(error):
            raise
        failed(error)
