"""Videos as one item, or with sound in windows of both."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omni_agent.audio import AudioFrame
from omni_agent.conversation import VideoPart
from omni_agent.engines.qwen3_omni.clips import VIDEO_TOKENS, Frames, Window, windows
from omni_agent.engines.qwen3_omni.media import RATE, sound
from omni_agent.errors import EngineError

NOISE = np.random.default_rng(5).integers(-9000, 9000, 60 * RATE).astype(np.int16)


def pictures(count: int) -> tuple[bytes, ...]:
    return tuple(f"picture {number}".encode() for number in range(count))


def recording(seconds: float) -> AudioFrame:
    return AudioFrame(NOISE[: round(seconds * RATE)], RATE)


def shown(window: Window) -> list[bytes]:
    return [] if window.video is None else list(Frames.unpacked(window.video.data).pictures)


def test_a_silent_clip_is_one_item() -> None:
    (window,) = windows(VideoPart(pictures(30), 2.0))
    assert shown(window) == list(pictures(30))
    assert window.sound is None


@given(st.integers(1, 60), st.sampled_from([0.3, 1, 2.0, 3, 7.5]), st.floats(0.1, 30))
def test_a_clip_with_sound_is_windows_in_order_of_time(
    count: int, fps: float, seconds: float
) -> None:
    audio = recording(seconds)
    read = windows(VideoPart(pictures(count), fps, audio))
    assert [picture for window in read for picture in shown(window)] == list(pictures(count))
    cuts = range(0, audio.samples, 2 * RATE)
    sounds = [window.sound for window in read if window.sound is not None]
    assert sounds == [sound(audio.pcm[cut : cut + 2 * RATE]) for cut in cuts]
    assert all(window.video or window.sound for window in read)


def test_pictures_stand_before_the_sound_that_they_are_seen_with() -> None:
    read = windows(VideoPart(pictures(7), 2.0, recording(5.0)))
    assert [len(shown(window)) for window in read] == [4, 3, 0]
    assert [window.sound is not None for window in read] == [True] * 3


def test_the_key_covers_pictures_and_fps() -> None:
    clips = [
        VideoPart(pictures(3), 2.0),
        VideoPart(pictures(3), 3.0),
        VideoPart(pictures(2), 2.0),
        VideoPart((pictures(2)[0] + pictures(2)[1],), 2.0),
    ]
    keys = [windows(clip)[0].video.key for clip in clips]  # type: ignore[union-attr]  # it is there
    assert len(set(keys)) == len(clips)
    assert windows(VideoPart(pictures(3), 2.0)) == windows(clips[0])


@pytest.mark.parametrize(("count", "tokens"), [(1, 256), (2, 256), (3, 512), (512, 8192)])
def test_a_video_knows_what_it_may_take(count: int, tokens: int) -> None:
    (window,) = windows(VideoPart(pictures(count), 2.0))
    assert window.video is not None
    assert window.video.tokens == tokens <= VIDEO_TOKENS


def test_with_sound_its_windows_share_that() -> None:
    read = windows(VideoPart(pictures(500), 2.0, recording(1.0)))
    videos = [window.video for window in read if window.video is not None]
    assert len(videos) == 125
    assert sum(video.tokens for video in videos) <= VIDEO_TOKENS


def test_few_pictures_over_a_long_time_take_the_positions_of_that_time() -> None:
    (window,) = windows(VideoPart(pictures(4), 0.02))
    assert window.video is not None
    assert window.video.tokens == 13 * 200


@pytest.mark.parametrize(
    ("part", "words"),
    [
        (VideoPart((), 2.0), "a video of 0 pictures"),
        (VideoPart(pictures(513), 20.0), "a video of 513 pictures.*1 to 512"),
        (VideoPart(pictures(2), 0), "0 pictures a second"),
        (VideoPart(pictures(2), -1.0), "-1.0 pictures a second"),
        (VideoPart(pictures(2), float("nan")), "nan pictures a second"),
        (VideoPart(pictures(2), float("inf")), "inf pictures a second"),
        (VideoPart(pictures(2), 0.001), "a video of 2000 s; the Thinker sees 300"),
        (VideoPart(pictures(2), 2.0, AudioFrame.silence(301, 8_000)), "a video of 301 s"),
        (VideoPart(pictures(2), 2.0, recording(0)), "no samples"),
        (VideoPart((b"picture", b""), 2.0), "have 0 bytes"),
        (VideoPart((bytes((48 << 20) + 1),), 2.0), "together 50,331,649"),
    ],
)
def test_what_cannot_be_seen_is_refused(part: VideoPart, words: str) -> None:
    with pytest.raises(EngineError, match=words):
        windows(part)


@given(st.lists(st.binary(min_size=1), min_size=1), st.floats(0.1, 100), st.integers(4, 256))
def test_what_is_packed_is_unpacked(files: list[bytes], fps: float, tokens: int) -> None:
    frames = Frames(files, fps, tokens)
    assert Frames.unpacked(frames.packed()) == frames


@pytest.mark.parametrize("cut", [0, 10, 17, 40, -1])
def test_half_a_packed_video_is_none(cut: int) -> None:
    with pytest.raises(ValueError, match="not a packed video"):
        Frames.unpacked(Frames(pictures(3), 2.0, 256).packed()[:cut])
