"""Our parts of aiortc's stack, for lines worse than it was made for."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import aioice.ice
import aioice.stun
import aiortc.rtcdtlstransport
import aiortc.rtcicetransport
import aiortc.rtcpeerconnection
import aiortc.rtcrtpreceiver
import aiortc.rtcsctptransport
from aiortc import RTCDtlsTransport, RTCPeerConnection
from aiortc.rtcdtlstransport import RTCDtlsParameters

from omni_agent_webrtc.ice import Connection, Protocol, connection_of, parse_message
from omni_agent_webrtc.peer import close_peer
from omni_agent_webrtc.pictures import RemoteTrack
from omni_agent_webrtc.rtp import Nacks, Receiver, Router, Session
from omni_agent_webrtc.sctp import SctpTransport, decode_params

log = logging.getLogger(__name__)

SCTP_RTO_INITIAL_S = 1.0
"""RFC 9260 section 16; aiortc has the 3 s of RFC 4960: a lost INIT is noticed sooner."""

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

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._rtp_router = Router()

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


def _host_addresses(use_ipv4: bool, use_ipv6: bool) -> list[str]:
    """This machine's addresses; loopback when there is no other (a laptop without a network)."""
    return _stock_host_addresses(use_ipv4=use_ipv4, use_ipv6=use_ipv6) or (
        ["127.0.0.1"] if use_ipv4 else []
    )


def configure() -> None:
    """Put our parts into aiortc, which has no other place for them. Idempotent."""
    for module, name, ours in (
        (aioice.stun, "parse_message", parse_message),
        (aioice.ice, "StunProtocol", Protocol),
        (aiortc.rtcicetransport, "Connection", Connection),
        (aiortc.rtcpeerconnection, "RTCDtlsTransport", DtlsTransport),
        (aiortc.rtcpeerconnection, "RTCSctpTransport", SctpTransport),
        (aiortc.rtcdtlstransport, "Session", Session),
        (aiortc.rtcpeerconnection, "RTCRtpReceiver", Receiver),
        (aiortc.rtcpeerconnection, "RemoteStreamTrack", RemoteTrack),
        (aiortc.rtcrtpreceiver, "NackGenerator", Nacks),
        (aiortc.rtcsctptransport, "decode_params", decode_params),
        (aiortc.rtcsctptransport, "SCTP_RTO_INITIAL", SCTP_RTO_INITIAL_S),
    ):
        setattr(module, name, ours)
    if aioice.ice.get_host_addresses is _stock_host_addresses:
        aioice.ice.get_host_addresses = _host_addresses
