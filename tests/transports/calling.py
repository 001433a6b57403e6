"""A bare aiortc client for the transport's tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from fractions import Fraction
from typing import Any

import av
import numpy as np
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack, MediaStreamTrack, VideoStreamTrack
from omni_agent_webrtc import WebRTCTransport, answer

from tests.arrivals import arrivals


class Camera(VideoStreamTrack):
    """A grey picture at 30 frames a second."""

    async def recv(self) -> av.VideoFrame:
        pts, time_base = await self.next_timestamp()
        frame = av.VideoFrame.from_ndarray(np.full((240, 320, 3), 90, np.uint8), format="rgb24")
        frame.pts, frame.time_base = pts, time_base
        return frame


class Hum(MediaStreamTrack):
    """A tone as a microphone, 20 ms at a time."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._stock = AudioStreamTrack()
        self._at = 0

    async def recv(self) -> av.AudioFrame:
        await self._stock.recv()
        n = np.arange(self._at, self._at + 960)
        self._at += 960
        pcm = (8000 * np.sin(2 * np.pi * 440 * n / 48_000)).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(pcm[None, :], format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48_000, int(n[0]), Fraction(1, 48_000)
        return frame


def client(*tracks: MediaStreamTrack) -> RTCPeerConnection:
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    for track in tracks or (AudioStreamTrack(),):
        peer.addTrack(track)
    return peer


async def offer_of(peer: RTCPeerConnection) -> str:
    await peer.setLocalDescription(await peer.createOffer())
    return str(peer.localDescription.sdp)


@asynccontextmanager
async def call(peer: RTCPeerConnection, **options: Any) -> AsyncIterator[WebRTCTransport]:
    """A running line to ``peer``; both ends are closed at the end."""
    line, sdp = await answer(await offer_of(peer), **options)
    await peer.setRemoteDescription(RTCSessionDescription(sdp, "answer"))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(line.run())
        try:
            yield line
        finally:
            await line.aclose()
            await peer.close()


async def first(line: WebRTCTransport, wanted: Callable[[Any], bool]) -> Any:
    """The first arrival that is wanted."""
    async with asyncio.timeout(60):
        async for arrival in arrivals(line):
            if wanted(arrival):
                return arrival
    raise AssertionError("the line ended first")


async def until(true: Callable[[], bool]) -> None:
    """Wait for what no event tells of; bounded by the test."""
    while not true():  # noqa: ASYNC110
        await asyncio.sleep(0.01)


@contextmanager
def silenced(peer: RTCPeerConnection) -> Iterator[None]:
    """The client's packets are lost, one and all, until the end of this."""
    protocols = [
        protocol
        for one in peer.getTransceivers()
        for protocol in one.receiver.transport.transport._connection._protocols
    ]
    transports = [protocol.transport for protocol in protocols]
    for protocol in protocols:
        protocol.transport = Void(protocol.transport)
    try:
        yield
    finally:
        for protocol, transport in zip(protocols, transports, strict=True):
            protocol.transport = transport


class Void:
    """A datagram transport that sends nothing."""

    def __init__(self, real: Any) -> None:
        self._real = real

    def sendto(self, data: bytes, addr: Any) -> None:
        """Lost."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


class Delayed(Void):
    """A datagram transport whose datagrams take ``delay_s``; its last ones leave, too."""

    def __init__(self, real: Any, delay_s: float) -> None:
        super().__init__(real)
        self._loop, self._delay_s = asyncio.get_running_loop(), delay_s

    def sendto(self, data: bytes, addr: Any) -> None:
        self._loop.call_later(self._delay_s, self._send, data, addr)

    def _send(self, data: bytes, addr: Any) -> None:
        if not self._real.is_closing():
            self._real.sendto(data, addr)

    def close(self) -> None:
        self._loop.call_later(2 * self._delay_s, self._real.close)
