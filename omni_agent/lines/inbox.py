"""What comes over a line, sorted: each kind waits for its own reader, within its own bound."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable
from typing import Any, Generic, Literal, TypeVar

from omni_agent.audio import AudioFrame
from omni_agent.transport import Playback, PlayoutFinished, PlayoutStarted, VideoFrame

T = TypeVar("T")
M = TypeVar("M")

EARSHOT_S = 10.0
"""Audio that waits for ears; of more, the oldest is lost."""
MAX_MESSAGES = 256
"""Messages or commands that wait for their reader; more are lost."""
MAX_NEWS = 1024
"""Of playback: two an utterance."""


class Lane(Generic[T]):
    """On its way to one reader; whoever puts never waits.

    most: what may wait, as ``size`` counts it. keep: what stays of more.
    """

    def __init__(
        self,
        most: float,
        *,
        size: Callable[[T], float] = lambda item: 1.0,
        keep: Literal["newest", "oldest"] = "newest",
    ) -> None:
        self._most, self._size, self._keep = most, size, keep
        self._items: deque[T] = deque()
        self._held = 0.0
        self._wake = asyncio.Event()
        self._closed = False
        self.lost = 0
        """Items that nobody has read and nobody will."""

    def put(self, item: T) -> None:
        """Never blocks; after ``close`` nothing is taken in."""
        if self._closed:
            return
        size = self._size(item)
        if self._keep == "oldest" and self._held + size > self._most:
            self.lost += 1
            return
        self._items.append(item)
        self._held += size
        while self._held > self._most and len(self._items) > 1:
            self._take()
            self.lost += 1
        self._wake.set()

    def _take(self) -> T:
        item = self._items.popleft()
        self._held -= self._size(item)
        return item

    def close(self) -> None:
        """End the reader's iteration once it has read what is there."""
        self._closed = True
        self._wake.set()

    async def read(self) -> AsyncGenerator[T, None]:
        """All of it, in order, until ``close``."""
        while True:
            while self._items:
                yield self._take()
            if self._closed:
                return
            self._wake.clear()
            await self._wake.wait()


class Inbox(Generic[M]):
    """The receiving end of a line. M: what its client sends, commands or raw messages."""

    def __init__(self) -> None:
        self.audio: Lane[AudioFrame] = Lane(EARSHOT_S, size=lambda frame: frame.held_s)
        self.video: Lane[VideoFrame] = Lane(1)
        self.messages: Lane[M] = Lane(MAX_MESSAGES, keep="oldest")
        self.playback: Lane[Playback] = Lane(MAX_NEWS)

    def put(self, item: AudioFrame | VideoFrame | Playback | M) -> None:
        """Never blocks; after ``close`` nothing is taken in."""
        match item:
            case AudioFrame():
                self.audio.put(item)
            case VideoFrame():
                self.video.put(item)
            case PlayoutStarted() | PlayoutFinished():
                self.playback.put(item)
            case message:
                self.messages.put(message)

    def close(self) -> None:
        """The line is over: every reader ends once it has read what is there."""
        lanes: tuple[Lane[Any], ...] = (self.audio, self.video, self.messages, self.playback)
        for lane in lanes:
            lane.close()
