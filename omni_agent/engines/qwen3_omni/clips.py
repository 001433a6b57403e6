"""Videos as the Thinker's encoders read them.

A silent clip is one item. A clip with sound is windows of 2 s, each the window's pictures
as a video and then its sound as audio: the step in which the reference reads both by
turns (technical report, section 2.1; ``seconds_per_chunk`` of the published config). The
reference places the two streams within one item, ordered by time. We do not, because
vLLM (0.32) cannot have such an item and other audio in one prompt: it drops the other
audio, and a spoken turn always has some. So positions count up through a window's
pictures and then through its sound, instead of side by side.

A packed video is a head (fps, a little-endian float64; tokens of two pictures and the number
of pictures, uint32), the size of each picture's file (uint32), and the files.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from omni_agent.conversation import VideoPart
from omni_agent.engines.qwen3_omni.media import RATE, Media, heard, key, sound
from omni_agent.errors import EngineError

TOGETHER = 2
"""Pictures that the encoder takes as one (``temporal_patch_size``)."""
VIDEO_TOKENS, PAIR_TOKENS = 8192, 256
"""The most that a video, and two of its pictures, may take; larger ones are scaled down."""
MOST_FRAMES = 512
LONGEST_S = 300
"""Of a clip. It bounds positions, too: a video counts up 13 a second however few its pictures."""
_LARGEST = 48 << 20
_WINDOW_S = 2
_POSITIONS_S = 13
"""Positions a second (``position_id_per_seconds``)."""
_HEAD = struct.Struct("<dII")


@dataclass(frozen=True, slots=True)
class Window:
    """Pictures, then sound. A silent clip is one window."""

    video: Media | None
    sound: Media | None = None


@dataclass(frozen=True, slots=True)
class Frames:
    """Encoded pictures, ``fps`` a second. tokens: what two of them may take."""

    pictures: Sequence[bytes]
    fps: float
    tokens: int

    def packed(self) -> bytes:
        count = len(self.pictures)
        sizes = struct.pack(f"<{count}I", *map(len, self.pictures))
        return b"".join([_HEAD.pack(self.fps, self.tokens, count), sizes, *self.pictures])

    @staticmethod
    def unpacked(data: bytes) -> Frames:
        """Raises ValueError for what is not a packed video."""
        try:
            fps, tokens, count = _HEAD.unpack_from(data)
            sizes = struct.unpack_from(f"<{count}I", data, _HEAD.size)
        except struct.error as error:
            raise ValueError(f"not a packed video: {error}") from error
        ends = list(accumulate(sizes, initial=_HEAD.size + 4 * count))
        if ends[-1] != len(data) or not 0 < count <= MOST_FRAMES or not 0 < fps < math.inf:
            raise ValueError(f"not a packed video: {count} pictures at {fps} a second")
        return Frames([data[begin:end] for begin, end in pairwise(ends)], fps, tokens)


def windows(part: VideoPart) -> tuple[Window, ...]:
    """A clip in the order in which it is read. Raises EngineError for what cannot be seen."""
    _check(part)
    shown: dict[int, list[bytes]] = {}
    for at, picture in enumerate(part.frames):
        number = 0 if part.audio is None else int(at / part.fps / _WINDOW_S)
        shown.setdefault(number, []).append(picture)
    pairs = sum(-(-len(pictures) // TOGETHER) for pictures in shown.values())
    tokens = min(PAIR_TOKENS, VIDEO_TOKENS // pairs)
    videos = {number: _video(Frames(p, part.fps, tokens)) for number, p in shown.items()}
    sounds: dict[int, Media] = {}
    if part.audio is not None:
        pcm, step = heard(part.audio), _WINDOW_S * RATE
        sounds = {n: sound(pcm[n * step : (n + 1) * step]) for n in range(-(-len(pcm) // step))}
    return tuple(
        Window(videos.get(number), sounds.get(number)) for number in sorted({*videos, *sounds})
    )


def _video(frames: Frames) -> Media:
    pairs = -(-len(frames.pictures) // TOGETHER)
    lasts = math.ceil(_POSITIONS_S * TOGETHER * pairs / frames.fps)
    data = frames.packed()
    return Media("video", key(b"video", data), max(pairs * frames.tokens, lasts), data)


def _check(part: VideoPart) -> None:
    frames, fps = part.frames, part.fps
    if not 0 < len(frames) <= MOST_FRAMES:
        raise EngineError(
            f"a video of {len(frames)} pictures; the Thinker sees 1 to {MOST_FRAMES}: "
            "send fewer a second"
        )
    if not 0 < fps < math.inf:
        raise EngineError(f"a video of {fps} pictures a second: fps is how many there are")
    seconds = max(len(frames) / fps, part.audio.seconds if part.audio else 0.0)
    if seconds > LONGEST_S:
        raise EngineError(
            f"a video of {seconds:.0f} s; the Thinker sees {LONGEST_S} s at most: cut it in parts"
        )
    if not all(frames) or sum(map(len, frames)) > _LARGEST:
        raise EngineError(
            f"a video's pictures have {min(map(len, frames)):,} bytes or more, together "
            f"{sum(map(len, frames)):,}; the Thinker sees 1 to {_LARGEST:,}"
        )
