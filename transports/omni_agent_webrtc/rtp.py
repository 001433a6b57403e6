"""RTP and RTCP as calls need them: of a few senders, with reports and nothing else asked of us."""

from __future__ import annotations

import asyncio
import logging
import struct
import threading

import pylibsrtp
from aiortc import RTCDtlsTransport, RTCRtpReceiver
from aiortc.rtcdtlstransport import RtpReceiver, RtpRouter, RtpSender
from aiortc.rtcrtpreceiver import NackGenerator
from aiortc.rtp import (
    RTP_HISTORY_SIZE,
    AnyRtcpPacket,
    RtcpPsfbPacket,
    RtcpRtpfbPacket,
    RtpPacket,
)
from aiortc.utils import uint16_add

from omni_agent_webrtc.pictures import Encoded

log = logging.getLogger(__name__)

MAX_SOURCES = 16
"""SSRCs of a client: one for each of its media, one more for each that is sent again. libsrtp
and aiortc keep every one; of more than 31 aiortc cannot write a report any more."""

DECODER_ERROR = "_RTCRtpReceiver__decoder_error"
DECODER_QUEUE = "_RTCRtpReceiver__decoder_queue"
DECODER_THREAD = "_RTCRtpReceiver__decoder_thread"
"""Private to aiortc 1.16; tests pin the version and the names."""


class Session(pylibsrtp.Session):
    """Opens packets of the first few SSRCs only, before anybody notes them."""

    def __init__(self, policy: pylibsrtp.Policy) -> None:
        super().__init__(policy)
        self._known: set[bytes] = set()

    def unprotect(self, packet: bytes) -> bytes:
        """RTP. Raises pylibsrtp.Error, at which aiortc drops the packet."""
        self._admit(packet[8:12])
        opened = super().unprotect(packet)
        self._known.add(packet[8:12])
        return opened

    def unprotect_rtcp(self, packet: bytes) -> bytes:
        """RTCP. Raises pylibsrtp.Error, at which aiortc drops the packet."""
        self._admit(packet[4:8])
        opened = super().unprotect_rtcp(packet)
        self._known.add(packet[4:8])
        return opened

    def _admit(self, source: bytes) -> None:
        if source not in self._known and len(self._known) >= MAX_SOURCES:
            raise pylibsrtp.Error("one SSRC too many")


class Router(RtpRouter):
    """Hands our senders reports, and no requests.

    What is lost is not sent again: its next packet has a copy of it (``sdp.with_fec``), and a
    request of 1 KB would be answered with thousands of packets. Audio has no key frames.
    """

    def route_rtcp(self, packet: AnyRtcpPacket) -> set[RtpReceiver | RtpSender]:
        if isinstance(packet, RtcpPsfbPacket | RtcpRtpfbPacket):
            return set()
        return super().route_rtcp(packet)


class Receiver(RTCRtpReceiver):
    """Decodes few pictures at a time; goes on with its reports after one that cannot be written."""

    def __init__(self, kind: str, transport: RTCDtlsTransport) -> None:
        super().__init__(kind, transport)
        self._decoder: threading.Thread | None = None
        if kind == "video":
            setattr(self, DECODER_QUEUE, Encoded(getattr(self, DECODER_ERROR)))

    def _RTCRtpReceiver__stop_decoder(self) -> None:  # aiortc's own name for it
        """As aiortc does, but without waiting for the thread on the event loop."""
        thread = getattr(self, DECODER_THREAD)
        if thread is not None:
            self._decoder = thread
            setattr(self, DECODER_THREAD, None)
            getattr(self, DECODER_QUEUE).put(None)

    async def stop(self) -> None:
        """Returns once the decoder's thread is at its end, too."""
        await super().stop()
        if self._decoder is not None:
            await asyncio.to_thread(self._decoder.join)

    async def _send_rtcp(self, packet: AnyRtcpPacket) -> None:
        try:
            await super()._send_rtcp(packet)
        except (struct.error, pylibsrtp.Error) as error:  # a client's clock may say anything
            log.debug("a report was left out: %s", error)


class Nacks(NackGenerator):
    """Looks at no more numbers than it keeps; aiortc walks through all of a jump."""

    def add(self, packet: RtpPacket) -> bool:
        if self.max_seq is not None:
            ahead = (packet.sequence_number - self.max_seq) % 2**16
            if RTP_HISTORY_SIZE < ahead < 2**15:
                self.max_seq = uint16_add(packet.sequence_number, -RTP_HISTORY_SIZE - 1)
        return super().add(packet)
