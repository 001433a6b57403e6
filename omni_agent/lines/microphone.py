"""What a client's microphone hears, as ears take it: 20 ms frames at 16 kHz."""

from __future__ import annotations

import numpy as np

from omni_agent.audio import AudioFrame, Pcm
from omni_agent.ears import EAR_RATE
from omni_agent.lines.resampling import PromptResampler

FRAME = EAR_RATE // 50


class Microphone:
    """Cuts a stream into frames without a gap; of whatever pieces, at whatever rate (Hz)."""

    def __init__(self, rate: int) -> None:
        self._resampler = PromptResampler(rate, EAR_RATE) if rate != EAR_RATE else None
        self._rest: Pcm = np.zeros(0, np.int16)
        self._position = 0

    def push(self, pcm: Pcm) -> list[AudioFrame]:
        """int16 (samples,) in, the frames that it completes out."""
        heard = pcm if self._resampler is None else self._resampler.push(pcm)
        heard = np.concatenate([self._rest, heard])
        whole = len(heard) - len(heard) % FRAME
        frames = [
            AudioFrame(heard[at : at + FRAME], EAR_RATE, self._position + at)
            for at in range(0, whole, FRAME)
        ]
        self._position += whole
        self._rest = heard[whole:]
        return frames
