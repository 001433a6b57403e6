"""Hearing the user: frames without gaps, whatever the line does."""

from __future__ import annotations

import numpy as np
import pytest
from omni_agent_webrtc.listening import Listener
from omni_agent_webrtc.opus import FRAME, LINE_RATE, OpusEncoder
from omni_agent_webrtc.reorder import RtpAudio

from omni_agent.audio import Pcm


def tone(hz: float, seconds: float, rate: int) -> Pcm:
    wave = 8000 * np.sin(2 * np.pi * hz * np.arange(int(seconds * rate)) / rate)
    return wave.astype(np.int16)


def packets(audio: Pcm) -> list[RtpAudio]:
    encoder = OpusEncoder()
    return [
        RtpAudio(i, 960 * i, bytes(encoder.encode(audio[FRAME * i : FRAME * (i + 1)], i)))
        for i in range(len(audio) // FRAME)
    ]


def test_frames_are_20_ms_at_16_khz_and_their_positions_are_gapless() -> None:
    listener = Listener()
    frames = [
        frame
        for index, packet in enumerate(packets(tone(440, 1.0, LINE_RATE)))
        for frame in listener.push(packet, 0.02 * index)
    ]
    assert {(frame.samples, frame.sample_rate) for frame in frames} == {(320, 16_000)}
    assert [frame.position for frame in frames] == [320 * i for i in range(len(frames))]
    assert len(frames) == 50  # each packet gives its frame at once
    heard = np.concatenate([frame.pcm for frame in frames[5:]]).astype(float)
    peak = np.abs(np.fft.rfft(heard)).argmax() * 16_000 / len(heard)
    assert peak == pytest.approx(440, abs=5)


def test_a_lost_packet_is_silence_of_the_same_length() -> None:
    sent = packets(tone(440, 1.0, LINE_RATE))
    complete, lossy = Listener(), Listener()
    whole = [f for i, p in enumerate(sent) for f in complete.push(p, 0.02 * i)]
    holed = [f for i, p in enumerate(sent) if i not in (20, 21) for f in lossy.push(p, 0.02 * i)]
    assert [f.position for f in holed] == [f.position for f in whole]
    middle = np.concatenate([f.pcm for f in holed])[20 * 320 + 160 : 22 * 320 - 160]
    assert np.abs(middle).max() == 0


def test_packets_that_are_no_opus_are_silence_and_never_an_error() -> None:
    listener = Listener()
    rng = np.random.default_rng(5)
    frames = []
    for index in range(50):
        packet = RtpAudio(index, 960 * index, b"\x48" + rng.bytes(30))
        frames += listener.push(packet, 0.02 * index)
    assert sum(frame.samples for frame in frames) == 50 * 320
