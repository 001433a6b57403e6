"""The encoder that speaks for the agent."""

from __future__ import annotations

import os

import numpy as np
import pytest
from omni_agent_webrtc.opus import (
    BIT_RATE,
    FRAME,
    LINE_RATE,
    QUIET_FRAMES,
    RTP_FRAME,
    OpusDecoder,
    OpusEncoder,
)

from omni_agent.audio import Pcm


def hum(frames: int) -> Pcm:
    n = np.arange(frames * FRAME) / LINE_RATE
    return (8000 * np.sin(2 * np.pi * 220 * n)).astype(np.int16)


def test_each_frame_is_one_packet_of_20_ms_at_its_slot() -> None:
    encoder, audio = OpusEncoder(), hum(50)
    size = 0
    for slot in range(50):
        packet = encoder.encode(audio[slot * FRAME : (slot + 1) * FRAME], 3 * slot)
        assert packet.pts == 3 * slot * RTP_FRAME
        size += len(bytes(packet))
    assert 8 * size < 1.2 * BIT_RATE


def test_what_is_encoded_is_what_is_heard() -> None:
    encoder, decoder, audio = OpusEncoder(), OpusDecoder(), hum(50)
    heard = np.concatenate(
        [
            decoder.decode(bytes(encoder.encode(audio[i * FRAME : (i + 1) * FRAME], i)), 960)
            for i in range(50)
        ]
    )[4800:].astype(float)
    peak = np.abs(np.fft.rfft(heard)).argmax() * 48_000 / len(heard)
    assert peak == pytest.approx(220, abs=3)
    assert np.abs(heard).max() == pytest.approx(8000, rel=0.2)


def test_after_ten_silent_frames_silence_costs_nothing_until_there_is_speech() -> None:
    encoder, encoded = OpusEncoder(), []
    original = encoder._encode

    def counted(pcm: Pcm) -> bytes:
        encoded.append(pcm)
        return original(pcm)

    encoder._encode = counted  # type: ignore[method-assign]  # counts what is really encoded
    packets = [bytes(encoder.encode(None, slot)) for slot in range(100)]
    assert len(encoded) == QUIET_FRAMES
    assert len(set(packets[QUIET_FRAMES:])) == 1
    encoder.encode(hum(1), 100)
    encoder.encode(None, 101)
    assert len(encoded) == QUIET_FRAMES + 2


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="only Linux has affinities")
def test_an_encoder_and_a_decoder_add_no_threads() -> None:
    allowed = os.sched_getaffinity(0)
    before = len(os.listdir("/proc/self/task"))
    encoders, decoders = [OpusEncoder() for _ in range(5)], [OpusDecoder() for _ in range(5)]
    for encoder, decoder in zip(encoders, decoders, strict=True):
        decoder.decode(bytes(encoder.encode(hum(1), 0)), 960)
    assert len(os.listdir("/proc/self/task")) <= before
    assert os.sched_getaffinity(0) == allowed


@pytest.mark.parametrize("payload", [b"", b"x", b"\xff" * 40, b"\x48" + bytes(300)])
def test_a_damaged_packet_decodes_to_its_length_of_something(payload: bytes) -> None:
    assert len(OpusDecoder().decode(payload, 960)) == 960
