"""A client's pictures, before and behind aiortc's decoder: in VP8, and few at a time."""

from __future__ import annotations

import asyncio
import queue
import struct
import threading
from typing import Any

from aiortc import RTCRtpSender, RTCRtpTransceiver
from aiortc.jitterbuffer import JitterFrame
from aiortc.rtcpeerconnection import filter_preferred_codecs
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from aiortc.rtcrtpreceiver import RemoteStreamTrack

MAX_ENCODED = 2
"""Frames that wait for the decoder, which a few bytes keep busy for long; one more, and all are
left out until a key frame comes."""
MAX_PIXELS = 9_000_000
"""A picture as it is sent: 4096x2160 fits. 53 bytes may claim 16383x16383, for which libvpx
takes 0.9 GB."""

START_CODE = b"\x9d\x01\x2a"
"""RFC 6386 section 9.1."""

Task = tuple[RTCRtpCodecParameters, JitterFrame] | None
"""What aiortc's decoder takes; None ends it."""


def only_vp8(transceiver: RTCRtpTransceiver) -> bool:
    """Answer with no other codec, of which we could not tell the size; False where it is not
    offered. Every browser has it (RFC 7742 section 5)."""
    codecs = RTCRtpSender.getCapabilities("video").codecs
    wanted = [codec for codec in codecs if codec.name in ("VP8", "rtx")]
    common = filter_preferred_codecs(transceiver._codecs, wanted)
    if common:
        transceiver._codecs = common
    return bool(common)


def is_key_frame(frame: bytes) -> bool:
    """Whether it needs none before it (RFC 6386 section 9.1)."""
    return bool(frame) and not frame[0] & 1


def pixels(key_frame: bytes) -> int:
    """In the picture that it says it is; 0 of a damaged one."""
    if len(key_frame) < 10 or key_frame[3:6] != START_CODE:
        return 0
    width, height = struct.unpack_from("<HH", key_frame, 6)
    return int((width & 0x3FFF) * (height & 0x3FFF))  # above these bits is how to scale it


class Encoded(queue.Queue[Task]):
    """Stands where aiortc keeps what its decoder thread has yet to do.

    ``lost`` has aiortc ask the client for a key frame (RFC 4585 section 6.3.1): browsers send
    none of their own accord.
    """

    def __init__(self, lost: threading.Event) -> None:
        super().__init__()
        self._lost = lost
        self._unbroken = False

    def _put(self, item: Task) -> None:
        if item is None:
            self.queue.clear()
        elif not self._takes(item[1].data):
            return
        super()._put(item)

    def _takes(self, frame: bytes) -> bool:
        """Whether it is small enough, and what it builds on is decoded or waits."""
        if is_key_frame(frame):
            self._unbroken = 0 < pixels(frame) <= MAX_PIXELS
            if self._unbroken:
                self.queue.clear()
        elif self._qsize() >= MAX_ENCODED:
            self._unbroken = False
        if not self._unbroken and not self._qsize():  # before, one more would only come too soon
            self._lost.set()
        return self._unbroken


class Newest(asyncio.Queue[Any]):
    """Holds one: the newest takes the place of the one before."""

    def _put(self, item: Any) -> None:
        while not self.empty():
            self._get()
        super()._put(item)


class RemoteTrack(RemoteStreamTrack):
    """Keeps one picture for a reader who is busy, or gone."""

    def __init__(self, kind: str, id: str | None = None) -> None:
        super().__init__(kind, id)
        if kind == "video":
            self._queue = Newest()
