"""Pictures and videos, decoded and scaled to what the vision encoder takes whole."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from omni_agent.engines.qwen3_omni.clips import TOGETHER, VIDEO_TOKENS, Frames
from omni_agent.engines.qwen3_omni.media import IMAGE_TOKENS

Grid = tuple[int, int, int, float]
"""Patches in time, height and width, and the seconds from one to the next in time."""

_MOST_PIXELS = 50_000_000
_PATCH, _MERGED = 16, 2
_CELL = _PATCH * _MERGED
"""Side of a token, pixels (``patch_size`` x ``spatial_merge_size``)."""
PROFILED = {"width": (side := _CELL * int(VIDEO_TOKENS**0.5)), "height": side, "num_frames": 1}
"""A video as large as any: vLLM reads one at the start, to see how much memory it takes."""


@dataclass(frozen=True, slots=True)
class Pixels:
    """array: uint8, shape (frames, height, width, 3). taken: the same as vLLM takes it."""

    array: NDArray[np.uint8]
    taken: Any
    grid: Grid

    @staticmethod
    def tokens(grid: Grid) -> int:
        return grid[0] * grid[1] * grid[2] // _MERGED**2


def picture(data: bytes) -> Pixels:
    """At most IMAGE_TOKENS. Raises ValueError for what is not a picture."""
    opened = _opened(data)
    array = _scaled(opened, _fitting(opened, IMAGE_TOKENS))[None]
    return Pixels(array, Image.fromarray(array[0]), _grid(array, 1.0))


def video(data: bytes) -> Pixels:
    """A packed video (see ``clips``), of an even number of frames as large as its first.

    Raises ValueError for what is not one.
    """
    frames = Frames.unpacked(data)
    first = _opened(frames.pictures[0])
    size = _fitting(first, frames.tokens)
    shown = [_scaled(first, size)]
    shown += [_scaled(_opened(file), size) for file in frames.pictures[1:]]
    shown += shown[-1:] * (-len(shown) % TOGETHER)
    array = np.stack(shown)
    grid = _grid(array, TOGETHER / frames.fps)
    return Pixels(array, (array, {"fps": frames.fps}), grid)


def _opened(data: bytes) -> Image.Image:
    try:
        opened = Image.open(io.BytesIO(data))
        if opened.width * opened.height > _MOST_PIXELS:
            raise ValueError(f"{opened.width} x {opened.height} pixels are too many")
        return opened.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"not a picture that can be read: {error}") from error


def _fitting(opened: Image.Image, tokens: int) -> tuple[int, int]:
    """Width and height in whole tokens, two at least, at most ``tokens`` of them."""
    scale = min(1.0, (tokens * _CELL**2 / (opened.width * opened.height)) ** 0.5)
    wide = min(max(2, int(opened.width * scale / _CELL)), tokens // 2)
    high = min(max(2, int(opened.height * scale / _CELL)), tokens // wide)
    return wide * _CELL, high * _CELL


def _scaled(opened: Image.Image, size: tuple[int, int]) -> NDArray[np.uint8]:
    return np.asarray(opened.resize(size))


def _grid(array: NDArray[np.uint8], seconds: float) -> Grid:
    frames, height, width, _ = array.shape
    return -(-frames // TOGETHER), height // _PATCH, width // _PATCH, seconds
