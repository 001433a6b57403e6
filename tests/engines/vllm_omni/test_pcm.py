"""Sound as it comes over the wire."""

from __future__ import annotations

import io
import itertools
import struct
import wave

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omni_agent.audio import AudioFrame, Pcm, resample
from omni_agent.engines.remote.recordings import wav
from omni_agent.engines.vllm_omni.pcm import PcmReader
from omni_agent.errors import EngineError
from tests.engines.vllm_omni.wire import streamed_wav, tone

TONE = tone(100)
REMARK = b"LIST" + struct.pack("<I", 4) + b"INFO"


def read(*pieces: bytes, each_begins: bool = False) -> Pcm:
    reader, frames = PcmReader(), []
    for piece in pieces:
        if each_begins:
            reader.begin()
        frames.append(reader.push(piece))
    frames.append(reader.finish())
    position = 0
    for frame in frames:
        assert (frame.sample_rate, frame.position) == (24_000, position)
        position += frame.samples
    return np.concatenate([frame.pcm for frame in frames])


def with_remarks(pcm: Pcm) -> bytes:
    """A file with chunks before and behind its samples, as some encoders write."""
    file = wav(AudioFrame(pcm, 24_000))
    return file[:12] + REMARK + file[12:] + REMARK


@pytest.mark.parametrize(
    "data",
    [wav(AudioFrame(TONE, 24_000)), streamed_wav(TONE), with_remarks(TONE), TONE.tobytes()],
    ids=["file", "stream", "remarks", "bare"],
)
@given(cuts=st.lists(st.integers(0, 300), max_size=12))
def test_sound_cut_anywhere_comes_out_whole(data: bytes, cuts: list[int]) -> None:
    edges = sorted({0, len(data), *(min(cut, len(data)) for cut in cuts)})
    pieces = [data[start:end] for start, end in itertools.pairwise(edges)]
    assert np.array_equal(read(*pieces), TONE)


@given(st.lists(st.integers(0, 40), min_size=1, max_size=6), st.booleans())
def test_chunks_are_files_of_their_own_or_only_the_first_is(
    sizes: list[int], only_first: bool
) -> None:
    parts = [tone(size, 1000 * at + 1) for at, size in enumerate(sizes)]
    chunks = [
        part.tobytes() if at and only_first else wav(AudioFrame(part, 24_000))
        for at, part in enumerate(parts)
    ]
    assert np.array_equal(read(*chunks, each_begins=True), np.concatenate(parts))


def test_bare_chunks_may_be_cut_within_a_sample() -> None:
    data = TONE.tobytes()
    assert np.array_equal(read(data[:31], data[31:64], data[64:], each_begins=True), TONE)


def test_another_rate_is_resampled_across_chunks_as_if_it_were_one() -> None:
    hum = (8000 * np.sin(np.arange(44_100) / 30)).astype(np.int16)
    chunks = [wav(AudioFrame(part, 44_100)) for part in np.array_split(hum, 7)]
    whole = resample(AudioFrame(hum, 44_100), 24_000).pcm
    got = read(*chunks, each_begins=True)
    assert abs(len(got) - len(whole)) <= 1
    assert np.abs(got[:23_999].astype(int) - whole[:23_999]).max() <= 2


def test_two_channels_become_one() -> None:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(2)
        writer.setsampwidth(2)
        writer.setframerate(24_000)
        writer.writeframes(np.array([[2, 4], [10, -10]], "<i2").tobytes())
    assert list(read(file.getvalue())) == [3, 0]


def eight_bit() -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(1)
        writer.setframerate(24_000)
        writer.writeframes(b"abc")
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (eight_bit(), "8-bit"),
        (b"RIFF\x00\x00\x00\x00AVI LIST", "not WAV"),
        (b"RIFF\x00\x00\x00\x00WAVEdata\x02\x00\x00\x00ab", "before their format"),
        (b"RIFF\x00\x00\x00\x00WAVEjunk\xff\xff\xff\x7f" + bytes(1 << 17), "without end"),
    ],
)
def test_what_is_not_16_bit_pcm_is_an_engine_error(data: bytes, reason: str) -> None:
    with pytest.raises(EngineError, match=reason):
        read(data)
