"""The playout queue and its ledger, slot by slot."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omni_agent.audio import AudioFrame, Pcm
from omni_agent.lines.playout import EAR_BOUND_MS, EAR_DELAY_S, FADE_S, Playout
from omni_agent.transport import Heard, PlayoutFinished, PlayoutStarted

LINE_RATE = 24_000
FRAME = LINE_RATE // 50
FADE = round(FADE_S * LINE_RATE)


def loud(samples: int, level: int = 10_000) -> AudioFrame:
    return AudioFrame(np.full(samples, level, np.int16), LINE_RATE)


class Line:
    """Pulls frames on a virtual 20 ms grid that starts at second 50."""

    def __init__(self) -> None:
        self.playout = Playout()
        self.slot = 0
        self.sent: list[Pcm] = []

    @property
    def now(self) -> float:
        return 50 + 0.02 * self.slot

    def sent_ms(self, utterance: str) -> float:
        """How much of it has left, and so will have been heard at some time."""
        return self.playout.heard(utterance, self.now + 60).ms

    def pull(self, frames: int = 1) -> Pcm:
        out = []
        for _ in range(frames):
            pcm = self.playout.next_frame(self.slot, self.now)
            out.append(np.zeros(FRAME, np.int16) if pcm is None else pcm)
            self.slot += 1
        self.sent += out
        return np.concatenate(out)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(1, 1500), min_size=1, max_size=12), st.lists(st.integers(1, 4)))
def test_what_is_queued_in_any_pieces_is_sent_sample_by_sample(
    pieces: list[int], pulls: list[int]
) -> None:
    line = Line()
    audio = np.arange(1, sum(pieces) + 1).astype(np.int16)
    audio[audio == 0] = 1
    at = 0
    for index, piece in enumerate(pieces):
        line.playout.put("u", AudioFrame(audio[at : at + piece], LINE_RATE))
        at += piece
        if index < len(pulls):
            line.pull(pulls[index])
    line.playout.finish("u")
    line.pull(len(audio) // FRAME + 2)
    sent = np.concatenate(line.sent)
    np.testing.assert_array_equal(sent[sent != 0], audio)
    assert line.sent_ms("u") == pytest.approx(1000 * len(audio) / LINE_RATE)
    kinds = [type(event) for event in line.playout.take_events()]
    assert kinds == [PlayoutStarted, PlayoutFinished]


def test_silence_is_told_apart_so_that_it_need_not_be_encoded() -> None:
    assert Playout().next_frame(0, 0.0) is None


def test_an_utterance_that_stalls_waits_and_goes_on_without_a_hole_in_its_ledger() -> None:
    line = Line()
    line.playout.put("u", loud(FRAME + 100))
    line.pull(3)
    line.playout.put("u", loud(FRAME - 100))
    line.pull(1)
    assert line.sent_ms("u") == 40
    assert [type(event) for event in line.playout.take_events()] == [PlayoutStarted]


def test_one_utterance_follows_another_within_the_same_frame() -> None:
    line = Line()
    line.playout.put("a", loud(100, 1))
    line.playout.finish("a")
    line.playout.put("b", loud(FRAME, 2))
    line.playout.finish("b")
    frame = line.pull()
    assert list(frame[:101]) == [1] * 100 + [2]
    line.pull()
    assert line.playout.take_events() == [
        PlayoutStarted("a", 50.0),
        PlayoutStarted("b", 50.0),
        PlayoutFinished("a", 50.0),
        PlayoutFinished("b", 50.02),
    ]


def test_a_hold_is_silence_within_a_fade_and_resume_goes_on_where_it_stopped() -> None:
    line = Line()
    audio = loud(20 * FRAME)
    line.playout.put("u", audio)
    line.playout.finish("u")
    line.pull(5)
    line.playout.hold()
    faded = line.pull()
    assert faded[0] > 9_000
    assert np.all(np.diff(faded[:FADE].astype(int)) <= 0)
    assert np.all(faded[FADE:] == 0)
    assert np.all(line.pull(10) == 0)
    assert line.sent_ms("u") == pytest.approx(100 + 1000 * FADE / LINE_RATE)
    line.playout.resume()
    back = line.pull()
    assert back[0] == 0
    assert np.all(np.diff(back[:FADE].astype(int)) >= 0)
    assert np.all(back[FADE:] == 10_000)
    line.pull(20)
    assert line.sent_ms("u") == 400
    assert isinstance(line.playout.take_events()[-1], PlayoutFinished)


def test_a_flush_is_silence_within_a_fade_and_tells_what_was_dropped() -> None:
    line = Line()
    line.playout.put("u", loud(50 * FRAME))
    line.playout.finish("u")
    line.pull(10)
    dropped = line.playout.flush()
    faded = line.pull()
    assert np.all(np.diff(faded[:FADE].astype(int)) <= 0)
    assert np.all(faded[FADE:] == 0)
    assert np.all(line.pull(5) == 0)
    assert line.sent_ms("u") == pytest.approx(200 + 8)
    assert dropped == pytest.approx(1000 - 200 - 8)
    assert line.playout.take_events() == [PlayoutStarted("u", 50.0)]


def test_a_flush_before_anything_left_drops_everything() -> None:
    line = Line()
    line.playout.put("u", loud(5 * FRAME))
    assert line.playout.flush() == pytest.approx(100)
    assert np.all(line.pull(2) == 0)
    assert line.playout.heard("u", line.now + 1) == Heard(0.0, EAR_BOUND_MS)


def test_what_is_put_after_a_flush_under_the_same_name_is_dropped_and_a_new_name_plays() -> None:
    line = Line()
    line.playout.put("u", loud(5 * FRAME))
    line.pull()
    line.playout.flush()
    line.pull()
    line.playout.put("u", loud(5 * FRAME))
    line.playout.finish("u")
    assert np.all(line.pull(3) == 0)
    line.playout.put("v", loud(FRAME))
    assert np.all(line.pull() == 10_000)


def test_a_flush_ends_a_hold() -> None:
    line = Line()
    line.playout.put("u", loud(5 * FRAME))
    line.pull()
    line.playout.hold()
    line.pull()
    line.playout.flush()
    line.playout.put("v", loud(FRAME))
    assert np.all(line.pull() == 10_000)


def test_a_flush_right_after_a_hold_still_fades() -> None:
    line = Line()
    line.playout.put("u", loud(5 * FRAME))
    line.pull()
    line.playout.hold()
    line.playout.flush()
    assert line.pull()[0] > 9_000


def test_heard_follows_the_audio_to_the_ear_exactly() -> None:
    line = Line()
    line.playout.put("u", loud(10 * FRAME))
    line.pull(3)  # three silent frames' worth of waiting is not counted: audio begins at once
    line.playout.finish("u")
    line.pull(7)
    begun = 50.0
    for ms in (0, 1, 37, 100, 199):
        at = begun + EAR_DELAY_S + ms / 1000
        assert line.playout.heard("u", at) == Heard(pytest.approx(ms, abs=1e-6), EAR_BOUND_MS)
    assert line.playout.heard("u", begun + EAR_DELAY_S + 0.1, round_trip_s=0.08).ms == (
        pytest.approx(60, abs=1e-6)
    )
    assert line.playout.heard("u", begun + 5) == Heard(200.0, 0.0)


def test_heard_stands_still_during_a_hold_and_after_a_flush() -> None:
    line = Line()
    line.playout.put("u", loud(50 * FRAME))
    line.pull(5)
    line.playout.hold()
    line.pull(50)
    assert line.playout.heard("u", line.now).ms == pytest.approx(108)
    line.playout.resume()
    line.pull(1)
    line.playout.flush()
    line.pull(50)
    assert line.playout.heard("u", line.now).ms == pytest.approx(108 + 20 + 8)


def test_an_unknown_utterance_was_not_heard_and_the_ledger_stays_small() -> None:
    line = Line()
    for index in range(500):
        line.playout.put(f"u{index}", loud(FRAME))
        line.playout.finish(f"u{index}")
        line.pull()
    assert line.playout.heard("nobody", line.now) == Heard(0.0)
    assert line.playout.heard("u0", line.now) == Heard(0.0)
    assert line.playout.heard("u499", line.now + 1).ms == 20
    assert len(line.playout._ledger) <= 64


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 44_100, 48_000])
def test_speech_of_any_rate_keeps_its_length(rate: int) -> None:
    line = Line()
    for _ in range(10):
        line.playout.put("u", AudioFrame(np.full(rate // 10, 5000, np.int16), rate))
    line.playout.finish("u")
    line.pull(60)
    assert line.sent_ms("u") == pytest.approx(1000, abs=3)  # the filter rings on


def test_finishing_what_was_never_spoken_is_over_at_once() -> None:
    line = Line()
    line.playout.finish("u")
    line.pull()
    assert line.playout.take_events() == [PlayoutFinished("u", 50.0)]


def test_what_left_for_a_lost_line_is_not_heard_and_said_again_when_it_is_back() -> None:
    line = Line()
    audio = np.arange(1, 20 * FRAME + 1).astype(np.int16)
    line.playout.put("u", AudioFrame(audio, LINE_RATE))
    line.playout.finish("u")
    line.pull(5)
    lost_at = line.now
    line.pull(10)
    line.playout.stall(lost_at)
    assert not line.pull(30).any()
    assert line.playout.heard("u", line.now + 10).ms == 100
    line.playout.recover()
    again = line.pull(15)
    np.testing.assert_array_equal(again[FADE:], audio[5 * FRAME + FADE :])
    line.pull()
    kinds = [type(event) for event in line.playout.take_events()]
    assert kinds == [PlayoutStarted, PlayoutFinished]
    assert line.playout.heard("u", line.now + 10) == Heard(400, 0)


def test_the_end_of_an_utterance_is_not_told_before_the_line_is_known_to_be_there() -> None:
    line = Line()
    line.playout.put("u", loud(5 * FRAME))
    line.playout.finish("u")
    lost_at = line.now
    line.pull(10)
    told = line.playout.take_events(certain=False)
    assert [type(event) for event in told] == [PlayoutStarted]
    line.playout.stall(lost_at)
    assert line.playout.take_events() == []
    line.playout.recover()
    assert np.count_nonzero(line.pull(10)) > 4 * FRAME
    assert [type(event) for event in line.playout.take_events()] == [PlayoutFinished]


def test_what_was_flushed_is_not_said_again() -> None:
    line = Line()
    line.playout.put("u", loud(20 * FRAME))
    lost_at = line.now
    line.pull(5)
    line.playout.flush()
    line.pull(2)
    line.playout.stall(lost_at)
    line.playout.recover()
    assert not line.pull(20).any()
    assert line.playout.heard("u", line.now + 10).ms == 0


def test_a_hold_outlasts_a_lost_line_and_a_flush_during_it_is_silent() -> None:
    line = Line()
    line.playout.put("u", loud(20 * FRAME))
    line.pull(5)
    line.playout.hold()
    line.playout.stall(line.now)
    line.playout.recover()
    assert not line.pull(3)[FADE:].any()
    line.playout.resume()
    assert line.pull(3).any()
    line.playout.stall(line.now)
    line.playout.resume()
    line.playout.flush()
    assert not line.pull(5).any()


@pytest.mark.parametrize(("rate", "slot_s"), [(8_000, 0.02), (16_000, 0.01), (24_000, 0.1)])
def test_a_line_has_the_rate_and_the_frames_that_it_needs(rate: int, slot_s: float) -> None:
    playout = Playout(rate, slot_s=slot_s, ear_delay_s=0.2, ear_bound_ms=80)
    playout.put("u", loud(LINE_RATE // 2))  # 500 ms
    playout.finish("u")
    sent = []
    while (frame := playout.next_frame(len(sent), len(sent) * slot_s)) is not None:
        sent.append(frame)
    assert {len(frame) for frame in sent} == {playout.frame} == {round(rate * slot_s)}
    assert len(sent) * slot_s == pytest.approx(0.5, abs=slot_s + 0.002)
    assert playout.heard("u", 0.2 + 0.1) == Heard(pytest.approx(100, abs=0.2), 80)
    playout.put("v", loud(LINE_RATE))
    playout.next_frame(len(sent), len(sent) * slot_s)
    playout.flush()
    tail = playout.next_frame(len(sent) + 1, (len(sent) + 1) * slot_s)
    assert tail is not None
    assert np.count_nonzero(tail) / rate == pytest.approx(FADE_S, abs=0.0005)
