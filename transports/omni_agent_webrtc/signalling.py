"""SDP in, SDP out: how a call begins."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from aiortc import RTCPeerConnection, RTCRtpSender, RTCSessionDescription

from omni_agent.errors import SignallingError
from omni_agent_webrtc.ice import configuration, configure_aioice
from omni_agent_webrtc.sdp import MAX_CANDIDATES, MAX_MEDIA, screen
from omni_agent_webrtc.transport import CONNECT_S, WebRTCTransport, close_peer

log = logging.getLogger(__name__)

ANSWER_S = 8.0
"""An answer takes no longer; a STUN server that does not reply costs 5 s of it."""


async def answer(
    offer: str,
    *,
    ice_servers: Sequence[Mapping[str, Any]] = (),
    allow_private: bool = False,
    on_late: Callable[[float], None] = lambda seconds: None,
    inline: bool = True,
    connect_s: float = CONNECT_S,
    max_media: int = MAX_MEDIA,
    max_candidates: int = MAX_CANDIDATES,
) -> tuple[WebRTCTransport, str]:
    """Answer an offer: the line, and the SDP answer with all its candidates.

    ice_servers: as browsers take them. allow_private: talk to loopback and private
    addresses that the offer names. on_late: told of each outgoing frame's lateness,
    seconds. inline: False takes aiortc's own jitter buffer (slower, for comparison).
    connect_s: a line that is not connected by then ends. max_media, max_candidates:
    larger offers are refused.

    Raises SignallingError with an HTTP status; then nothing is left behind.
    """
    configure_aioice()
    screened = screen(
        offer, allow_private=allow_private, max_media=max_media, max_candidates=max_candidates
    )
    peer = RTCPeerConnection(configuration(ice_servers))
    try:
        async with asyncio.timeout(ANSWER_S):
            line = WebRTCTransport(peer, on_late=on_late, inline=inline, connect_s=connect_s)
            return line, await _negotiate(peer, line, screened)
    except SignallingError:
        await close_peer(peer)
        raise
    except Exception as error:  # aiortc raises six kinds of exception for damaged SDP
        log.debug("an offer could not be answered", exc_info=True)
        await close_peer(peer)
        reason = str(error) or type(error).__name__
        raise SignallingError(400, f"the offer cannot be answered: {reason}") from error
    except BaseException:
        await close_peer(peer)
        raise


async def _negotiate(peer: RTCPeerConnection, line: WebRTCTransport, offer: str) -> str:
    voice = peer.addTransceiver(line.track, direction="sendrecv")
    opus = [
        codec
        for codec in RTCRtpSender.getCapabilities("audio").codecs
        if codec.mimeType.lower() == "audio/opus"
    ]
    voice.setCodecPreferences(opus)
    await peer.setRemoteDescription(RTCSessionDescription(offer, "offer"))
    if voice.mid is None:
        raise SignallingError(400, "the offer has no audio section that could be used")
    await peer.setLocalDescription(await peer.createAnswer())
    sdp: str = peer.localDescription.sdp
    return sdp
