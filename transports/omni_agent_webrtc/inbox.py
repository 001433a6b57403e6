"""The bounded queue at the transport's edge."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from omni_agent.audio import AudioFrame
from omni_agent.transport import PlayoutFinished, PlayoutStarted, VideoFrame

Arrival = AudioFrame | VideoFrame | PlayoutStarted | PlayoutFinished | str
"""What a line delivers; a ``str`` is a client's message as it came."""

MAX_AUDIO = 250
"""Frames of 20 ms: a reader that is 5 s behind loses the oldest."""
MAX_MESSAGES = 256


class Inbox:
    """In order of arrival; audio bounded by dropping the oldest, pictures replace each other."""

    def __init__(self) -> None:
        self._items: deque[Arrival] = deque()
        self._audio = self._messages = 0
        self._picture: VideoFrame | None = None
        self._wake = asyncio.Event()
        self._closed = False
        self.dropped_audio = 0
        self.dropped_messages = 0

    def put(self, item: Arrival) -> None:
        """Never blocks; after ``close`` nothing is taken in."""
        if self._closed:
            return
        if isinstance(item, VideoFrame):
            self._picture = item
        elif isinstance(item, str):
            if self._messages >= MAX_MESSAGES:
                self.dropped_messages += 1
                return
            self._messages += 1
            self._items.append(item)
        else:
            if isinstance(item, AudioFrame):
                self._audio += 1
            self._items.append(item)
            if self._audio > MAX_AUDIO:
                self._drop_oldest_audio()
        self._wake.set()

    def _drop_oldest_audio(self) -> None:
        index = next(i for i, item in enumerate(self._items) if isinstance(item, AudioFrame))
        del self._items[index]
        self._audio -= 1
        self.dropped_audio += 1

    def close(self) -> None:
        """End the reader's iteration once it has read what is there."""
        self._closed = True
        self._wake.set()

    async def read(self) -> AsyncIterator[Arrival]:
        """Everything, in order, until ``close``. For one reader."""
        while True:
            while self._items or self._picture is not None:
                if self._picture is not None:
                    picture, self._picture = self._picture, None
                    yield picture
                if self._items:
                    yield self._take()
            if self._closed:
                return
            self._wake.clear()
            await self._wake.wait()

    def _take(self) -> Arrival:
        item = self._items.popleft()
        if isinstance(item, AudioFrame):
            self._audio -= 1
        elif isinstance(item, str):
            self._messages -= 1
        return item
