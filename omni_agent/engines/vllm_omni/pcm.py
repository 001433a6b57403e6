"""Sound as servers send it, WAV or bare samples, to one stream of mono frames."""

from __future__ import annotations

import struct

import numpy as np

from omni_agent.audio import AudioFrame, Resampler
from omni_agent.errors import EngineError

SAMPLE_RATE = 24_000
"""Hz, of what comes out; and of bare samples, which is Qwen3-Omni's Code2Wav."""

_LONGEST_HEADER = 1 << 16
_PCM, _EXTENSIBLE = 1, 0xFFFE
_ENDLESS = 0x7FFFFFFF
"""Bytes. A streamed WAV file cannot know its size and says this much or more."""


class PcmReader:
    """Bytes cut anywhere in, 16-bit mono at 24 kHz out.

    vllm-omni makes every chunk of a completion a WAV file of its own, or the first
    one; a speech endpoint streams one file; others send samples bare.
    """

    def __init__(self) -> None:
        self._held = self._carried = b""
        self._in_header = True
        self._channels = 1
        self._left: int | None = None
        self._resampler = Resampler(SAMPLE_RATE, SAMPLE_RATE)
        self._position = 0

    def begin(self) -> None:
        """A new chunk, perhaps with a header of its own; without one it goes on as before."""
        self._carried = self._held if self._left is None and not self._in_header else b""
        self._held, self._in_header, self._left = b"", True, None

    def push(self, data: bytes) -> AudioFrame:
        """The samples that are complete. Raises EngineError for what is not 16-bit PCM."""
        self._held += data
        if self._in_header and not self._read_header():
            return self._frame(b"", last=False)
        room = len(self._held) if self._left is None else min(self._left, len(self._held))
        whole = room - room % (2 * self._channels)
        taken, self._held = self._held[:whole], self._held[whole:]
        if self._left is not None:
            self._left -= whole
            if not self._left:
                self._held = b""  # behind the samples may be a file's own remarks
        return self._frame(taken, last=False)

    def finish(self) -> AudioFrame:
        """What resampling held back."""
        return self._frame(b"", last=True)

    def _read_header(self) -> bool:
        """True once the samples begin. The header is taken off what is held."""
        if len(self._held) < 4 and b"RIFF".startswith(self._held):
            return False
        if self._held.startswith(b"RIFF"):
            header = _wav_header(self._held)
            if header is None:
                if len(self._held) > _LONGEST_HEADER:
                    raise EngineError("the server sent a WAV header without end")
                return False
            begin, self._channels, rate, self._left = header
            self._held = self._held[begin:]
            if rate != self._resampler.source_rate:
                self._resampler = Resampler(rate, SAMPLE_RATE)
        else:
            self._held = self._carried + self._held
        self._in_header = False
        return True

    def _frame(self, samples: bytes, *, last: bool) -> AudioFrame:
        pcm = np.frombuffer(samples, "<i2")
        if self._channels > 1:
            pcm = pcm.reshape(-1, self._channels).mean(axis=1)
        frame = AudioFrame(pcm.astype(np.int16), self._resampler.source_rate)
        out = self._resampler.push(frame, last=last)
        placed = AudioFrame(out.pcm, SAMPLE_RATE, self._position)
        self._position += out.samples
        return placed


def _wav_header(data: bytes) -> tuple[int, int, int, int | None] | None:
    """(where the samples begin, channels, Hz, bytes of samples or None for a stream).

    None when the header is not all there yet. Raises EngineError when it is not PCM.
    """
    if len(data) < 12:
        return None
    if data[8:12] != b"WAVE":
        raise EngineError("the server sent a RIFF file that is not WAV")
    at, channels, rate = 12, 0, 0
    while len(data) >= at + 8:
        name, size = struct.unpack_from("<4sI", data, at)
        at += 8
        if name == b"data":
            if not channels:
                raise EngineError("the server sent WAV samples before their format")
            return at, channels, rate, None if size >= _ENDLESS or not size else size
        if len(data) < at + size:
            return None
        if name == b"fmt " and size >= 16:
            coding, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", data, at)
            if coding not in (_PCM, _EXTENSIBLE) or bits != 16 or not channels or not rate:
                raise EngineError(f"the server sent {bits}-bit WAV (format {coding}), not PCM16")
        at += size + size % 2
    return None
