"""What a client sends, as ears take it, and how much of it."""

from __future__ import annotations

import numpy as np
import pytest

from omni_agent.lines.credit import AHEAD_S, FASTEST, Credit
from omni_agent.lines.microphone import Microphone


@pytest.mark.parametrize("rate", [8_000, 16_000, 24_000, 48_000])
@pytest.mark.parametrize("piece", [1, 160, 777, 5000])
def test_any_pieces_at_any_rate_are_frames_without_a_gap(rate: int, piece: int) -> None:
    microphone = Microphone(rate)
    wave = (8000 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate)).astype(np.int16)
    frames = [f for at in range(0, rate, piece) for f in microphone.push(wave[at : at + piece])]
    assert {(frame.samples, frame.sample_rate) for frame in frames} == {(320, 16_000)}
    assert [frame.position for frame in frames] == [320 * i for i in range(len(frames))]
    assert len(frames) == 50
    heard = np.concatenate([frame.pcm for frame in frames]).astype(float)
    peak = np.abs(np.fft.rfft(heard)).argmax() * 16_000 / len(heard)
    assert peak == pytest.approx(440, abs=2)


def test_more_than_can_have_been_recorded_is_not_taken_in() -> None:
    credit = Credit(16_000)
    second = 16_000
    at_once = [credit.take(second, 100.0) for _ in range(5)]
    assert at_once == [True] * int(AHEAD_S) + [False] * 3
    fast = sum(credit.take(320, 100.0 + 0.01 * n) for n in range(1, 2001))  # twice real time
    assert fast / 1000 == pytest.approx(FASTEST, abs=0.01)
