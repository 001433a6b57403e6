"""The two audio ends that aiortc is given: our receiver and our track."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import av
import numpy as np
from aiortc import RTCRtpReceiver
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from omni_agent.audio import AudioFrame
from omni_agent.lines.clock import FrameClock
from omni_agent.lines.playout import Playout
from omni_agent_webrtc.listening import Listener
from omni_agent_webrtc.opus import OpusEncoder
from omni_agent_webrtc.reorder import RtpAudio

log = logging.getLogger(__name__)

JITTER_BUFFER = "_RTCRtpReceiver__jitter_buffer"
"""Private to aiortc 1.16; a test pins the version and the name."""


class SpeechTrack(MediaStreamTrack):
    """Sends the playout queue, a packet each 20 ms for as long as the call lasts.

    RTP never stops, not even at a flush: a browser whose packets stop coming
    stretches the last ones for 260 ms.
    """

    kind = "audio"

    def __init__(self, playout: Playout, clock: FrameClock, sent: Callable[[], None]) -> None:
        super().__init__()
        self._playout, self._clock, self._sent = playout, clock, sent
        self._encoder = OpusEncoder()

    async def recv(self) -> av.Packet[av.AudioStream]:
        if self.readyState != "live":
            raise MediaStreamError
        slot, at = await self._clock.tick()
        try:
            packet = self._encoder.encode(self._playout.next_frame(slot, at), slot)
            self._sent()
        except Exception:  # anything but MediaStreamError would kill aiortc's sender for good
            log.exception("a frame could not be sent")
            packet = self._encoder.encode(None, slot)
        return packet


class InlineReceiver:
    """Stands where aiortc keeps its jitter buffer; hands audio on without its 80 ms.

    It never returns a frame, so that aiortc's decoder thread stays idle.
    """

    def __init__(self, deliver: Callable[[AudioFrame], None]) -> None:
        self._deliver = deliver
        self._listener = Listener()
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None

    @staticmethod
    def install(receiver: RTCRtpReceiver, deliver: Callable[[AudioFrame], None]) -> bool:
        """Take the receiver over; False when this aiortc has no such place."""
        if not hasattr(receiver, JITTER_BUFFER):
            log.warning("this aiortc has no %s: audio comes with 80 ms more delay", JITTER_BUFFER)
            return False
        setattr(receiver, JITTER_BUFFER, InlineReceiver(deliver))
        return True

    def add(self, packet: Any) -> tuple[bool, None]:
        """aiortc's JitterBuffer.add: an RtpPacket with its payload in ``_data``."""
        rtp = RtpAudio(packet.sequence_number, packet.timestamp, packet._data, packet.ssrc)
        self._hand_on(self._listener.push(rtp, self._loop.time()))
        return False, None

    def _poll(self) -> None:
        self._timer = None
        self._hand_on(self._listener.poll(self._loop.time()))

    def _hand_on(self, frames: list[AudioFrame]) -> None:
        for frame in frames:
            self._deliver(frame)
        deadline = self._listener.deadline
        if deadline is not None and self._timer is None:
            self._timer = self._loop.call_at(deadline, self._poll)


async def read_stock(track: MediaStreamTrack, deliver: Callable[[AudioFrame], None]) -> None:
    """The fallback: aiortc's own buffer and decoder thread, decoded audio from its track."""
    listener = Listener()
    while True:
        try:
            frame = await track.recv()
        except MediaStreamError:
            return
        if isinstance(frame, av.AudioFrame):
            channels = len(frame.layout.channels)
            pcm = frame.to_ndarray().reshape(-1, channels)[:, 0].astype(np.int16)
            for piece in listener.hear_pcm(pcm):
                deliver(piece)
