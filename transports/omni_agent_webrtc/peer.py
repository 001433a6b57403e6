"""One peer connection of a line; the line outlives it when the client offers another."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from aiortc import RTCDataChannel, RTCDtlsTransport, RTCIceTransport, RTCPeerConnection
from aiortc.mediastreams import MediaStreamTrack

from omni_agent.audio import AudioFrame
from omni_agent.transport import VideoFrame
from omni_agent_webrtc.camera import watch_camera
from omni_agent_webrtc.ice import Connection, connection_of
from omni_agent_webrtc.tracks import InlineReceiver, SpeechTrack, read_stock

log = logging.getLogger(__name__)

Arrival = AudioFrame | VideoFrame | str
"""What a connection delivers; a ``str`` is a client's message as it came."""

CHANNEL = "oai-events"
"""The data channel's label, as OpenAI's clients open it."""
MAX_MESSAGE = 256 * 1024
"""Characters in one message from the client; a longer one is not looked at."""
CLOSE_S = 2.0
"""Closing a peer connection takes no longer; what is left is torn down by hand."""


class Peer:
    """Delivers what the client sends, and knows when it last gave a sign of life.

    ``connected``, ``in_use`` and ``over`` are set once. Only while it is in use do its
    sound and pictures count: a client offers the next one while it still speaks over this.
    Whoever owns it sets ``in_use``, sets ``over`` to end ``run``, and must ``close`` it.
    """

    def __init__(
        self,
        connection: RTCPeerConnection,
        deliver: Callable[[Arrival], None],
        *,
        inline: bool = True,
    ) -> None:
        self.connection, self._deliver, self._inline = connection, deliver, inline
        self.channel: RTCDataChannel | None = None
        self.connected, self.in_use, self.over = (asyncio.Event() for _ in range(3))
        self.opened: Callable[[], None] = lambda: None
        """Called when the data channel can be written to."""
        self.round_trip_s = 0.0
        self._tracks: list[MediaStreamTrack] = []
        self._hearing = False
        self._stock: MediaStreamTrack | None = None
        self._closing: asyncio.Future[None] | None = None
        connection.on("track", self._on_track)
        connection.on("datachannel", self._on_channel)
        connection.on("connectionstatechange", self._on_state)

    # -- in ------------------------------------------------------------------------

    def _on_track(self, track: MediaStreamTrack) -> None:
        if track.kind == "audio" and not self._hearing:
            self._hearing = True
            receiver = next(
                one.receiver
                for one in self.connection.getTransceivers()
                if one.receiver.track is track
            )
            if self._inline and InlineReceiver.install(receiver, self._take):
                return
            self._stock = track
        self._tracks.append(track)

    def _take(self, media: Arrival) -> None:
        if self.in_use.is_set() and not self.over.is_set():
            self._deliver(media)

    def _on_channel(self, channel: RTCDataChannel) -> None:
        if channel.label != CHANNEL or self.channel is not None:
            channel.close()
            return
        self.channel = channel
        channel.on("message", self._on_message)
        channel.on("open", lambda: self.opened())
        channel.on("close", self.over.set)
        self.opened()

    def _on_message(self, message: str | bytes) -> None:
        if len(message) > MAX_MESSAGE:
            log.warning("a message of %d bytes was dropped", len(message))
            return
        self._deliver(message if isinstance(message, str) else message.decode("utf-8", "replace"))

    def _on_state(self) -> None:
        state = self.connection.connectionState
        if state == "connected":
            self.connected.set()
        elif state in ("failed", "closed"):
            self.over.set()

    @property
    def offers_channel(self) -> bool:
        """Whether its client wants a data channel at all."""
        return self.connection.sctp is not None

    # -- out -----------------------------------------------------------------------

    def speak(self, track: SpeechTrack) -> None:
        """Send this track from now on."""
        self.connection.getTransceivers()[0].sender.replaceTrack(track)

    # -- its life --------------------------------------------------------------------

    async def run(self) -> None:
        """Take what comes off the line until it is over: an unread track grows without bound."""
        async with asyncio.TaskGroup() as tasks:
            readers = [tasks.create_task(self._read(track)) for track in self._tracks]
            await self.over.wait()
            for reader in readers:
                reader.cancel()

    async def _read(self, track: MediaStreamTrack) -> None:
        if track.kind == "video":
            await watch_camera(track, self._take)
        elif track is self._stock:
            await read_stock(track, self._take)
        else:
            await read_stock(track, lambda frame: None)

    def _connections(self) -> list[Connection]:
        return [connection_of(dtls.transport) for dtls in _transports(self.connection)[0]]

    @property
    def signs(self) -> int:
        """Authenticated packets so far."""
        return sum(connection.signs for connection in self._connections())

    @property
    def sign_at(self) -> float:
        """When the last authenticated packet came, loop time."""
        return max((connection.sign_at for connection in self._connections()), default=0.0)

    async def measure(self) -> None:
        """Take the round-trip time from the client's reports."""
        for transceiver in self.connection.getTransceivers():
            for one in (await transceiver.sender.getStats()).values():
                stats: Any = one  # aiortc types its report as a dict of a common base
                if stats.type == "remote-inbound-rtp" and stats.roundTripTime is not None:
                    self.round_trip_s = min(2.0, max(0.0, stats.roundTripTime))

    async def close(self) -> None:
        """Bounded and idempotent: every caller waits for the same end. Never raises."""
        self.over.set()
        if self._closing is None:
            self._closing = asyncio.ensure_future(close_peer(self.connection))
        await asyncio.shield(self._closing)


def _transports(
    peer: RTCPeerConnection,
) -> tuple[list[RTCDtlsTransport], list[RTCIceTransport]]:
    """Private to aiortc; a test pins the version and the names."""
    return (
        list(getattr(peer, "_RTCPeerConnection__dtlsTransports", ())),
        list(getattr(peer, "_RTCPeerConnection__iceTransports", ())),
    )


async def close_peer(peer: RTCPeerConnection) -> None:
    """Close within ``CLOSE_S`` whatever aiortc does; never raises.

    After a damaged offer aiortc's own close may raise or wait for tasks that
    never started; then its transports are stopped one by one.
    """
    dtls, ice = _transports(peer)
    try:
        async with asyncio.timeout(CLOSE_S):
            await peer.close()
    except Exception:  # any failure of closing has the same cure
        log.debug("closing by hand", exc_info=True)
        for transport in dtls:
            await _stop(transport)
        for carrier in ice:
            await _stop(carrier)


async def _stop(transport: RTCDtlsTransport | RTCIceTransport) -> None:
    try:
        async with asyncio.timeout(CLOSE_S / 2):
            await transport.stop()
    except Exception:  # the others must be stopped too
        log.debug("a transport did not stop", exc_info=True)
