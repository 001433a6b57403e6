"""All streams of a line as one, for tests that look at what comes over it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from weakref import WeakKeyDictionary


class _Merged:
    def __init__(self, line: Any) -> None:
        self.queue: asyncio.Queue[Any] = asyncio.Queue()
        told = line.messages() if hasattr(line, "messages") else line.commands()
        streams = (line.audio(), line.video(), line.playback(), told)
        self.open = len(streams)
        self.tasks = [asyncio.ensure_future(self._follow(stream)) for stream in streams]

    async def _follow(self, stream: AsyncIterator[Any]) -> None:
        async for item in stream:
            self.queue.put_nowait(item)
        self.open -= 1
        if not self.open:
            self.queue.put_nowait(None)


_merged: WeakKeyDictionary[Any, _Merged] = WeakKeyDictionary()


async def arrivals(line: Any) -> AsyncIterator[Any]:
    """What comes, in any stream, until the line ends; what one reader leaves is the next one's."""
    if line not in _merged:
        _merged[line] = _Merged(line)
    while (item := await _merged[line].queue.get()) is not None:
        yield item
