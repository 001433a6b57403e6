"""Utterances in pieces that a longer recording shares, and pictures."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omni_agent.audio import AudioFrame
from omni_agent.conversation import ImagePart
from omni_agent.engines.qwen3_omni.media import (
    IMAGE_TOKENS,
    RATE,
    Media,
    audio_tokens,
    image,
    pieces,
)
from omni_agent.errors import EngineError

NOISE = np.random.default_rng(5).integers(-9000, 9000, 60 * RATE).astype(np.int16)

lengths = st.integers(1, len(NOISE)) | st.integers(1, 24).map(lambda number: number * 2 * RATE)


def recording(samples: int, rate: int = RATE) -> AudioFrame:
    return AudioFrame(NOISE[:samples], rate)


def media(audio: AudioFrame) -> list[Media]:
    return [piece.media for piece in pieces(audio)]


def whole(audio: AudioFrame) -> list[Media]:
    return [piece.media for piece in pieces(audio) if piece.whole]


# -- where it is cut ------------------------------------------------------------------------


@given(lengths, lengths)
def test_a_longer_recording_begins_with_the_pieces_of_a_shorter_one(one: int, other: int) -> None:
    short, long = sorted((one, other))
    settled = whole(recording(short))
    assert media(recording(long))[: len(settled)] == settled


@pytest.mark.parametrize("rate", [8_000, 22_050, 24_000, 44_100, 48_000])
def test_so_it_does_at_other_sample_rates(rate: int) -> None:
    seconds = 9.0
    long = media(recording(int(seconds * rate), rate))
    for cut in np.linspace(0.1, seconds, 60):
        settled = whole(recording(int(cut * rate), rate))
        assert long[: len(settled)] == settled
        assert len(settled) >= (cut - 0.25) // 2


def test_the_pieces_are_of_two_seconds_for_32_seconds_and_then_of_eight() -> None:
    seconds = [len(piece.data) / 2 / RATE for piece in media(recording(50 * RATE))]
    assert seconds == [2] * 16 + [8, 8, 2]


@given(lengths)
def test_together_they_are_the_recording(samples: int) -> None:
    heard = b"".join(piece.data for piece in media(recording(samples)))
    assert heard[: 2 * samples] == NOISE[:samples].astype("<i2").tobytes()
    assert not any(heard[2 * samples :])


@given(lengths)
def test_only_the_last_piece_can_still_grow(samples: int) -> None:
    wholes = [piece.whole for piece in pieces(recording(samples))]
    assert all(wholes[:-1])
    assert wholes[-1] == (
        samples in {2 * RATE * n for n in range(1, 17)} | {40 * RATE, 48 * RATE, 56 * RATE}
    )


@pytest.mark.parametrize("tail", [1, 799, 1599])
def test_a_short_tail_is_filled_up_with_silence(tail: int) -> None:
    *_, last = media(recording(2 * RATE + tail))
    samples = np.frombuffer(last.data, "<i2")
    assert len(samples) == 1600
    assert np.array_equal(samples[:tail], NOISE[2 * RATE : 2 * RATE + tail])
    assert not samples[tail:].any()


# -- what is heard ---------------------------------------------------------------------------


def test_audio_of_another_rate_is_heard_at_16_khz() -> None:
    tone = np.sin(2 * np.pi * 440 * np.arange(48_000) / 48_000)
    (piece,) = media(AudioFrame.from_float(0.5 * tone, 48_000))
    samples = np.frombuffer(piece.data, "<i2")
    assert len(samples) == RATE
    assert np.abs(np.fft.rfft(samples)).argmax() == 440


def test_a_single_sample_is_heard_at_any_rate() -> None:
    for rate in (8_000, RATE, 96_000):
        (piece,) = media(recording(1, rate))
        assert len(piece.data) == 2 * 1600


def test_audio_that_is_not_contiguous_is_heard() -> None:
    stereo = NOISE[: 2 * RATE].reshape(-1, 2)
    left = AudioFrame(stereo[:, 0], RATE)
    assert media(left) == media(AudioFrame(stereo[:, 0].copy(), RATE))


@pytest.mark.parametrize(
    ("audio", "words"),
    [
        (recording(0), "no samples"),
        (AudioFrame(np.zeros(41 * 60 * 100, np.int16), 100), "41 minutes .* 40 at most"),
        (AudioFrame(np.zeros(1600, np.float32), RATE), "float32, not int16.*from_float"),
    ],
)
def test_what_cannot_be_heard_is_refused(audio: AudioFrame, words: str) -> None:
    with pytest.raises(EngineError, match=words):
        pieces(audio)


def test_forty_minutes_are_heard() -> None:
    assert len(pieces(AudioFrame(np.zeros(40 * 60 * RATE, np.int16), RATE))) == 16 + 296


# -- keys ---------------------------------------------------------------------------


def test_equal_audio_has_equal_keys_wherever_it_comes_from() -> None:
    ours = recording(RATE)
    assert media(ours) == media(AudioFrame(ours.pcm.copy(), RATE, position=77))


def test_audio_that_differs_in_a_sample_has_another_key() -> None:
    pcm = NOISE[:RATE].copy()
    pcm[-1] += 1
    assert media(AudioFrame(pcm, RATE))[0].key != media(recording(RATE))[0].key


def test_a_picture_never_has_the_key_of_audio_with_the_same_bytes() -> None:
    (sound,) = media(recording(RATE))
    picture = image(ImagePart(sound.data, "image/jpeg"))
    assert picture.data == sound.data
    assert picture.key != sound.key
    assert picture.key == image(ImagePart(sound.data, "image/png")).key


# -- positions ---------------------------------------------------------------------------


def test_positions_are_counted_as_the_reference_counts_them() -> None:
    processing = pytest.importorskip("transformers.models.qwen3_omni_moe.processing_qwen3_omni_moe")
    frames = np.arange(1, 10_001)
    expected = processing._get_feat_extract_output_lengths(frames)
    assert [audio_tokens(160 * n) for n in frames] == expected.tolist()


@given(st.integers(1, 100 * RATE))
def test_a_begun_frame_counts(samples: int) -> None:
    assert audio_tokens(samples) == audio_tokens(-(-samples // 160) * 160)


def test_a_piece_knows_its_positions() -> None:
    tokens = [piece.tokens for piece in media(recording(34 * RATE + 1))]
    assert tokens == [26] * 16 + [audio_tokens(2 * RATE + 1)]
    assert media(recording(1))[0].tokens == audio_tokens(1600) == 2


# -- pictures ---------------------------------------------------------------------------


def test_a_picture_takes_at_most_what_it_is_scaled_down_to() -> None:
    assert image(ImagePart(b"jpeg", "image/jpeg")).tokens == IMAGE_TOKENS


@pytest.mark.parametrize("size", [0, (20 << 20) + 1])
def test_a_picture_that_is_empty_or_too_large_is_refused(size: int) -> None:
    with pytest.raises(EngineError, match=f"a picture of {size:,} bytes"):
        image(ImagePart(bytes(size), "image/jpeg"))
