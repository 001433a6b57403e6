"""The frame clock, on a clock of its own."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from omni_agent.lines.clock import SLOT_S, FrameClock


class Time:
    """Virtual time that passes by sleeping, or by ``work``."""

    def __init__(self) -> None:
        self.now = 100.0
        self.late: list[float] = []
        self.clock = FrameClock(self.late.append, time=lambda: self.now, sleep=self.sleep)

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


async def test_slots_are_on_a_grid_however_long_the_work_takes() -> None:
    time = Time()
    for expected in range(100):
        slot, due = await time.clock.tick()
        assert slot == expected
        assert abs(due - (100.0 + expected * SLOT_S)) < 1e-9
        time.now += 0.013
    assert max(time.late) < 1e-9


async def test_a_little_late_is_caught_up_with_no_slot_lost() -> None:
    time = Time()
    await time.clock.tick()
    time.now += 0.09
    slots = [(await time.clock.tick())[0] for _ in range(6)]
    assert slots == [1, 2, 3, 4, 5, 6]
    assert abs(time.late[1] - 0.07) < 1e-9


async def test_far_behind_slots_are_left_out_instead_of_sent_in_a_burst() -> None:
    time = Time()
    await time.clock.tick()
    time.now += 1.005
    slot, due = await time.clock.tick()
    assert slot == 51
    assert abs(due - 101.02) < 1e-9
    assert time.now == due
    assert max(time.late) > 0.9  # the stall is counted, not hidden by the skip


@given(st.lists(st.floats(0, 0.5), max_size=50))
async def test_slots_only_go_forward_and_never_before_they_are_due(work: list[float]) -> None:
    time = Time()
    last = -1
    for seconds in work:
        slot, due = await time.clock.tick()
        assert slot > last
        assert time.now >= due - 1e-9
        last = slot
        time.now += seconds


async def test_a_line_may_have_longer_slots() -> None:
    now = 0.0

    async def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    clock = FrameClock(slot_s=0.1, time=lambda: now, sleep=sleep)
    assert [round((await clock.tick())[1], 6) for _ in range(4)] == [0.0, 0.1, 0.2, 0.3]
