"""A transport inside the process: no network, plays in the loop's time, remembers everything."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import numpy as np

from omni_agent.audio import AudioFrame
from omni_agent.commands import Command
from omni_agent.ears import EAR_RATE
from omni_agent.events import Event
from omni_agent.lines.inbox import Inbox
from omni_agent.transport import Heard, Playback, PlayoutFinished, PlayoutStarted, VideoFrame

TICK_MS = 20


@dataclass(slots=True)
class _Queued:
    utterance: str
    ms: float


@dataclass(slots=True)
class _Playback:
    played_ms: float = 0.0
    started: bool = False
    finished: bool = False
    frames: list[AudioFrame] = field(default_factory=list)


class InProcessTransport:
    """A line whose user is a program: a demonstration, a chat in a terminal, a test.

    ``speak``, ``put`` and ``hang_up`` are the user's side; ``events`` and
    ``recording`` are what the user saw and heard.
    """

    def __init__(self, *, queue_ms: int = 2000) -> None:
        self._inbox: Inbox[Command] = Inbox()
        self._queue: deque[_Queued] = deque()
        self._playback: dict[str, _Playback] = {}
        self._queue_ms = queue_ms
        self._room = asyncio.Event()
        self._held = False
        self._ticking = False
        self.events: list[Event] = []
        self._news = asyncio.Event()
        self.silent_since: float | None = 0.0
        """When the line last fell silent; None while speech is being played."""
        self.closed = False
        self.silenced_at: float | None = None
        """When the agent last had the line fall silent (``hold`` or ``flush``)."""

    # -- the user's side ------------------------------------------------------------

    def put(self, incoming: AudioFrame | VideoFrame | Playback | Command) -> None:
        """Something arrives from the user."""
        self._inbox.put(incoming)

    async def speak(self, audio: AudioFrame, *, then_silence_ms: int = 0) -> None:
        """Send 16 kHz audio at the speed of speech, then silence."""
        silence = np.zeros(EAR_RATE * then_silence_ms // 1000, np.int16)
        samples = np.concatenate([audio.pcm, silence])
        size = EAR_RATE * TICK_MS // 1000
        for at in range(0, len(samples), size):
            self.put(AudioFrame(samples[at : at + size], EAR_RATE, at))
            await asyncio.sleep(TICK_MS / 1000)

    def recording(self) -> list[AudioFrame]:
        """The audio that was queued, in order, whatever of it was played."""
        return [frame for playback in self._playback.values() for frame in playback.frames]

    def audio_of(self, utterance: str) -> list[AudioFrame]:
        """The audio of one utterance that was queued."""
        return self._playback[utterance].frames

    def count(self, kind: type[Event]) -> int:
        """How many events of a kind there were."""
        return sum(isinstance(event, kind) for event in self.events)

    async def happened(self) -> None:
        """Wait for the next event."""
        self._news.clear()
        await self._news.wait()

    def hang_up(self) -> None:
        self._inbox.close()

    # -- Transport ---------------------------------------------------------------------

    def audio(self) -> AsyncIterator[AudioFrame]:
        return self._inbox.audio.read()

    def video(self) -> AsyncIterator[VideoFrame]:
        return self._inbox.video.read()

    def commands(self) -> AsyncIterator[Command]:
        return self._inbox.messages.read()

    def playback(self) -> AsyncIterator[Playback]:
        return self._inbox.playback.read()

    async def play(self, utterance: str, frame: AudioFrame) -> None:
        while sum(queued.ms for queued in self._queue) >= self._queue_ms:
            self._room.clear()
            await self._room.wait()
        self._playback.setdefault(utterance, _Playback()).frames.append(frame)
        self._queue.append(_Queued(utterance, 1000 * frame.seconds))
        self._wake()

    def _wake(self) -> None:
        if not self._ticking and self._queue and not self._held:
            self._ticking = True
            asyncio.get_running_loop().call_soon(self._tick)

    def _tick(self) -> None:
        """Play the next 20 ms."""
        loop = asyncio.get_running_loop()
        left = float(TICK_MS)
        while left > 0 and self._queue and not self._held:
            head = self._queue[0]
            playback = self._playback[head.utterance]
            if not playback.started:
                playback.started = True
                self.put(PlayoutStarted(head.utterance, loop.time()))
            step = min(left, head.ms)
            playback.played_ms += step
            head.ms -= step
            left -= step
            if head.ms <= 0:
                self._queue.popleft()
                self._maybe_finished(head.utterance)
        self._room.set()
        self._ticking = bool(self._queue) and not self._held
        self.silent_since = None if left < TICK_MS else loop.time()
        if self._ticking:
            loop.call_later(TICK_MS / 1000, self._tick)
        else:
            self.silent_since = loop.time() + (TICK_MS - left) / 1000

    def _maybe_finished(self, utterance: str) -> None:
        playback = self._playback.get(utterance)
        waiting = any(queued.utterance == utterance for queued in self._queue)
        if playback is not None and playback.finished and not waiting:
            self.put(PlayoutFinished(utterance, asyncio.get_running_loop().time()))

    def finish(self, utterance: str) -> None:
        if utterance in self._playback:
            self._playback[utterance].finished = True
            self._maybe_finished(utterance)

    def hold(self) -> None:
        self._held = True
        self.silenced_at = asyncio.get_running_loop().time()

    def resume(self) -> None:
        self._held = False
        self._wake()

    def flush(self) -> float:
        dropped = sum(queued.ms for queued in self._queue)
        self._queue.clear()
        self._held = False
        self.silenced_at = asyncio.get_running_loop().time()
        self._room.set()
        return dropped

    def heard(self, utterance: str) -> Heard:
        playback = self._playback.get(utterance)
        return Heard(playback.played_ms if playback else 0.0)

    def notify(self, event: Event) -> None:
        self.events.append(event)
        self._news.set()

    async def aclose(self) -> None:
        self.closed = True
        self.hang_up()
