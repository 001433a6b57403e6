"""The user's audio: RTP packets in, 20 ms frames at 16 kHz out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from omni_agent.audio import AudioFrame, Pcm
from omni_agent.ears import EAR_RATE
from omni_agent_webrtc.opus import OpusDecoder
from omni_agent_webrtc.reorder import RTP_RATE, Gap, Reorderer, RtpAudio, opus_samples

FRAME = EAR_RATE // 50
DECIMATION = RTP_RATE // EAR_RATE
TAPS = 63
"""A 63-tap windowed sinc: 0.65 ms of delay, where soxr's stream costs 12 ms (measured)."""
CUTOFF_HZ = 7000


def _low_pass() -> NDArray[np.float32]:
    """The filter's taps, float32 (63,), unity gain at 0 Hz."""
    n = np.arange(TAPS) - (TAPS - 1) / 2
    taps = np.sinc(2 * CUTOFF_HZ / RTP_RATE * n) * np.hamming(TAPS)
    unity: NDArray[np.float32] = (taps / taps.sum()).astype(np.float32)
    return unity


class Decimator:
    """48 kHz to 16 kHz, any chunking; keeps its state between calls."""

    def __init__(self) -> None:
        self._taps = _low_pass()
        # Half a filter of silence before the start: output sample k is centred on input 3 k.
        self._history: NDArray[np.float32] = np.zeros(TAPS // 2, np.float32)

    def push(self, pcm: Pcm) -> Pcm:
        data = np.concatenate([self._history, pcm.astype(np.float32)])
        count = max(0, (len(data) - TAPS) // DECIMATION + 1)
        if count == 0:
            self._history = data
            return np.zeros(0, np.int16)
        windows = np.lib.stride_tricks.sliding_window_view(data, TAPS)[::DECIMATION][:count]
        self._history = data[count * DECIMATION :]
        return np.clip(np.rint(windows @ self._taps), -32768, 32767).astype(np.int16)


class Listener:
    """Decodes one caller's audio, inline. Lost time becomes silence of the same length."""

    def __init__(self) -> None:
        self._reorderer = Reorderer()
        self._decoder = OpusDecoder()
        self._decimator = Decimator()
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
            heard.append(self._decimator.push(pcm))
        return self._cut(np.concatenate(heard))

    def hear_pcm(self, pcm: Pcm) -> list[AudioFrame]:
        """Audio that is decoded already (the fallback path): int16 (samples,) at 48 kHz."""
        return self._cut(np.concatenate([self._rest, self._decimator.push(pcm)]))

    def _cut(self, pcm: Pcm) -> list[AudioFrame]:
        whole = len(pcm) - len(pcm) % FRAME
        frames = [
            AudioFrame(pcm[at : at + FRAME], EAR_RATE, self._position + at)
            for at in range(0, whole, FRAME)
        ]
        self._position += whole
        self._rest = pcm[whole:]
        return frames
