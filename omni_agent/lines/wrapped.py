"""A line with something between it and the call."""

from __future__ import annotations

from collections.abc import AsyncIterator

from omni_agent.audio import AudioFrame
from omni_agent.commands import Command
from omni_agent.events import Event
from omni_agent.transport import Heard, Playback, Transport, VideoFrame


class WrappedTransport:
    """Hands everything on; override what you look at::

    class Loud(WrappedTransport):
        async def play(self, utterance, frame):
            await super().play(utterance, louder(frame))
    """

    def __init__(self, line: Transport) -> None:
        self.line = line

    def audio(self) -> AsyncIterator[AudioFrame]:
        return self.line.audio()

    def video(self) -> AsyncIterator[VideoFrame]:
        return self.line.video()

    def commands(self) -> AsyncIterator[Command]:
        return self.line.commands()

    def playback(self) -> AsyncIterator[Playback]:
        return self.line.playback()

    async def play(self, utterance: str, frame: AudioFrame) -> None:
        await self.line.play(utterance, frame)

    def finish(self, utterance: str) -> None:
        self.line.finish(utterance)

    def hold(self) -> None:
        self.line.hold()

    def resume(self) -> None:
        self.line.resume()

    def flush(self) -> float:
        return self.line.flush()

    def heard(self, utterance: str) -> Heard:
        return self.line.heard(utterance)

    def notify(self, event: Event) -> None:
        self.line.notify(event)

    async def aclose(self) -> None:
        await self.line.aclose()
