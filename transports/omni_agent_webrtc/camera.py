"""The user's camera: every frame is taken off the line, few are looked at."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import av
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext

from omni_agent.transport import VideoFrame
from omni_agent_webrtc.threads import one_cpu

EVERY_S = 0.5
"""At most two pictures a second reach the session."""
MAX_SIDE = 1280
"""Larger pictures are scaled down, pixels."""


def to_jpeg(frame: av.VideoFrame) -> tuple[bytes, int, int]:
    """The picture as JPEG, with its width and height; at most ``MAX_SIDE`` a side."""
    scale = min(1.0, MAX_SIDE / max(frame.width, frame.height))
    width = max(2, int(frame.width * scale) // 2 * 2)
    height = max(2, int(frame.height * scale) // 2 * 2)
    with one_cpu():
        picture = frame.reformat(width=width, height=height, format="yuvj420p")
        codec: VideoCodecContext = av.CodecContext.create("mjpeg", "w")
        codec.width, codec.height = width, height
        codec.pix_fmt = "yuvj420p"
        codec.thread_count = 1
        picture.pts = 0
        packets = [*codec.encode(picture), *codec.encode(None)]
    return b"".join(bytes(packet) for packet in packets), width, height


async def watch_camera(track: MediaStreamTrack, deliver: Callable[[VideoFrame], None]) -> None:
    """Drain a video track until it ends, delivering its newest picture now and then.

    The decoding itself is aiortc's.
    """
    loop = asyncio.get_running_loop()
    due = loop.time()
    while True:
        try:
            frame = await track.recv()
        except MediaStreamError:
            return
        if not isinstance(frame, av.VideoFrame) or loop.time() < due:
            continue
        due = loop.time() + EVERY_S
        try:
            jpeg, width, height = await asyncio.to_thread(to_jpeg, frame)
        except (FFmpegError, ValueError):  # one bad picture; the next will do
            continue
        deliver(VideoFrame(jpeg, width, height, loop.time()))
