"""Every screen: nothing is cut, nothing scrolls sideways, and the words keep room to be read."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.page.driving import CONVERSATION, box, call, receive
from tests.page.scripted import ScriptedServer

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

SIZES = [(320, 568), (360, 640), (390, 844), (768, 1024), (844, 390), (640, 400), (1280, 800)]
"""Small and usual phones, a tablet, a phone on its side, 1280 × 800 at 200 % and at 100 %."""

CONTROLS = ("mute", "camera", "stop", "hangup", "message", "send", "copy", "save", "open-settings")
LINE_PX = 25
"""One line of the transcript."""

SPILLED = """() => [...document.querySelectorAll('body *:not(.sr):not(.sr *)')]
    .filter(one => one.checkVisibility({checkOpacity: true}))
    .filter(one => !one.closest('svg, .persona-list, .skip'))  // a list that is swiped sideways
    .filter(one => getComputedStyle(one).clipPath === 'none')
    .filter(one => { const {left, right} = one.getBoundingClientRect();
                     return right > innerWidth + 0.5 || left < -0.5; })
    .map(one => one.id || one.className || one.tagName)"""

COVERED = """ids => ids.filter(id => {
    const one = document.querySelector(`[data-testid=${id}]`);
    const {left, top, width, height} = one.getBoundingClientRect();
    const there = document.elementFromPoint(left + width / 2, top + height / 2);
    return !(one === there || one.contains(there));
})"""


async def nothing_sticks_out(page: Page) -> None:
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert await page.evaluate(SPILLED) == []
    sideways = "one => one.scrollWidth <= one.clientWidth"
    for place in ("#scroll", ".stage", "#panels"):
        assert await page.locator(place).evaluate(sideways), place


async def reaches(page: Page, *controls: str) -> None:
    for control in controls:
        await expect(page.get_by_test_id(control)).to_be_in_viewport(ratio=1)
    assert await page.evaluate(COVERED, list(controls)) == []


async def lines_to_read(page: Page) -> float:
    """How many lines of the transcript are in sight."""
    height: float = await page.locator("#scroll").evaluate(
        """one => { const {paddingTop, paddingBottom} = getComputedStyle(one);
        return one.clientHeight - parseFloat(paddingTop) - parseFloat(paddingBottom); }"""
    )
    return height / LINE_PX


@pytest.mark.parametrize(("width", "height"), SIZES, ids=str)
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_size_has_room_for_everything(
    open_page: Any, server: ScriptedServer, width: int, height: int, scheme: str
) -> None:
    page = await open_page(
        viewport={"width": width, "height": height},
        color_scheme=scheme,
        may_complain=("Failed to load resource",),
    )
    await expect(page.get_by_test_id("personas")).to_be_visible()
    await nothing_sticks_out(page)
    await reaches(page, "call", "open-settings", "persona-concierge")
    await call(page)
    await receive(page, *CONVERSATION)
    await nothing_sticks_out(page)
    await reaches(page, *CONTROLS)
    assert await lines_to_read(page) >= 5
    await page.locator("details.waterfall summary").click()
    await nothing_sticks_out(page)
    await page.get_by_test_id("hangup").click()
    await reaches(page, "call", "copy", "save")
    server.refuse(503, {}, {"Retry-After": "20"})
    await page.get_by_test_id("call").click()
    await expect(page.get_by_test_id("problem")).to_be_visible()
    await nothing_sticks_out(page)
    await reaches(page, "call", "problem")
    assert await lines_to_read(page) >= 2


async def test_an_open_panel_leaves_room_for_the_words_on_a_phone(open_page: Any) -> None:
    for width, height in [(320, 568), (360, 640), (844, 390)]:
        page = await open_page(viewport={"width": width, "height": height})
        await call(page)
        await receive(page, *CONVERSATION)
        await page.locator("[data-panel=home] summary").click()
        await expect(page.get_by_test_id("panel-row").first).to_be_in_viewport()
        await nothing_sticks_out(page)
        await reaches(page, "hangup", "mute", "message")
        assert await lines_to_read(page) >= 2
        await page.get_by_test_id("hangup").click()
        await nothing_sticks_out(page)
        await reaches(page, "call")
        assert await lines_to_read(page) >= 2


async def test_push_to_talk_fits_where_mute_was(open_page: Any) -> None:
    for width, height in [(320, 568), (640, 400), (1280, 800)]:
        page = await open_page(viewport={"width": width, "height": height})
        await page.evaluate("localStorage.setItem('omni_agent.hold', 'yes')")
        await page.reload()
        await call(page)
        await receive(page, *CONVERSATION)
        await nothing_sticks_out(page)
        await reaches(page, "talk", "camera", "stop", "hangup")


async def test_at_400_percent_the_page_scrolls_and_nothing_is_lost(open_page: Any) -> None:
    page = await open_page(viewport={"width": 320, "height": 256})
    await call(page)
    await receive(page, *CONVERSATION)
    await nothing_sticks_out(page)
    await reaches(page, "hangup", "mute")
    for control in ("copy", "persona-concierge", "message"):
        await page.get_by_test_id(control).scroll_into_view_if_needed()
        await expect(page.get_by_test_id(control)).to_be_in_viewport()
    assert await lines_to_read(page) >= 4


async def test_the_dialogs_fit_a_low_screen_and_close(open_page: Any) -> None:
    page = await open_page(viewport={"width": 640, "height": 400})
    for name in ("settings", "help"):
        await page.get_by_test_id(f"open-{name}").click()
        drawn = await box(page.get_by_test_id(name))
        assert drawn["y"] >= 0
        assert drawn["y"] + drawn["height"] <= 400
        await page.get_by_test_id(name).get_by_role("button", name="Close").click()


@pytest.mark.parametrize(("width", "height"), [(320, 568), (640, 400), (1280, 800)], ids=str)
async def test_logging_out_is_in_the_settings_where_a_key_was_brought(
    open_page: Any, server: ScriptedServer, width: int, height: int
) -> None:
    server.logged_in = True
    page = await open_page(viewport={"width": width, "height": height})
    await expect(page.get_by_test_id("personas")).to_be_visible()
    await page.get_by_test_id("open-settings").click()
    await page.get_by_test_id("log-out").scroll_into_view_if_needed()
    await nothing_sticks_out(page)
    await reaches(page, "log-out")
    drawn = await box(page.get_by_test_id("log-out"))
    assert drawn["height"] >= 38
    await page.keyboard.press("Escape")
    server.logged_in = False
    await page.reload()
    await expect(page.get_by_test_id("personas")).to_be_visible()
    await page.get_by_test_id("open-settings").click()
    await expect(page.get_by_test_id("log-out")).to_be_hidden()


async def test_the_controls_are_seen_with_the_reader_s_own_colours(open_page: Any) -> None:
    page = await open_page(forced_colors="active")
    await expect(page.get_by_test_id("call")).to_have_css("border-top-style", "solid")
    await call(page)
    await receive(page, *CONVERSATION)
    for place in ("#mute svg", "#hangup svg", ".panel", ".tool", ".compose"):
        await expect(page.locator(place).first).to_have_css("border-top-style", "solid")


async def test_more_contrast_makes_every_faint_text_full_ink(open_page: Any) -> None:
    page = await open_page(contrast="more")
    await call(page)
    await receive(page, *CONVERSATION)
    ink = await page.locator("h1").evaluate("one => getComputedStyle(one).color")
    for place in (".waterfall summary", ".unheard", ".activity", ".round .label"):
        await expect(page.locator(place).first).to_have_css("color", ink)
