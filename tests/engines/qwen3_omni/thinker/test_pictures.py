"""Pictures and videos as the vision encoder takes them."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from omni_agent.engines.qwen3_omni.clips import Frames
from omni_agent.engines.qwen3_omni.media import IMAGE_TOKENS
from omni_agent.engines.qwen3_omni.thinker.pictures import Pixels, picture, video

from .asking import picture as drawn


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


def test_a_picture_of_whole_tokens_is_taken_as_it_is() -> None:
    data = drawn(96, 64).data
    seen = picture(data)
    assert np.array_equal(seen.array, pixels(data)[None])
    assert np.array_equal(np.asarray(seen.taken), pixels(data))
    assert seen.grid == (1, 4, 6, 1.0)
    assert Pixels.tokens(seen.grid) == 6


@pytest.mark.parametrize(
    ("width", "height"), [(1, 1), (33, 65), (4000, 3000), (20_000, 64), (64, 20_000), (90_000, 9)]
)
def test_any_other_is_scaled_to_whole_tokens_and_no_more_than_it_may_take(
    width: int, height: int
) -> None:
    seen = picture(drawn(width, height).data)
    assert all(side % 32 == 0 and side >= 64 for side in seen.array.shape[1:3])
    assert Pixels.tokens(seen.grid) <= IMAGE_TOKENS
    small = video(Frames([drawn(width, height).data], 2.0, tokens=16).packed())
    assert Pixels.tokens(small.grid) <= 16


def test_a_video_is_of_pairs_of_frames_the_last_one_repeated() -> None:
    files = [drawn(seed=number).data for number in range(3)]
    seen = video(Frames(files, 4.0, 256).packed())
    expected = [pixels(files[at]) for at in (0, 1, 2, 2)]
    assert np.array_equal(seen.array, np.stack(expected))
    assert seen.grid == (2, 4, 6, 0.5)
    array, metadata = seen.taken
    assert array is seen.array
    assert metadata == {"fps": 4.0}


def test_frames_of_other_sizes_become_as_large_as_the_first() -> None:
    files = [drawn(96, 64).data, drawn(640, 480).data]
    assert video(Frames(files, 2.0, 256).packed()).array.shape == (2, 64, 96, 3)


@pytest.mark.parametrize("data", [b"", b"GIF89a", drawn().data[:60]])
def test_what_is_not_a_picture_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="not a picture"):
        picture(data)
    with pytest.raises(ValueError, match="not a picture"):
        video(Frames([drawn().data, data], 2.0, 256).packed())


def test_a_picture_of_too_many_pixels_is_not_decoded() -> None:
    encoded = io.BytesIO()
    Image.new("1", (10_000, 5_001)).save(encoded, "PNG")
    with pytest.raises(ValueError, match="10000 x 5001 pixels are too many"):
        picture(encoded.getvalue())
