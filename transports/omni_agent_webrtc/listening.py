"""The user's audio: RTP packets in, 20 ms frames at 16 kHz out."""

from __future__ import annotations

from omni_agent.audio import AudioFrame, Pcm
from omni_agent.lines.credit import Credit
from omni_agent.lines.microphone import Microphone
from omni_agent_webrtc.opus import OpusDecoder
from omni_agent_webrtc.reorder import RTP_RATE, Gap, Reorderer, RtpAudio, opus_samples


class Listener:
    """Decodes one caller's audio, inline. Lost time is concealed; what is more than the time
    that has passed is left out."""

    def __init__(self) -> None:
        self._reorderer = Reorderer()
        self._decoder = OpusDecoder()
        self._microphone = Microphone(RTP_RATE)
        self._credit = Credit(RTP_RATE)

    @property
    def deadline(self) -> float | None:
        """When ``poll`` is due because a packet is missing; None when none is."""
        return self._reorderer.deadline

    def push(self, packet: RtpAudio, now: float) -> list[AudioFrame]:
        return self._hear(self._reorderer.push(packet, now), now)

    def poll(self, now: float) -> list[AudioFrame]:
        return self._hear(self._reorderer.poll(now), now)

    def _hear(self, pieces: list[RtpAudio | Gap], now: float) -> list[AudioFrame]:
        frames: list[AudioFrame] = []
        gap = 0
        for piece in pieces:
            if isinstance(piece, Gap):
                gap = piece.samples if self._credit.take(piece.samples, now) else 0
                continue
            if gap:
                concealed = self._decoder.conceal(gap, piece.payload)
                frames += self._microphone.push(concealed)
                gap = 0
            samples = opus_samples(piece.payload)
            if samples and self._credit.take(samples, now):
                frames += self._microphone.push(self._decoder.decode(piece.payload, samples))
        return frames

    def hear_pcm(self, pcm: Pcm) -> list[AudioFrame]:
        """Audio that is decoded already (the fallback path): int16 (samples,) at 48 kHz."""
        return self._microphone.push(pcm)
