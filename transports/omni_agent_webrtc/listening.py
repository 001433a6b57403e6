"""The user's audio: RTP packets in, 20 ms frames at 16 kHz out."""

from __future__ import annotations

import numpy as np

from omni_agent.audio import AudioFrame, Pcm
from omni_agent.ears import EAR_RATE
from omni_agent_webrtc.opus import OpusDecoder
from omni_agent_webrtc.reorder import RTP_RATE, Gap, Reorderer, RtpAudio, opus_samples
from omni_agent_webrtc.resampling import PromptResampler

FRAME = EAR_RATE // 50


class Listener:
    """Decodes one caller's audio, inline. Lost time becomes silence of the same length."""

    def __init__(self) -> None:
        self._reorderer = Reorderer()
        self._decoder = OpusDecoder()
        self._resampler = PromptResampler(RTP_RATE, EAR_RATE)
        self._rest: Pcm = np.zeros(0, np.int16)
        self._position = 0

    @property
    def deadline(self) -> float | None:
        """When ``poll`` is due because a packet is missing; None when none is."""
        return self._reorderer.deadline

    def push(self, packet: RtpAudio, now: float) -> list[AudioFrame]:
        return self._hear(self._reorderer.push(packet, now))

    def poll(self, now: float) -> list[AudioFrame]:
        return self._hear(self._reorderer.poll(now))

    def _hear(self, pieces: list[RtpAudio | Gap]) -> list[AudioFrame]:
        heard = [self._rest]
        for piece in pieces:
            if isinstance(piece, Gap):
                pcm: Pcm = np.zeros(piece.samples, np.int16)
            else:
                pcm = self._decoder.decode(piece.payload, opus_samples(piece.payload))
            heard.append(self._resampler.push(pcm))
        return self._cut(np.concatenate(heard))

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
