"""The time that a tool may take."""

from __future__ import annotations

import asyncio

import pytest

from omni_agent.testing import virtual_time
from omni_agent.tools.allowance import Allowance


@virtual_time
async def test_time_runs_out_but_for_that_in_which_it_is_stopped() -> None:
    loop = asyncio.get_running_loop()
    began, allowance = loop.time(), Allowance(5.0)
    work = asyncio.create_task(asyncio.sleep(1000))
    loop.call_later(2, allowance.stop)
    loop.call_later(102, allowance.run)
    await allowance.wait(work)
    assert not work.done()
    assert loop.time() - began == pytest.approx(105)
    allowance.stop()
    assert allowance.used_s == pytest.approx(5)
    work.cancel()


@virtual_time
async def test_who_is_done_in_time_is_waited_for_no_longer() -> None:
    allowance = Allowance(5.0)
    work = asyncio.create_task(asyncio.sleep(2))
    await allowance.wait(work)
    assert work.done()
    allowance.stop()
    allowance.stop()
    assert allowance.used_s == pytest.approx(2)
