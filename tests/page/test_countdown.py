"""Panels that count down, by the server's clock, and stop with the call."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.page.driving import call, receive, stop_the_clock
from tests.page.scripted import ScriptedServer

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


def timers(*until: float) -> dict[str, Any]:
    rows = [{"label": "tea", "value": "2 minutes", "state": "on", "until": at} for at in until]
    return {"type": "omni.panel", "panel": "timers", "data": {"title": "Timers", "rows": rows}}


async def test_a_row_with_a_moment_counts_down_to_it_and_then_it_is_now(open_page: Any) -> None:
    page: Page = await open_page()
    await expect(page.get_by_test_id("personas")).to_be_visible()  # the server's date has come
    await stop_the_clock(page)
    now = await page.evaluate("Date.now() / 1000")
    await receive(page, timers(now + 125))
    left = page.get_by_test_id("countdown")
    await expect(left).to_have_text("2:05 left")
    await page.clock.run_for(65_000)
    await expect(left).to_have_text("1:00 left")
    await page.clock.run_for(61_000)
    await expect(left).to_have_text("now")


async def test_a_browser_whose_clock_is_wrong_counts_down_right(open_page: Any) -> None:
    page: Page = await open_page()
    await page.clock.install(time=time.time() - 3600)  # an hour behind the server
    await page.reload()  # the answers bring the server's date along
    await expect(page.get_by_test_id("personas")).to_be_visible()
    await receive(page, timers(time.time() + 1800))
    await expect(page.get_by_test_id("countdown")).to_have_text(re.compile(r"^(29|30):\d\d left$"))


async def test_after_the_call_nothing_rings_any_more(
    open_page: Any, server: ScriptedServer
) -> None:
    page: Page = await open_page()
    await call(page)
    await receive(page, timers(time.time() + 600))
    await page.get_by_test_id("hangup").click()
    await expect(page.get_by_test_id("countdown")).to_have_text("stopped")
    await expect(page.get_by_test_id("panel")).to_contain_text("As it was when the call ended.")
