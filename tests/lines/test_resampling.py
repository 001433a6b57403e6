"""Resampling: streaming equals offline, in any pieces, and at once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omni_agent.audio import Pcm
from omni_agent.lines.resampling import PromptResampler

RATES = [(48_000, 16_000), (16_000, 24_000), (22_050, 24_000), (44_100, 24_000), (8_000, 24_000)]


def tone(hz: float, seconds: float, rate: int) -> Pcm:
    wave = 8000 * np.sin(2 * np.pi * hz * np.arange(int(seconds * rate)) / rate)
    return wave.astype(np.int16)


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(RATES), st.lists(st.integers(0, 2000), max_size=20))
def test_any_pieces_give_the_same_samples(rates: tuple[int, int], cuts: list[int]) -> None:
    audio = np.random.default_rng(3).integers(-20_000, 20_000, 12_000).astype(np.int16)
    whole = PromptResampler(*rates).push(audio)
    streaming, at, out = PromptResampler(*rates), 0, []
    for cut in [*cuts, len(audio)]:
        out.append(streaming.push(audio[at : at + cut]))
        at += cut
    # The same products may be summed in another order: a rounding apart.
    assert np.abs(np.concatenate(out).astype(int) - whole).max() <= 1
    assert len(np.concatenate(out)) == len(whole)


@pytest.mark.parametrize(("source", "target"), [(48_000, 16_000), (16_000, 24_000)])
def test_20_ms_in_are_20_ms_out_at_once(source: int, target: int) -> None:
    resampler = PromptResampler(source, target)
    for _ in range(10):
        assert len(resampler.push(np.zeros(source // 50, np.int16))) == target // 50


@pytest.mark.parametrize(("source", "target"), RATES)
def test_the_delay_is_at_most_two_milliseconds(source: int, target: int) -> None:
    pulse = np.zeros(source // 10, np.int16)
    pulse[source // 20] = 20_000
    out = PromptResampler(source, target).push(pulse)
    delay_ms = 1000 * (np.abs(out.astype(int)).argmax() / target - 0.05)
    assert 0 < delay_ms < 3 if source == 8_000 else 0 < delay_ms < 2


@pytest.mark.parametrize(
    ("source", "target", "hz", "passes"),
    [
        (48_000, 16_000, 200, True),
        (48_000, 16_000, 6000, True),
        (48_000, 16_000, 9000, False),
        (48_000, 16_000, 15_900, False),
        (16_000, 24_000, 6000, True),
        (44_100, 24_000, 9000, True),
        (44_100, 24_000, 14_000, False),
        (22_050, 24_000, 8000, True),
    ],
)
def test_speech_passes_and_what_would_alias_does_not(
    source: int, target: int, hz: float, passes: bool
) -> None:
    out = PromptResampler(source, target).push(tone(hz, 0.5, source)).astype(float)[200:-200]
    level = np.sqrt((out**2).mean()) / (8000 / np.sqrt(2))
    assert level > 0.95 if passes else level < 0.01


def test_images_above_the_source_do_not_appear() -> None:
    out = PromptResampler(16_000, 24_000).push(tone(3000, 1.0, 16_000)).astype(float)[240:-240]
    spectrum = np.abs(np.fft.rfft(out * np.hanning(len(out)))) ** 2
    hz = np.fft.rfftfreq(len(out), 1 / 24_000)
    assert spectrum[abs(hz - 3000) > 200].sum() < 1e-5 * spectrum.sum()


def test_finish_gives_back_what_the_filter_holds() -> None:
    resampler = PromptResampler(48_000, 24_000)
    out = np.concatenate([resampler.push(np.full(4800, 1000, np.int16)), resampler.finish()])
    assert len(out) >= 2400
    assert abs(int(out.astype(int).sum()) - 2400 * 1000) < 3000
