"""Our parts of aiortc's stack, for lines worse than it was made for."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import aioice.ice
import aiortc.rtcicetransport
import aiortc.rtcpeerconnection
import aiortc.rtcsctptransport
from aiortc import RTCDtlsTransport, RTCPeerConnection, RTCSctpTransport
from aiortc.rtcdtlstransport import RTCDtlsParameters
from aiortc.rtcsctptransport import Chunk, DataChunk, InitChunk
from aiortc.utils import uint32_add

from omni_agent_webrtc.ice import Connection, connection_of
from omni_agent_webrtc.peer import close_peer

log = logging.getLogger(__name__)

SCTP_RTO_INITIAL_S = 1.0
"""RFC 9260 section 16; aiortc has the 3 s of RFC 4960: a lost INIT is noticed sooner."""
MAX_CHUNKS = 128
"""Pieces of an unfinished message, or of what came ahead of a lost packet. The longest message
that our answers allow (64 KiB) has 64 pieces where a network carries 1,024 bytes of it."""
MAX_STREAMS = 64
"""Streams of a client, of which a call needs one."""

_stock_host_addresses: Callable[..., list[str]] = aioice.ice.get_host_addresses


class PeerConnection(RTCPeerConnection):
    """Closes when it cannot connect: aiortc's task dies, and the line would wait in vain."""

    async def _RTCPeerConnection__connect(self) -> None:  # aiortc's own name for it
        try:
            await getattr(super(), "_RTCPeerConnection__connect")()  # noqa: B009  # private to it
        except Exception as error:  # what damaged SDP does to aiortc is not the same twice
            log.info("a client cannot be connected: %s", str(error) or type(error).__name__)
            log.debug("where it failed", exc_info=True)
            await close_peer(self)


class DtlsTransport(RTCDtlsTransport):
    """Tells ICE of every packet that SRTP has authenticated; hurries its handshake."""

    async def start(self, remoteParameters: RTCDtlsParameters) -> None:
        repeating = asyncio.ensure_future(connection_of(self.transport).repeat_handshake())
        try:
            await super().start(remoteParameters)
        finally:
            repeating.cancel()

    async def _handle_rtp_data(self, data: bytes, arrival_time_ms: int) -> None:
        connection_of(self.transport).sign_of_life()
        await super()._handle_rtp_data(data, arrival_time_ms)

    async def _handle_rtcp_data(self, data: bytes) -> None:
        connection_of(self.transport).sign_of_life()
        await super()._handle_rtcp_data(data)


class SctpTransport(RTCSctpTransport):
    """Survives an INIT that comes late: aiortc begins to count the other's packets anew then,
    and the data channel is silent for good. RFC 9260 section 5.2.2 has it change nothing.

    Ends an association whose messages do not: aiortc keeps every piece of one, and looks
    through all of them for each that comes.
    """

    async def _receive_chunk(self, chunk: Chunk) -> None:
        if self.state == "closed":  # by an earlier chunk of the same packet
            return
        if isinstance(chunk, DataChunk) and self._is_too_early(chunk):
            self._sack_needed = True  # it is sent again
            return
        late = isinstance(chunk, InitChunk) and self._association_state in (
            self.State.COOKIE_ECHOED,
            self.State.ESTABLISHED,
        )
        counted = self._last_received_tsn, self._reconfig_response_seq
        await super()._receive_chunk(chunk)
        if late:
            self._last_received_tsn, self._reconfig_response_seq = counted
        if self._holds_too_much():
            log.warning("a data channel was closed: its client sends messages without end")
            await self.stop()

    def _is_too_early(self, chunk: DataChunk) -> bool:
        """Whether it, and more than are kept, came ahead of a chunk that is still missing."""
        expected = uint32_add(self._last_received_tsn or 0, 1)
        return len(self._sack_misordered) >= MAX_CHUNKS and chunk.tsn != expected

    def _holds_too_much(self) -> bool:
        """Whether the client overran the window it was told of, or never ends a message."""
        streams = self._inbound_streams.values()
        longest = max((len(stream.reassembly) for stream in streams), default=0)
        return (
            self._advertised_rwnd < 0
            or len(streams) > MAX_STREAMS
            or longest - len(self._sack_misordered) > MAX_CHUNKS
        )


def _host_addresses(use_ipv4: bool, use_ipv6: bool) -> list[str]:
    """This machine's addresses; loopback when there is no other (a laptop without a network)."""
    return _stock_host_addresses(use_ipv4=use_ipv4, use_ipv6=use_ipv6) or (
        ["127.0.0.1"] if use_ipv4 else []
    )


def configure() -> None:
    """Put our parts into aiortc, which has no other place for them. Idempotent."""
    for module, name, ours in (
        (aiortc.rtcicetransport, "Connection", Connection),
        (aiortc.rtcpeerconnection, "RTCDtlsTransport", DtlsTransport),
        (aiortc.rtcpeerconnection, "RTCSctpTransport", SctpTransport),
        (aiortc.rtcsctptransport, "SCTP_RTO_INITIAL", SCTP_RTO_INITIAL_S),
    ):
        setattr(module, name, ours)
    if aioice.ice.get_host_addresses is _stock_host_addresses:
        aioice.ice.get_host_addresses = _host_addresses
