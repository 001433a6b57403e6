"""Opus inline, on the event loop: 20 ms cost a fraction of a millisecond, a hop costs more.

aiortc encodes in asyncio's default executor, where a model's ``to_thread`` work
makes it wait, at 96 kbit/s stereo.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.error import FFmpegError

from omni_agent.audio import Pcm
from omni_agent_webrtc.libopus import LibopusDecoder, library
from omni_agent_webrtc.reorder import RTP_RATE
from omni_agent_webrtc.threads import one_cpu

LINE_RATE = 24_000
"""Rate at which speech is queued and encoded, Hz: what speech synthesisers make."""
FRAME = LINE_RATE // 50
"""Samples in one 20 ms frame at ``LINE_RATE``."""
RTP_FRAME = RTP_RATE // 50
RTP_TIME = Fraction(1, RTP_RATE)
BIT_RATE = 32_000
COMPLEXITY = 0
"""libopus' complexity, 0-10: a frame of speech costs 89 µs at 0, 130 at 3, 217 at 5 (measured);
one core holds 30 calls at 0 and 25 at 3 (benchmarks/RESULTS.md)."""
QUIET_FRAMES = 10
"""Silent frames that are really encoded, so that the decoder's state fades out."""


class OpusEncoder:
    """Mono frames of 20 ms in, packets out; long silence costs nothing."""

    def __init__(self) -> None:
        with one_cpu():
            self._codec: AudioCodecContext = av.CodecContext.create("libopus", "w")
            self._codec.bit_rate = BIT_RATE
            self._codec.format = "s16"
            self._codec.layout = "mono"
            self._codec.sample_rate = LINE_RATE
            self._codec.time_base = Fraction(1, LINE_RATE)
            self._codec.options = {
                "application": "voip",
                "compression_level": str(COMPLEXITY),
                "frame_duration": "20",
            }
            self._samples = 0
            # PyAV makes a resampler, and with it the threads, for the first frame.
            self._encode(np.zeros(FRAME, np.int16))
        self._quiet = 0
        self._silence: bytes | None = None

    def encode(self, pcm: Pcm | None, slot: int) -> av.Packet[av.AudioStream]:
        """One packet for slot number ``slot``; pcm: int16 (480,) at 24 kHz, or None for silence."""
        if pcm is None:
            self._quiet += 1
            if self._quiet > QUIET_FRAMES and self._silence is not None:
                return self._packet(self._silence, slot)
        else:
            self._quiet = 0
        data = self._encode(np.zeros(FRAME, np.int16) if pcm is None else pcm)
        if self._quiet == QUIET_FRAMES:
            self._silence = data
        return self._packet(data, slot)

    def _encode(self, pcm: Pcm) -> bytes:
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(pcm[None, :]), format="s16", layout="mono"
        )
        frame.sample_rate = LINE_RATE
        frame.pts = self._samples
        self._samples += FRAME
        return b"".join(bytes(packet) for packet in self._codec.encode(frame))

    @staticmethod
    def _packet(data: bytes, slot: int) -> av.Packet[av.AudioStream]:
        packet: Any = av.Packet(
            data
        )  # generic in the kind of stream, which a constructor cannot say
        packet.pts = slot * RTP_FRAME
        packet.time_base = RTP_TIME
        sendable: av.Packet[av.AudioStream] = packet
        return sendable


class OpusDecoder:
    """Packets in, mono int16 at 48 kHz out; lost ones are made up for where libopus can be had."""

    def __init__(self) -> None:
        opus = library()
        self._libopus = LibopusDecoder(opus, RTP_RATE) if opus is not None else None
        self._codec = _ffmpeg_decoder() if self._libopus is None else None

    def decode(self, payload: bytes, samples: int) -> Pcm:
        """The packet's audio, exactly ``samples`` long; silence when it cannot be decoded."""
        if self._libopus is not None:
            return _exactly(samples, self._libopus.decode(payload))
        assert self._codec is not None
        try:
            frames = self._codec.decode(av.Packet(payload))
        except FFmpegError:  # a damaged packet costs its own 20 ms, never the call
            return _exactly(samples, None)
        pieces = [np.frombuffer(memoryview(f.planes[0]), np.int16, f.samples) for f in frames]
        return _exactly(samples, np.concatenate(pieces) if pieces else None)

    def conceal(self, samples: int, following: bytes) -> Pcm:
        """What ``samples`` of lost time before the packet ``following`` may have sounded like."""
        made_up = self._libopus.conceal(samples, following) if self._libopus is not None else None
        return _exactly(samples, made_up)


def _ffmpeg_decoder() -> AudioCodecContext:
    with one_cpu():
        codec: AudioCodecContext = av.CodecContext.create("libopus", "r")
        codec.format = "s16"
        codec.layout = "mono"
        codec.sample_rate = RTP_RATE
        codec.open()
    return codec


def _exactly(samples: int, pcm: Pcm | None) -> Pcm:
    """So many samples, cut or filled with silence."""
    if pcm is not None and len(pcm) == samples:
        return pcm
    exact: Pcm = np.zeros(samples, np.int16)
    if pcm is not None:
        exact[: len(pcm)] = pcm[:samples]
    return exact
