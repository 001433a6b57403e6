"""Resampling without waiting: every 20 ms in are 20 ms out, a millisecond late.

soxr's stream, good as it is for files, holds back 12 ms from 48 to 16 kHz and
gives 30 ms at a time from 16 to 24 kHz (measured): a fifth of an echo.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from omni_agent.audio import Pcm

HALF_WIDTH = 12
"""Zero crossings of the sinc on each side of its centre."""
BETA = 7.0
"""Kaiser window: 70 dB of stop band."""
PASS = 0.88
"""Pass band, as a share of the smaller Nyquist frequency."""


@lru_cache(maxsize=16)
def _filters(source: int, target: int) -> NDArray[np.float32]:
    """One filter for each phase, float32 (phases, taps), newest sample last, gain 1 at 0 Hz."""
    phases = target // math.gcd(source, target)
    cutoff = PASS * min(1.0, target / source)  # of the source's Nyquist frequency
    half = math.ceil(HALF_WIDTH / cutoff)
    taps = 2 * half
    age = np.arange(taps - 1, -1, -1)[None, :] + np.arange(phases)[:, None] / phases
    away = age - half  # samples from the filter's centre
    window = np.i0(BETA * np.sqrt(np.clip(1 - (away / half) ** 2, 0, None))) / np.i0(BETA)
    filters = np.sinc(cutoff * away) * window
    unity: NDArray[np.float32] = (filters / filters.sum(axis=1, keepdims=True)).astype(np.float32)
    return unity


class PromptResampler:
    """A stream at another rate, in any pieces; the delay is half a filter, 0.5-1.5 ms."""

    def __init__(self, source_rate: int, target_rate: int) -> None:
        self.source_rate, self.target_rate = source_rate, target_rate
        common = math.gcd(source_rate, target_rate)
        self._up, self._down = target_rate // common, source_rate // common
        self._filters = _filters(source_rate, target_rate)
        self._taps = self._filters.shape[1]
        self._history: NDArray[np.float32] = np.zeros(self._taps - 1, np.float32)
        self._at = 0
        """Where the next output is, in steps of 1/up of a sample from the next input."""

    def push(self, pcm: Pcm) -> Pcm:
        """int16 (samples,) in, what it completes out, int16."""
        data = np.concatenate([self._history, pcm.astype(np.float32)])
        steps = np.arange(self._at, len(pcm) * self._up, self._down)
        self._at += len(steps) * self._down - len(pcm) * self._up
        self._history = data[len(pcm) :]
        if not len(steps):
            return np.zeros(0, np.int16)
        if self._up == 1:
            out = _windows(data[steps[0] :], len(steps), self._taps, self._down) @ self._filters[0]
        else:
            windows = _windows(data, len(pcm), self._taps, 1)[steps // self._up]
            out = np.einsum("nt,nt->n", windows, self._filters[steps % self._up])
        whole: Pcm = np.clip(np.rint(out), -32768, 32767).astype(np.int16)
        return whole

    def finish(self) -> Pcm:
        """The end of the stream, still inside the filter."""
        return self.push(np.zeros(self._taps // 2, np.int16))


def _windows(data: NDArray[np.float32], count: int, taps: int, stride: int) -> NDArray[np.float32]:
    """``count`` overlapping pieces (count, taps), ``stride`` apart: a view, made ten times
    faster than numpy's sliding_window_view makes it."""
    size = data.itemsize
    return np.ndarray((count, taps), np.float32, data, strides=(stride * size, size))
