"""SDP in, SDP out: how a call begins, and how it goes on over another connection."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiortc import RTCPeerConnection, RTCRtpSender, RTCSessionDescription

from omni_agent.errors import SignallingError
from omni_agent_webrtc.ice import configuration, connection_of
from omni_agent_webrtc.peer import Arrival, Peer, close_peer
from omni_agent_webrtc.pictures import only_vp8
from omni_agent_webrtc.sdp import (
    MAX_CANDIDATES,
    MAX_MEDIA,
    as_seen_from_outside,
    require_identity,
    screen,
    with_fec,
)
from omni_agent_webrtc.stack import PeerConnection, configure
from omni_agent_webrtc.transport import CONNECT_S, WebRTCTransport

log = logging.getLogger(__name__)

ANSWER_S = 8.0
"""An answer takes no longer; a STUN or TURN server that does not reply costs GATHER_S of it."""


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms a call's offers are answered, the first and every later one; see ``answer``."""

    ice_servers: Sequence[Mapping[str, Any]] = ()
    allow_private: bool = False
    inline: bool = True
    sees: bool = True
    max_media: int = MAX_MEDIA
    max_candidates: int = MAX_CANDIDATES
    udp_ports: tuple[int, int] | None = None
    external_ip: str | None = None

    async def negotiate(self, offer: str, deliver: Callable[[Arrival], None]) -> tuple[Peer, str]:
        """A peer connection for an offer, and the SDP answer.

        Raises SignallingError with an HTTP status; then nothing is left behind.
        """
        configure()
        screened = screen(
            offer,
            allow_private=self.allow_private,
            max_media=self.max_media,
            max_candidates=self.max_candidates,
        )
        connection = PeerConnection(configuration(self.ice_servers))
        try:
            async with asyncio.timeout(ANSWER_S):
                peer = Peer(connection, deliver, inline=self.inline)
                return peer, await self._answer(connection, screened)
        except SignallingError:
            await close_peer(connection)
            raise
        except TimeoutError as error:
            await close_peer(connection)
            raise SignallingError(504, f"no answer was found within {ANSWER_S:g} s") from error
        except Exception as error:  # aiortc raises six kinds of exception for damaged SDP
            log.debug("an offer could not be answered", exc_info=True)
            await close_peer(connection)
            reason = str(error) or type(error).__name__
            raise SignallingError(400, f"the offer cannot be answered: {reason}") from error
        except BaseException:
            await close_peer(connection)
            raise

    async def _answer(self, connection: RTCPeerConnection, offer: str) -> str:
        voice = connection.addTransceiver("audio", direction="sendrecv")
        opus = [
            codec
            for codec in RTCRtpSender.getCapabilities("audio").codecs
            if codec.mimeType.lower() == "audio/opus"
        ]
        voice.setCodecPreferences(opus)
        require_identity(offer)
        await connection.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        if voice.mid is None:
            raise SignallingError(400, "the offer has no audio section that could be used")
        for transceiver in connection.getTransceivers():
            if transceiver.kind == "video" and not (self.sees and only_vp8(transceiver)):
                transceiver.direction = "inactive"
            connection_of(transceiver.sender.transport.transport).udp_ports = self.udp_ports
        await connection.setLocalDescription(await connection.createAnswer())
        sdp = with_fec(connection.localDescription.sdp)
        return sdp if self.external_ip is None else as_seen_from_outside(sdp, self.external_ip)


async def answer(
    offer: str,
    *,
    on_late: Callable[[float], None] = lambda seconds: None,
    connect_s: float = CONNECT_S,
    ice_servers: Sequence[Mapping[str, Any]] = (),
    allow_private: bool = False,
    inline: bool = True,
    sees: bool = True,
    max_media: int = MAX_MEDIA,
    max_candidates: int = MAX_CANDIDATES,
    udp_ports: tuple[int, int] | None = None,
    external_ip: str | None = None,
) -> tuple[WebRTCTransport, str]:
    """Answer an offer: the line, and the SDP answer with all its candidates.

    on_late: told of each outgoing frame's lateness, seconds. connect_s: a line
    that is not connected by then ends. ice_servers: as browsers take them.
    allow_private: talk to loopback and private addresses that the offer names.
    inline: False takes aiortc's own jitter buffer (slower, for comparison). sees:
    False refuses the client's pictures, so that they are neither sent nor decoded.
    max_media: an offer with more is refused. max_candidates: the first usable ones
    are tried. udp_ports: first and last port to receive at. external_ip: the
    address under which this machine is known outside (1:1 NAT).

    Raises SignallingError with an HTTP status; then nothing is left behind.
    """
    terms = Terms(
        ice_servers=ice_servers,
        allow_private=allow_private,
        inline=inline,
        sees=sees,
        max_media=max_media,
        max_candidates=max_candidates,
        udp_ports=udp_ports,
        external_ip=external_ip,
    )
    line = WebRTCTransport(terms.negotiate, on_late=on_late, connect_s=connect_s)
    return line, await line.renew(offer)
