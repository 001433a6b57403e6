"""WebSockets on uvicorn, each of which is a connection that ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from omni_agent.server.rates import address_of


class Socket(WebSocketsSansIOProtocol):
    """uvicorn's, which waits without end for a client that does not read to take the last of it,
    and does not expect one that sends before it is let in, or is gone by then.

    left: told the address once the connection is gone; entered before, as HTTP. linger_s: for
    what is still to be sent when it is over.
    """

    def __init__(self, left: Callable[[str], None], linger_s: float, **uvicorns: Any) -> None:
        super().__init__(**uvicorns)
        self._left, self._linger_s = left, linger_s
        self._deadline: asyncio.TimerHandle | None = None
        self._early = b""

    def data_received(self, data: bytes) -> None:
        if self.handshake_initiated and not self.handshake_complete:
            self._early += data
            self.transport.pause_reading()
        else:
            super().data_received(data)

    async def send(self, message: ASGISendEvent) -> None:
        if self.transport.is_closing() and not self.handshake_complete:
            raise ClientDisconnected
        if message["type"] == "websocket.close":
            self.writable.set()  # it waits for nobody: what is not taken in time is lost
        await super().send(message)
        if self._early and self.handshake_complete:
            early, self._early = self._early, b""
            self.transport.resume_reading()
            super().data_received(early)

    async def run_asgi(self) -> None:
        try:
            await super().run_asgi()
        finally:
            self._deadline = self.loop.call_later(self._linger_s, self.transport.abort)

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._deadline is not None:
            self._deadline.cancel()
        self._left(address_of(self.client[0] if self.client else None))
