"""A client's pictures: what is decoded of them, what waits, and how that ends."""

from __future__ import annotations

import asyncio
import struct
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from aiortc import RTCRtpReceiver
from aiortc.codecs.vpx import Vp8Decoder
from aiortc.jitterbuffer import JitterFrame
from aiortc.mediastreams import MediaStreamError
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from omni_agent_webrtc import WebRTCTransport
from omni_agent_webrtc.pictures import MAX_ENCODED, Encoded, RemoteTrack
from omni_agent_webrtc.rtp import DECODER_QUEUE, DECODER_THREAD, Receiver

from omni_agent.audio import AudioFrame
from tests.transports.calling import Camera, Hum, call, client, first, until

VP8 = RTCRtpCodecParameters("video/VP8", clockRate=90_000, payloadType=97)
DIFFERENCE = b"\x11\x02\x00"
"""As much of a frame as says that it is none."""

decode = Vp8Decoder.decode


def key_frame(width: int, height: int) -> bytes:
    """As much of one as says so, and how large it is."""
    return b"\x10\x02\x00\x9d\x01\x2a" + struct.pack("<HH", width, height)


class Backlog(Encoded):
    """What waits for a decoder that takes nothing until it is asked to."""

    def __init__(self, *frames: bytes) -> None:
        self.lost = threading.Event()
        super().__init__(self.lost)
        self.offer(*frames)

    def offer(self, *frames: bytes) -> None:
        for frame in frames:
            self.put((VP8, JitterFrame(frame, 0)))

    def take(self) -> list[bytes | None]:
        tasks = [self.get_nowait() for _ in range(self.qsize())]
        return [task and task[1].data for task in tasks]


# -- encoded --------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(640, 480), (1280, 720), (3840, 2160), (2160, 4096)])
def test_pictures_of_cameras_are_decoded(size: tuple[int, int]) -> None:
    scaled = (size[0] | 0x4000, size[1] | 0x8000)  # how a viewer may show it
    for frame in (key_frame(*size), key_frame(*scaled)):
        assert Backlog(frame, DIFFERENCE).take() == [frame, DIFFERENCE]


@pytest.mark.parametrize(
    "frame",
    [
        key_frame(16_383, 16_383),
        key_frame(4096, 4096),
        key_frame(0, 480),
        key_frame(640, 480)[:9],
        key_frame(640, 480).replace(b"\x9d", b"\x9e"),
    ],
    ids=["huge", "large", "empty", "cut", "damaged"],
)
def test_a_picture_that_is_too_large_or_damaged_is_not_decoded(frame: bytes) -> None:
    """Nor what builds on it, and of what came before nothing is lost."""
    before, after = key_frame(640, 480), key_frame(320, 240)
    assert Backlog(before, frame, DIFFERENCE).take() == [before]
    backlog = Backlog(frame, DIFFERENCE)
    assert backlog.empty()
    backlog.offer(after, DIFFERENCE)
    assert backlog.take() == [after, DIFFERENCE]


def test_what_waits_for_the_decoder_is_bounded_and_goes_on_with_a_key_frame() -> None:
    first_key, next_key = key_frame(640, 480), key_frame(320, 240)
    backlog = Backlog(first_key, *[DIFFERENCE] * 1000)
    assert backlog.take() == [first_key, *[DIFFERENCE] * (MAX_ENCODED - 1)]
    backlog.offer(DIFFERENCE)
    assert backlog.empty()
    backlog.offer(next_key, DIFFERENCE)
    assert backlog.take() == [next_key, DIFFERENCE]


def test_a_key_frame_takes_the_place_of_all_that_waits() -> None:
    keys = [key_frame(width, 480) for width in (320, 640, 800)]
    assert Backlog(keys[0], DIFFERENCE, keys[1], keys[2], DIFFERENCE).take() == [
        keys[2],
        DIFFERENCE,
    ]


def test_a_key_frame_is_asked_for_when_the_decoder_has_done_what_there_was() -> None:
    backlog = Backlog(key_frame(640, 480), *[DIFFERENCE] * 9)
    assert not backlog.lost.is_set()
    backlog.take()
    backlog.offer(DIFFERENCE)
    assert backlog.lost.is_set()


def test_at_the_end_nothing_else_is_decoded() -> None:
    backlog = Backlog(key_frame(640, 480), DIFFERENCE)
    backlog.put(None)
    assert backlog.take() == [None]


# -- decoded --------------------------------------------------------------------------


async def test_of_pictures_that_nobody_takes_the_newest_is_kept() -> None:
    track = RemoteTrack("video")
    for frame in ("a", "b", "c"):
        await track._queue.put(frame)
    assert await track.recv() == "c"
    for last in ("d", None):
        await track._queue.put(last)
    with pytest.raises(MediaStreamError):
        await track.recv()


async def test_of_sound_everything_is_kept() -> None:
    track = RemoteTrack("audio")
    for frame in ("a", "b", "c"):
        await track._queue.put(frame)
    assert [await track.recv() for _ in range(3)] == ["a", "b", "c"]


# -- in a call ------------------------------------------------------------------------


class SlowDecoder:
    """Stands before aiortc's: counts, and decodes nothing while it is held."""

    def __init__(self) -> None:
        self.frames = 0
        self.gate = threading.Event()
        self.in_time = True

    def decode(self, decoder: Vp8Decoder, frame: JitterFrame) -> list[Any]:
        self.frames += 1
        self.in_time &= self.gate.wait(60)  # so that who waits for it fails, but not for good
        return decode(decoder, frame)


@pytest.fixture
def decoder(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowDecoder]:
    slow = SlowDecoder()
    monkeypatch.setattr(Vp8Decoder, "decode", lambda self, frame: slow.decode(self, frame))
    yield slow
    slow.gate.set()


def receiver_of(line: WebRTCTransport) -> Receiver:
    """Our end of the client's camera."""
    assert line._peer is not None
    (receiver,) = (
        one.receiver for one in line._peer.connection.getTransceivers() if one.kind == "video"
    )
    assert isinstance(receiver, Receiver)
    return receiver


async def test_a_call_ends_while_a_picture_is_decoded_and_holds_nobody_up(
    decoder: SlowDecoder,
) -> None:
    async with call(client(Hum(), Camera())) as line, asyncio.timeout(20):
        await until(lambda: decoder.frames > 0)
        receiver = receiver_of(line)
        closing = asyncio.ensure_future(line.aclose())
        await until(lambda: getattr(receiver, DECODER_THREAD) is None)
        decoder.gate.set()
        await closing
        assert decoder.in_time
        assert decoder.frames == 1
        assert receiver._decoder is not None
        assert not receiver._decoder.is_alive()


async def test_a_client_that_is_ahead_of_the_decoder_is_asked_for_a_key_frame(
    decoder: SlowDecoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    async def ask(self: Receiver, media_ssrc: int) -> None:
        asked.append(self)

    monkeypatch.setattr(RTCRtpReceiver, "_send_rtcp_pli", ask)
    async with call(client(Hum(), Camera())) as line, asyncio.timeout(20):
        await until(lambda: decoder.frames > 0)
        backlog = getattr(receiver_of(line), DECODER_QUEUE)
        await until(lambda: not backlog._unbroken)
        assert backlog.qsize() == MAX_ENCODED
        decoder.gate.set()
        await until(lambda: receiver_of(line) in asked)
        await until(lambda: decoder.frames >= 1 + MAX_ENCODED)  # it asks as the last is taken
        assert decoder.frames == 1 + MAX_ENCODED


async def test_pictures_that_nobody_takes_do_not_pile_up(
    decoder: SlowDecoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def look_away(*_: Any) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr("omni_agent_webrtc.peer.watch_camera", look_away)
    decoder.gate.set()
    async with call(client(Hum(), Camera())) as line, asyncio.timeout(20):
        await until(lambda: decoder.frames > 5)
        track: Any = receiver_of(line).track
        assert track._queue.qsize() == 1


async def test_pictures_are_asked_for_in_vp8_alone() -> None:
    """Of H.264 the size would be harder to tell, and whoever has it has VP8."""
    peer = client(Hum(), Camera())
    async with call(peer):
        offered, answered = peer.localDescription.sdp, peer.remoteDescription.sdp
        assert "H264/90000" in offered
        assert "VP8/90000" in answered
        assert "H264" not in answered


async def test_who_has_no_vp8_has_a_call_without_pictures() -> None:
    peer = client(Hum(), Camera())
    video = next(one for one in peer.getTransceivers() if one.kind == "video")
    codecs = RTCRtpReceiver.getCapabilities("video").codecs
    video.setCodecPreferences([codec for codec in codecs if codec.name == "H264"])
    async with call(peer) as line:
        assert video.currentDirection == "inactive"
        await first(line, lambda arrival: isinstance(arrival, AudioFrame))
