"""The account of one caller: how much audio came from them, and what was heard in it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any, Protocol, TypeVar

from omni_agent.audio import AudioFrame, ToRate
from omni_agent.ears import EAR_RATE, Transcript
from omni_agent.hearing.heard import HeardEvent, TurnOver, UserTurn

T = TypeVar("T")


class Spawn(Protocol):
    """Makes a task that ends with the call."""

    def __call__(self, work: Coroutine[Any, Any, T], /) -> asyncio.Task[T]: ...


class Account:
    """What whoever listens to a caller tells of them, for whoever attends to that.

    However long the words of a turn take, turns are over in the order in which they ended.
    spawn: makes the tasks that find words out.
    """

    def __init__(self, spawn: Spawn) -> None:
        self.spawn = spawn
        self.audio_ms = 0.0
        """Of the caller's audio so far, ms."""
        self._at_ear_rate = ToRate(EAR_RATE)
        self._heard: asyncio.Queue[HeardEvent] = asyncio.Queue()
        self._concluding: asyncio.Task[None] | None = None
        """The latest turn's; it ends after all before it."""

    def read(self, frame: AudioFrame) -> AudioFrame:
        """The next piece of the caller's audio, of any sample rate, as ears take it."""
        self.audio_ms += 1000 * frame.seconds
        return self._at_ear_rate.push(frame)

    def tell(self, heard: HeardEvent) -> None:
        self._heard.put_nowait(heard)

    def conclude(self, turn: UserTurn, words: Callable[[], Awaitable[Transcript | None]]) -> None:
        """The turn has ended: it is over with its words, which are asked for in turn, too."""
        self._concluding = self.spawn(self._conclude(turn, words, self._concluding))

    async def _conclude(
        self,
        turn: UserTurn,
        words: Callable[[], Awaitable[Transcript | None]],
        before: asyncio.Task[None] | None,
    ) -> None:
        if before is not None:
            await asyncio.wait([before])
        self.tell(TurnOver(turn, await words()))

    async def events(self) -> AsyncIterator[HeardEvent]:
        """What was heard, in order, for ever."""
        while True:
            yield await self._heard.get()

    async def heard_so_far(self) -> AsyncIterator[HeardEvent]:
        """What was heard of the audio read so far, once every word of it is known."""
        while self._concluding is not None and not self._concluding.done():
            await asyncio.wait([self._concluding])
        while not self._heard.empty():
            yield self._heard.get_nowait()
