"""Audio frames, streaming resampling and WAV files."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omni_agent.audio import AudioFrame, Resampler, concatenate, read_wav, resample, write_wav


def tone(rate: int, seconds: float = 0.5) -> AudioFrame:
    time = np.arange(int(rate * seconds)) / rate
    return AudioFrame.from_float(0.5 * np.sin(2 * np.pi * 440 * time), rate)


@given(sizes=st.lists(st.integers(1, 4000), min_size=1, max_size=30))
@settings(max_examples=25, deadline=None)
def test_resampling_in_pieces_equals_resampling_the_whole(sizes: list[int]) -> None:
    whole = tone(48_000)
    pieces, at, stream = [], 0, Resampler(48_000, 16_000)
    for size in [*sizes, 10**6]:
        piece = whole.pcm[at : at + size]
        at += size
        pieces.append(stream.push(AudioFrame(piece, 48_000), last=at >= whole.samples))
        if at >= whole.samples:
            break
    streamed = np.concatenate([piece.pcm for piece in pieces])
    once = Resampler(48_000, 16_000).push(whole, last=True).pcm
    assert len(streamed) == len(once)
    assert np.abs(streamed.astype(int) - once).max() <= 2  # soxr dithers the last bit
    assert [p.position for p in pieces] == [
        sum(q.samples for q in pieces[:i]) for i in range(len(pieces))
    ]


def test_a_resampler_refuses_another_rate() -> None:
    with pytest.raises(ValueError, match="expected 48000 Hz, got 16000 Hz"):
        Resampler(48_000, 16_000).push(AudioFrame.silence(0.1, 16_000))


def test_a_wav_file_keeps_the_samples(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", tone(24_000))
    read = read_wav(tmp_path / "a.wav")
    assert read.sample_rate == 24_000
    assert np.array_equal(read.pcm, tone(24_000).pcm)


@pytest.mark.parametrize("content", [b"", b"RIFF", b"not audio at all" * 10])
def test_a_file_that_is_no_wav_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.wav").write_bytes(content)
    with pytest.raises(ValueError, match=r"bad\.wav"):
        read_wav(tmp_path / "bad.wav")


def extensible(sub_format: int, bits: int, data: bytes) -> bytes:
    """A stereo file at 48 kHz with Microsoft's longer header, as recorders write it."""
    frame = 2 * bits // 8
    guid = sub_format.to_bytes(2, "little") + bytes.fromhex("000000001000800000aa00389b71")
    form = struct.pack("<HHIIHHHHI", 0xFFFE, 2, 48_000, 48_000 * frame, frame, bits, 22, bits, 3)
    chunks = b"".join(
        name + struct.pack("<I", len(content)) + content
        for name, content in ((b"fmt ", form + guid), (b"LIST", b"INFO"), (b"data", data))
    )
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def test_a_file_with_the_extensible_header_is_read(tmp_path: Path) -> None:
    samples = struct.pack("<6h", 100, 300, -32768, -32768, 32767, 32767)
    (tmp_path / "a.wav").write_bytes(extensible(1, 16, samples))
    read = read_wav(tmp_path / "a.wav")
    assert (read.sample_rate, read.pcm.tolist()) == (48_000, [200, -32768, 32767])


@pytest.mark.parametrize(
    ("sub_format", "bits", "says"),
    [(1, 24, "got 24-bit, format 1"), (3, 32, "got 32-bit, format 3")],
    ids=["24 bits", "floats"],
)
def test_other_samples_than_those_of_16_bits_are_refused_by_name(
    sub_format: int, bits: int, says: str, tmp_path: Path
) -> None:
    (tmp_path / "bad.wav").write_bytes(extensible(sub_format, bits, bytes(48)))
    with pytest.raises(ValueError, match=rf"bad\.wav: expected 16-bit PCM, {says}"):
        read_wav(tmp_path / "bad.wav")


def test_floats_beyond_full_scale_are_clipped_not_wrapped() -> None:
    frame = AudioFrame.from_float(np.array([-2.0, 2.0]), 16_000)
    assert frame.pcm.tolist() == [-32768, 32767]


def test_frames_join_and_change_rate() -> None:
    joined = concatenate([tone(16_000), tone(16_000)], 16_000)
    assert joined.seconds == pytest.approx(1.0)
    assert resample(joined, 8_000).samples == 8_000
    assert concatenate([], 16_000).samples == 0
