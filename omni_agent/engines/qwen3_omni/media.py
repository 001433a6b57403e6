"""What the Thinker's encoders read: utterances in pieces, and pictures (videos: ``clips``).

Pieces are cut at fixed times from an utterance's beginning, so a longer recording of the
same utterance begins with the same pieces: that is how it is heard while it lasts, and
why the next turn finds all of it in the prefix cache. The audio encoder attends
within a piece only; it was trained on windows of 1 to 8 seconds (technical report,
section 2.1).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from omni_agent.audio import AudioFrame, Pcm, resample
from omni_agent.conversation import ImagePart
from omni_agent.errors import EngineError

RATE = 16_000
"""Sample rate of the audio encoder's features, Hz."""
LONGEST_AUDIO_S = 40 * 60
"""The longest audio that the model was made for (technical report, section 2.1)."""
_PIECE_S, _LONG_PIECE_S, _SHORT_PIECES = 2, 8, 16
"""Pieces of 2 s in the first 32 s, where they are heard as they are spoken; then of 8 s,
the encoder's own window."""
_SHORTEST = RATE // 10
"""Samples; a shorter piece is filled up with silence."""
_UNSETTLED = RATE // 4
"""Samples at the end of resampled audio that more audio may change (0.12 s seen, from 8 kHz)."""
_HOP = 160
"""Samples from one frame of features to the next."""
_LARGEST_IMAGE = 20 << 20
IMAGE_TOKENS = 1280
"""The most that a picture may take; larger ones are scaled down."""


@dataclass(frozen=True, slots=True)
class Media:
    """What one placeholder stands for: a piece of audio at 16 kHz, a picture, or a video.

    key: a hash of kind and data. tokens: how many positions it takes, at most.
    source: int16 samples, shape (n,), which belong to the conversation; a picture's file; or
    a video's, packed.
    """

    kind: Literal["audio", "image", "video"]
    key: str
    tokens: int
    source: Pcm | bytes = field(compare=False, repr=False)

    @property
    def data(self) -> bytes:
        """16-bit little-endian PCM, or the picture's or video's file."""
        return self.source if isinstance(self.source, bytes) else self.source.tobytes()


@dataclass(frozen=True, slots=True)
class Piece:
    """whole: False for the last one of an utterance that may go on within it."""

    media: Media
    whole: bool


def pieces(audio: AudioFrame) -> tuple[Piece, ...]:
    """An utterance in pieces. Raises EngineError for audio that cannot be heard."""
    pcm = heard(audio)
    settled = len(pcm) if audio.sample_rate == RATE else len(pcm) - _UNSETTLED
    return tuple(Piece(sound(pcm[begin:end]), end <= settled) for begin, end in _cuts(len(pcm)))


def heard(audio: AudioFrame) -> Pcm:
    """Samples at 16 kHz. Raises EngineError for audio that cannot be heard."""
    if not audio.samples:
        raise EngineError("an utterance holds no samples")
    if audio.seconds > LONGEST_AUDIO_S:
        raise EngineError(
            f"{audio.seconds / 60:.0f} minutes of audio in one message; "
            f"the Thinker hears {LONGEST_AUDIO_S // 60} at most"
        )
    if audio.pcm.dtype != np.int16:
        raise EngineError(
            f"audio is {audio.pcm.dtype}, not int16: make frames with AudioFrame.from_float"
        )
    return resample(audio, RATE).pcm


def image(part: ImagePart) -> Media:
    """Raises EngineError for one that is empty or too large to look at."""
    if not part.data or len(part.data) > _LARGEST_IMAGE:
        raise EngineError(
            f"a picture of {len(part.data):,} bytes; the Thinker sees 1 to {_LARGEST_IMAGE:,}"
        )
    return Media("image", key(b"image", part.data), IMAGE_TOKENS, part.data)


def audio_tokens(samples: int) -> int:
    """Positions of a piece (13 a second: three stride-2 convolutions over each 100 frames)."""
    whole, rest = divmod(-(-samples // _HOP), 100)
    for _ in range(3):
        rest = (rest + 1) // 2
    return 13 * whole + rest


def sound(pcm: Pcm) -> Media:
    """A piece of audio, filled up with silence when it is very short. pcm: at 16 kHz."""
    if len(pcm) < _SHORTEST:
        pcm = np.pad(pcm, (0, _SHORTEST - len(pcm)))
    samples = np.ascontiguousarray(pcm, "<i2")  # nothing is copied, as a rule
    return Media("audio", key(b"audio", samples.data), audio_tokens(len(samples)), samples)


def key(kind: bytes, data: bytes | memoryview) -> str:
    """A hash of both."""
    return hashlib.blake2b(data, digest_size=16, person=kind).hexdigest()


def _cuts(samples: int) -> Iterator[tuple[int, int]]:
    """Begin and end of each piece; the last end may lie beyond the audio."""
    begin = number = 0
    while begin < samples or not begin:
        end = begin + RATE * (_PIECE_S if number < _SHORT_PIECES else _LONG_PIECE_S)
        yield begin, end
        begin, number = end, number + 1
