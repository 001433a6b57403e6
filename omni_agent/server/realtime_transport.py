"""A media line that speaks the Realtime protocol: the Transport a session uses."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterable

from omni_agent.audio import AudioFrame
from omni_agent.commands import Command
from omni_agent.events import Event
from omni_agent.line import MediaLine
from omni_agent.server.realtime import Realtime
from omni_agent.server.wire import Json, dump
from omni_agent.streams import closing
from omni_agent.transport import Heard, Playback, VideoFrame

log = logging.getLogger(__name__)


class RealtimeTransport:
    """Implements :class:`omni_agent.transport.Transport` over a line and a protocol."""

    def __init__(self, line: MediaLine, protocol: Realtime) -> None:
        self._line, self._protocol = line, protocol
        self._send(protocol.opening())

    def audio(self) -> AsyncIterator[AudioFrame]:
        return self._line.audio()

    def video(self) -> AsyncIterator[VideoFrame]:
        return self._line.video()

    def playback(self) -> AsyncIterator[Playback]:
        return self._line.playback()

    async def commands(self) -> AsyncIterator[Command]:
        """What the client's messages mean."""
        async with closing(self._line.messages()) as messages:
            async for message in messages:
                received = self._protocol.on_message(message)
                self._send(received.replies)
                for command in received.commands:
                    yield command
                if received.over:
                    sender = self._protocol.session_id
                    log.warning("call %s: its client sent far too many messages; it ends", sender)
                    await self._line.aclose("too many messages")
                    return

    def notify(self, event: Event) -> None:
        self._send(self._protocol.on_event(event))

    def _send(self, messages: Iterable[Json]) -> None:
        for message in messages:
            self._line.send(dump(message))

    async def play(self, utterance: str, frame: AudioFrame) -> None:
        await self._line.play(utterance, frame)

    def finish(self, utterance: str) -> None:
        self._line.finish(utterance)

    def hold(self) -> None:
        self._line.hold()

    def resume(self) -> None:
        self._line.resume()

    def flush(self) -> float:
        return self._line.flush()

    def heard(self, utterance: str) -> Heard:
        return self._line.heard(utterance)

    async def aclose(self) -> None:
        await self._line.aclose()
