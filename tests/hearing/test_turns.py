"""Turn-taking: beginnings, pauses, and ends."""

from __future__ import annotations

import weakref

from hypothesis import given
from hypothesis import strategies as st

from omni_agent.audio import AudioFrame
from omni_agent.ears import EAR_RATE
from omni_agent.hearing.turns import Endpointer, Step, TurnDetector, TurnTiming
from omni_agent.testing.doubles import Loudness

WINDOW = 32


def steps(pattern: str, timing: TurnTiming | None = None) -> list[tuple[int, Step]]:
    """Steps for a string of windows: ``x`` is speech, ``.`` is silence, ``~`` is in between."""
    endpointer = Endpointer(WINDOW, timing or TurnTiming())
    levels = {"x": 0.95, ".": 0.02, "~": 0.35}
    found = [(i, endpointer.step(levels[mark])) for i, mark in enumerate(pattern)]
    return [(i, step) for i, step in found if step is not None]


def test_a_click_is_not_a_beginning() -> None:
    assert steps("..x...x.....") == []


def test_speech_then_silence_is_one_turn_with_a_pause_before_its_end() -> None:
    kinds = [step for _, step in steps("xxxxxxxxxx" + "." * 20)]
    assert kinds == [Step.BEGAN, Step.PAUSED, Step.ENDED]


def test_a_turn_ends_after_the_persona_s_patience() -> None:
    found = {step: i for i, step in steps("x" * 10 + "." * 40, TurnTiming(patience_ms=640))}
    assert found[Step.ENDED] - 9 == 640 // WINDOW


def test_a_user_who_goes_on_after_a_pause_is_in_the_same_turn() -> None:
    kinds = [step for _, step in steps("xxxxx" + "." * 6 + "xxxxx" + "." * 20)]
    assert kinds == [Step.BEGAN, Step.PAUSED, Step.RESUMED, Step.PAUSED, Step.ENDED]


def test_quiet_voice_carries_a_turn_on_but_does_not_begin_one() -> None:
    assert steps("~~~~~~~~") == []
    assert [step for _, step in steps("xxxx~~~~~~~~~~~~~~~~~~~~")] == [Step.BEGAN]


def test_an_endless_turn_is_ended_by_force() -> None:
    kinds = [step for _, step in steps("x" * 100, TurnTiming(max_turn_ms=2000))]
    assert kinds[:2] == [Step.BEGAN, Step.ENDED]


@given(st.lists(st.floats(0, 1), max_size=400))
def test_steps_always_come_in_an_order_that_makes_sense(probabilities: list[float]) -> None:
    endpointer = Endpointer(WINDOW, TurnTiming())
    allowed = {
        None: {Step.BEGAN},
        Step.BEGAN: {Step.PAUSED, Step.ENDED},
        Step.PAUSED: {Step.RESUMED, Step.ENDED},
        Step.RESUMED: {Step.PAUSED, Step.ENDED},
        Step.ENDED: {Step.BEGAN},
    }
    last = None
    for probability in probabilities:
        step = endpointer.step(probability)
        if step is not None:
            assert step in allowed[last]
            last = step


async def test_a_piece_of_audio_with_nothing_in_it_is_not_kept() -> None:
    detector = TurnDetector(Loudness(), TurnTiming())
    piece = AudioFrame.silence(0, EAR_RATE)
    kept = weakref.ref(piece)
    await detector.push(piece)
    del piece
    assert kept() is None
