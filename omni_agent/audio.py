"""Mono PCM audio with a position, resampling that keeps its state, and WAV files."""

from __future__ import annotations

import struct
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

Pcm = NDArray[np.int16]

SHORTEST_S = 0.0025
"""Of a piece of audio: Opus's shortest frame (RFC 6716, section 2.1.4)."""


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class AudioFrame:
    """A piece of mono audio.

    pcm: int16, shape (samples,); sample_rate: Hz; position: index of the first
    sample since the stream began, in samples at ``sample_rate``.
    """

    pcm: Pcm
    sample_rate: int
    position: int = 0

    @property
    def samples(self) -> int:
        return len(self.pcm)

    @property
    def seconds(self) -> float:
        return len(self.pcm) / self.sample_rate

    @property
    def held_s(self) -> float:
        """What it counts where audio waits: its seconds, though none is so short as to take no
        memory."""
        return max(self.seconds, SHORTEST_S)

    def float32(self) -> NDArray[np.float32]:
        """The samples as float32 in [-1, 1), shape (samples,)."""
        return self.pcm.astype(np.float32) / 32768.0

    @staticmethod
    def from_float(samples: NDArray[Any], sample_rate: int, position: int = 0) -> AudioFrame:
        """From floats in [-1, 1], shape (samples,); louder values are clipped."""
        scaled = np.clip(np.rint(np.asarray(samples) * 32767.0), -32768, 32767)
        return AudioFrame(scaled.astype(np.int16), sample_rate, position)

    @staticmethod
    def silence(seconds: float, sample_rate: int, position: int = 0) -> AudioFrame:
        """A frame of zeros. position: samples before it in its stream."""
        return AudioFrame(np.zeros(round(seconds * sample_rate), np.int16), sample_rate, position)


def is_audio(value: Any) -> bool:
    """Whether it is a frame with all that belongs in it, whoever made it."""
    if not isinstance(value, AudioFrame):
        return False
    pcm, rate = value.pcm, value.sample_rate
    right = isinstance(pcm, np.ndarray) and pcm.dtype == np.int16 and pcm.ndim == 1
    return right and isinstance(rate, Integral) and int(rate) > 0


class Resampler:
    """Streaming resampler: pieces in, pieces out, the joins inaudible (soxr HQ)."""

    def __init__(self, source_rate: int, target_rate: int) -> None:
        self.source_rate, self.target_rate = source_rate, target_rate
        self._position = 0
        self._stream = (
            None
            if source_rate == target_rate
            else soxr.ResampleStream(source_rate, target_rate, 1, dtype="int16", quality="HQ")
        )

    def push(self, frame: AudioFrame, *, last: bool = False) -> AudioFrame:
        """The samples that are ready; ``last`` flushes what the filter holds back."""
        if frame.sample_rate != self.source_rate:
            raise ValueError(f"expected {self.source_rate} Hz, got {frame.sample_rate} Hz")
        if self._stream is None:
            pcm: Pcm = frame.pcm
        else:
            pcm = np.asarray(self._stream.resample_chunk(frame.pcm, last=last), dtype=np.int16)
        out = AudioFrame(pcm, self.target_rate, self._position)
        self._position += len(pcm)
        return out


class ToRate:
    """A stream whose frames may have any rate, and another one in the middle, at one rate."""

    def __init__(self, sample_rate: int) -> None:
        self.sample_rate = sample_rate
        self._resampler: Resampler | None = None

    def push(self, frame: AudioFrame) -> AudioFrame:
        """The samples that are ready."""
        if frame.sample_rate == self.sample_rate:
            return frame
        if self._resampler is None or self._resampler.source_rate != frame.sample_rate:
            self._resampler = Resampler(frame.sample_rate, self.sample_rate)
        return self._resampler.push(frame)


def resample(frame: AudioFrame, sample_rate: int) -> AudioFrame:
    """A whole clip at another sample rate."""
    if frame.sample_rate == sample_rate:
        return frame
    pcm = soxr.resample(frame.pcm, frame.sample_rate, sample_rate, quality="HQ")
    return AudioFrame(np.asarray(pcm, dtype=np.int16), sample_rate)


def concatenate(frames: list[AudioFrame], sample_rate: int) -> AudioFrame:
    """Frames of one rate as one frame; empty input gives an empty frame."""
    if not frames:
        return AudioFrame(np.zeros(0, np.int16), sample_rate)
    return AudioFrame(np.concatenate([f.pcm for f in frames]), sample_rate, frames[0].position)


def read_wav(path: Path | str) -> AudioFrame:
    """A 16-bit PCM WAV file, plain or extensible; several channels are averaged to mono.

    Raises OSError, and ValueError, naming the file, for anything else. The format:
    RFC 2361 and Microsoft's ``WAVEFORMATEXTENSIBLE``, whose sub-format begins with the tag.
    """
    chunks = dict(_riff_chunks(Path(path).read_bytes()))
    form = chunks.get(b"fmt ", b"")
    if len(form) < 16 or b"data" not in chunks:
        raise ValueError(f"{path}: not a PCM WAV file")
    tag, channels, rate, _, _, bits = struct.unpack("<HHIIHH", form[:16])
    if tag == _EXTENSIBLE:
        tag = int.from_bytes(form[24:26], "little")
    if tag != 1 or bits != 16:
        raise ValueError(f"{path}: expected 16-bit PCM, got {bits}-bit, format {tag}")
    if not channels or not 1000 <= rate <= 768_000:
        raise ValueError(f"{path}: not a PCM WAV file ({channels} channels at {rate} Hz)")
    raw = chunks[b"data"]
    pcm = np.frombuffer(raw[: len(raw) - len(raw) % (2 * channels)], dtype="<i2")
    if channels > 1:
        pcm = pcm.reshape(-1, channels).mean(axis=1).astype(np.int16)
    return AudioFrame(pcm.astype(np.int16), rate)


_EXTENSIBLE = 0xFFFE


def _riff_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Name and content of each chunk; the last one may say that it is longer than the file."""
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        return
    at = 12
    while at + 8 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        yield data[at : at + 4], data[at + 8 : at + 8 + size]
        at += 8 + size + size % 2


def write_wav(path: Path | str, frame: AudioFrame) -> None:
    """Write a frame as a 16-bit mono WAV file."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(frame.sample_rate)
        file.writeframes(frame.pcm.astype("<i2").tobytes())
