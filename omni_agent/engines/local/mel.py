"""Whisper's input: 80 log-mel bands, 100 frames a second (Radford et al. 2022, section 2.2)."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

RATE = 16_000
HOP = 160
_N_FFT = 400
_BANDS = 80
_BREAK_HZ = 1000.0
_HZ_PER_MEL = 200.0 / 3.0
_LOG_STEP = np.log(6.4) / 27.0
"""Slaney's mel scale (Auditory Toolbox, 1998): linear below 1 kHz, 27 mels per factor 6.4 above."""


def _hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    break_mel = _BREAK_HZ / _HZ_PER_MEL
    return np.where(
        mel < break_mel,
        mel * _HZ_PER_MEL,
        _BREAK_HZ * np.exp(_LOG_STEP * (np.maximum(mel, break_mel) - break_mel)),
    )


@functools.cache
def filters() -> Floats:
    """Triangles of equal area, shape (80, 201), from 0 Hz to half the sample rate."""
    break_mel = _BREAK_HZ / _HZ_PER_MEL
    top_mel = break_mel + np.log(RATE / 2 / _BREAK_HZ) / _LOG_STEP
    edges = _hz(np.linspace(0.0, top_mel, _BANDS + 2))
    bins = np.arange(_N_FFT // 2 + 1) * (RATE / _N_FFT)
    rising = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    area = 2.0 / (edges[2:] - edges[:-2])
    triangles: NDArray[np.float64] = np.maximum(0.0, np.minimum(rising, falling)) * area[:, None]
    return triangles.astype(np.float32)


def log_mel(samples: Floats, padding_s: float) -> Floats:
    """Normalised log-mel of 16 kHz floats in [-1, 1), shape (80, frames), silence appended.

    The silence costs nothing: its bands are the floor, so only speech is transformed.
    """
    frames = (len(samples) + round(padding_s * RATE)) // HOP
    window = np.hanning(_N_FFT + 1)[:-1].astype(np.float32)
    # Half a window of context on both sides: mirrored before, silence after.
    head = samples[1 : _N_FFT // 2 + 1][::-1]
    head = np.pad(head, (_N_FFT // 2 - len(head), 0))
    padded = np.concatenate([head, samples, np.zeros(2 * _N_FFT, np.float32)])
    heard = min(frames, len(samples) // HOP + 3)
    pieces = np.lib.stride_tricks.sliding_window_view(padded, _N_FFT)[::HOP][:heard]
    power = np.abs(np.fft.rfft(pieces * window, axis=1)).astype(np.float32) ** 2
    bands = np.full((_BANDS, frames), -10.0, np.float32)
    bands[:, :heard] = np.log10(np.maximum(filters() @ power.T, 1e-10))
    loudest = bands.max() if frames else 0.0
    return np.ascontiguousarray((np.maximum(bands, loudest - 8.0) + 4.0) / 4.0, dtype=np.float32)
