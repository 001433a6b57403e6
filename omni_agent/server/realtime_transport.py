"""A media line that speaks the Realtime protocol: the Transport a session uses."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import replace

from omni_agent.audio import AudioFrame
from omni_agent.events import ErrorOccurred, Event
from omni_agent.server.line import MediaLine
from omni_agent.server.realtime import Realtime
from omni_agent.server.wire import Json, dump
from omni_agent.transport import Heard, Incoming

log = logging.getLogger(__name__)


class RealtimeTransport:
    """Implements :class:`omni_agent.transport.Transport` over a line and a protocol.

    watch: told of every event, as the client is. dev: the client is told why something
    failed, not only that it did.
    """

    def __init__(
        self,
        line: MediaLine,
        protocol: Realtime,
        watch: Callable[[Event], None] | None = None,
        *,
        dev: bool = False,
    ) -> None:
        self._line, self._protocol, self._watch, self._dev = line, protocol, watch, dev
        self._send(protocol.opening())

    async def frames(self) -> AsyncIterator[Incoming]:
        """Audio, pictures, playout notices, and what the client's messages mean."""
        async for arrival in self._line.frames():
            if isinstance(arrival, str):
                received = self._protocol.on_message(arrival)
                self._send(received.replies)
                for command in received.commands:
                    yield command
                if received.over:
                    sender = self._protocol.session_id
                    log.warning("call %s: its client sent far too many messages; it ends", sender)
                    await self._line.aclose("too many messages")
                    return
            else:
                yield arrival

    def notify(self, event: Event) -> None:
        try:
            if self._watch is not None:
                self._watch(event)
            if self._dev and isinstance(event, ErrorOccurred) and event.detail:
                event = replace(event, message=event.detail)
            self._send(self._protocol.on_event(event))
        except Exception:  # telling the client must never break the call it tells of
            log.exception("an event could not be told: %r", event)

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
