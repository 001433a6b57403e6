"""The media process's end of the line to a model process."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import cast

from omni_agent.engines.process.wire import Packet, Unpacker, pack

log = logging.getLogger(__name__)


class Line(asyncio.Protocol):
    """The parent's end: packets to the request they belong to."""

    def __init__(self, report: Callable[[str], None]) -> None:
        self.requests: dict[int, asyncio.Queue[Packet | None]] = {}
        self.ready: asyncio.Future[Packet] = asyncio.get_running_loop().create_future()
        self.lost = asyncio.Event()
        self.silent_s = 0.0
        """How long nothing has come, in this process's own time: see Worker."""
        self.failing = ""
        """Why the process is being ended; empty as long as it is not."""
        self._report = report
        self._unpacker = Unpacker()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not isinstance: uvloop's transports are no subclasses of asyncio's.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        try:
            packets = self._unpacker.feed(data)
        except ValueError:
            log.exception("a model process sent something that is not a packet")
            self.close()
            return
        self.silent_s = 0.0
        for packet in packets:
            if packet.id:
                if inbox := self.requests.get(packet.id):
                    inbox.put_nowait(packet)
            elif packet.kind == "report":
                self._report(str(packet.body.get("text", "")))
            elif packet.kind == "hung":
                self.failing = str(packet.body.get("message", "it hangs"))
            elif packet.kind != "beat" and not self.ready.done():
                self.ready.set_result(packet)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set()
        if not self.ready.done():
            self.ready.set_result(Packet(0, "error", {"message": "it died while starting"}))
        for inbox in self.requests.values():
            inbox.put_nowait(None)

    def send(self, packet: Packet) -> None:
        if self._transport is not None and not self.lost.is_set():
            self._transport.write(pack(packet))

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def give_up(self, reason: str) -> None:
        """Close at once, whatever has not been sent: whoever waits is told ``reason``."""
        self.failing = reason
        if self._transport is not None:
            self._transport.abort()
