"""The user's audio: RTP packets in, 20 ms frames at 16 kHz out."""

from __future__ import annotations

import numpy as np

from omni_agent.audio import AudioFrame, Pcm
from omni_agent.ears import EAR_RATE
from omni_agent_webrtc.opus import OpusDecoder
from omni_agent_webrtc.reorder import RTP_RATE, Gap, Reorderer, RtpAudio, opus_samples
from omni_agent_webrtc.resampling import PromptResampler

FRAME = EAR_RATE // 50
AHEAD_S = 2.0
"""Audio that may come at once, after a hold-up of the line."""
FASTEST = 1.05
"""Of real time, in the long run: a client's clock may be fast, but not faster."""


class Listener:
    """Decodes one caller's audio, inline. Lost time is concealed; what is more than the time
    that has passed is left out."""

    def __init__(self) -> None:
        self._reorderer = Reorderer()
        self._decoder = OpusDecoder()
        self._resampler = PromptResampler(RTP_RATE, EAR_RATE)
        self._rest: Pcm = np.zeros(0, np.int16)
        self._position = 0
        self._credit, self._at = AHEAD_S * RTP_RATE, 0.0
        """Samples that may be taken in, as of this time."""

    @property
    def deadline(self) -> float | None:
        """When ``poll`` is due because a packet is missing; None when none is."""
        return self._reorderer.deadline

    def push(self, packet: RtpAudio, now: float) -> list[AudioFrame]:
        return self._hear(self._reorderer.push(packet, now), now)

    def poll(self, now: float) -> list[AudioFrame]:
        return self._hear(self._reorderer.poll(now), now)

    def _hear(self, pieces: list[RtpAudio | Gap], now: float) -> list[AudioFrame]:
        heard = [self._rest]
        gap = 0
        for piece in pieces:
            if isinstance(piece, Gap):
                gap = self._may_take(piece.samples, now)
                continue
            if gap:
                heard.append(self._resampler.push(self._decoder.conceal(gap, piece.payload)))
                gap = 0
            if samples := self._may_take(opus_samples(piece.payload), now):
                heard.append(self._resampler.push(self._decoder.decode(piece.payload, samples)))
        return self._cut(np.concatenate(heard))

    def _may_take(self, samples: int, now: float) -> int:
        """All of them, or none."""
        earned = (now - self._at) * FASTEST * RTP_RATE
        self._credit, self._at = min(AHEAD_S * RTP_RATE, self._credit + earned), now
        if samples > self._credit:
            return 0
        self._credit -= samples
        return samples

    def hear_pcm(self, pcm: Pcm) -> list[AudioFrame]:
        """Audio that is decoded already (the fallback path): int16 (samples,) at 48 kHz."""
        return self._cut(np.concatenate([self._rest, self._resampler.push(pcm)]))

    def _cut(self, pcm: Pcm) -> list[AudioFrame]:
        whole = len(pcm) - len(pcm) % FRAME
        frames = [
            AudioFrame(pcm[at : at + FRAME], EAR_RATE, self._position + at)
            for at in range(0, whole, FRAME)
        ]
        self._position += whole
        self._rest = pcm[whole:]
        return frames
