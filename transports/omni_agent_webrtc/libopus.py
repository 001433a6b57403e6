"""libopus itself, for what FFmpeg's wrapper of it does not pass on: lost packets."""

from __future__ import annotations

import ctypes
import logging
from ctypes import POINTER, byref, c_char_p, c_int, c_int16, c_int32, c_void_p
from ctypes.util import find_library
from functools import cache
from pathlib import Path

import av
import numpy as np

from omni_agent.audio import Pcm

log = logging.getLogger(__name__)

LONGEST_S = 0.12
"""Audio in one packet, at most (RFC 6716 section 3.1)."""


@cache
def library() -> ctypes.CDLL | None:
    """The libopus that PyAV brings with it, or else the system's; None when there is neither."""
    package = Path(av.__file__).parent
    brought = [
        *package.parent.glob("av.libs/libopus*"),  # Linux and Windows wheels
        *package.glob(".dylibs/libopus*"),  # macOS
    ]
    for name in (*map(str, brought), find_library("opus")):
        try:
            found = ctypes.CDLL(name) if name else None
        except OSError:
            continue
        if found is not None and hasattr(found, "opus_decode"):
            return _typed(found)
    log.warning("no libopus was found: audio that is lost on the line will be silence")
    return None


def _typed(opus: ctypes.CDLL) -> ctypes.CDLL:
    opus.opus_decoder_create.restype = c_void_p
    opus.opus_decoder_create.argtypes = [c_int32, c_int, POINTER(c_int)]
    opus.opus_decode.restype = c_int
    opus.opus_decode.argtypes = [c_void_p, c_char_p, c_int32, POINTER(c_int16), c_int, c_int]
    opus.opus_decoder_destroy.restype = None
    opus.opus_decoder_destroy.argtypes = [c_void_p]
    return opus


class LibopusDecoder:
    """One mono stream. See https://opus-codec.org/docs/opus_api-1.5/group__opus__decoder.html."""

    def __init__(self, opus: ctypes.CDLL, rate: int) -> None:
        self._opus = opus
        self._step = rate // 400
        """Lost time is concealed in steps of 2.5 ms."""
        error = c_int()
        self._state = opus.opus_decoder_create(rate, 1, byref(error))
        if not self._state:
            raise MemoryError(f"opus_decoder_create: error {error.value}")
        self._longest = round(rate * LONGEST_S)

    def decode(self, payload: bytes) -> Pcm | None:
        """A packet's audio; None when it is damaged."""
        return self._run(payload, self._longest, lost=False)

    def conceal(self, samples: int, following: bytes) -> Pcm | None:
        """``samples`` of lost time, from the copy of it that the following packet may carry
        (in-band FEC) and from the past: it fades out within some 100 ms."""
        return self._run(following, samples - samples % self._step, lost=True)

    def _run(self, payload: bytes, samples: int, *, lost: bool) -> Pcm | None:
        if not samples:
            return None
        pcm: Pcm = np.empty(samples, np.int16)
        target = pcm.ctypes.data_as(POINTER(c_int16))
        count = self._opus.opus_decode(
            self._state, payload, len(payload), target, samples, int(lost)
        )
        return pcm[:count] if count > 0 else None

    def __del__(self) -> None:
        if getattr(self, "_state", None):
            self._opus.opus_decoder_destroy(self._state)
