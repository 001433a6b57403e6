"""The speaking half of a line: what is to be said, in the line's own time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from omni_agent.audio import AudioFrame, Pcm
from omni_agent.lines.clock import FrameClock
from omni_agent.lines.playout import Playout
from omni_agent.transport import Heard, Playback

QUEUE_S = 2.5
"""Speech queued before ``play`` makes its caller wait."""


class SpeechQueue:
    """A :class:`~omni_agent.transport.Transport`'s ``play`` to ``heard``, over a playout.

    tell: told what began and what ended, as ``Transport.playback`` has it. Whoever sends the
    frames takes them from ``playout`` and calls ``left`` after each, or has ``pace`` do it.
    """

    def __init__(self, playout: Playout, tell: Callable[[Playback], None]) -> None:
        self.playout, self._tell = playout, tell
        self._time = asyncio.get_running_loop().time
        self._room = asyncio.Event()
        self._over = False

    async def play(self, utterance: str, frame: AudioFrame) -> None:
        """Queue speech; waits while more than ``QUEUE_S`` seconds are queued already."""
        while self.playout.queued_s > QUEUE_S and not self._over:
            self._room.clear()
            await self._room.wait()
        if not self._over:
            self.playout.put(utterance, frame)

    def finish(self, utterance: str) -> None:
        self.playout.finish(utterance)

    def hold(self) -> None:
        self.playout.hold()

    def resume(self) -> None:
        self.playout.resume()

    def flush(self) -> float:
        dropped = self.playout.flush()
        self._room.set()
        return dropped

    def heard(self, utterance: str, round_trip_s: float = 0.0) -> Heard:
        return self.playout.heard(utterance, self._time(), round_trip_s)

    def left(self, *, certain: bool = True) -> None:
        """A frame was sent. certain: see :meth:`Playout.take_events`."""
        for event in self.playout.take_events(certain=certain):
            self._tell(event)
        if self.playout.queued_s <= QUEUE_S:
            self._room.set()

    async def pace(self, clock: FrameClock, send: Callable[[Pcm], Awaitable[None]]) -> None:
        """Send speech as fast as it is spoken, and nothing in between, until cancelled."""
        while True:
            pcm = self.playout.next_frame(*await clock.tick())
            if pcm is not None:
                await send(pcm)
            self.left()

    def close(self) -> None:
        """The line is over: nobody waits, and nothing more is queued."""
        self._over = True
        self._room.set()
