"""Push-to-talk: by key, by button, by finger; and the volume."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.page.driving import box, call

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

LOUD = "() => Number(document.getElementById('meter-in').style.getPropertyValue('--level')) > 0.3"
QUIET = "() => Number(document.getElementById('meter-in').style.getPropertyValue('--level')) < 0.05"


async def to_hold(open_page: Any, **options: Any) -> Page:
    """A call with push-to-talk, and its microphone closed."""
    page: Page = await open_page(**options)
    await page.get_by_test_id("open-settings").click()
    await page.get_by_test_id("push-to-talk").check()
    await page.keyboard.press("Escape")
    await call(page)
    await page.wait_for_function(QUIET)
    return page


async def is_on(page: Page) -> None:
    await expect(page.get_by_test_id("talk")).to_have_attribute("aria-pressed", "true")
    await page.wait_for_function(LOUD)


async def is_off(page: Page) -> None:
    await expect(page.get_by_test_id("talk")).to_have_attribute("aria-pressed", "false")
    await page.wait_for_function(QUIET)


async def test_the_microphone_is_on_only_while_space_is_held(open_page: Any) -> None:
    page = await to_hold(open_page)
    await expect(page.get_by_test_id("mute")).to_be_hidden()
    await expect(page.get_by_test_id("talk")).to_be_focused()
    await expect(page.get_by_test_id("activity")).to_have_text("Hold to talk")
    for focused in (True, False):  # on the button, and anywhere else
        if not focused:
            await page.get_by_test_id("talk").blur()
        await page.keyboard.down("Space")
        await page.keyboard.down("Space")  # it repeats
        await is_on(page)
        await expect(page.get_by_test_id("activity")).to_have_text("Listening")
        await page.keyboard.up("Space")
        await is_off(page)


async def test_space_in_a_message_is_a_space(open_page: Any) -> None:
    page = await to_hold(open_page)
    await page.get_by_test_id("message").focus()
    await page.keyboard.type("a b")
    await expect(page.get_by_test_id("message")).to_have_value("a b")
    await is_off(page)


async def test_the_button_is_held_by_mouse_even_if_the_hand_slips(open_page: Any) -> None:
    page = await to_hold(open_page)
    talk = await box(page.get_by_test_id("talk"))
    await page.mouse.move(talk["x"] + 20, talk["y"] + 20)
    await page.mouse.down()
    await is_on(page)
    await page.mouse.move(talk["x"] + 300, talk["y"] - 200)
    await is_on(page)
    await page.mouse.up()
    await is_off(page)


async def test_the_button_is_held_by_a_finger(open_page: Any) -> None:
    page = await to_hold(open_page, has_touch=True, viewport={"width": 390, "height": 844})
    talk = await box(page.get_by_test_id("talk"))
    touch = await page.context.new_cdp_session(page)
    point = {"x": talk["x"] + 20, "y": talk["y"] + 20}
    await touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [point]})
    await is_on(page)
    await touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    await is_off(page)


async def test_a_press_without_a_hand_toggles(open_page: Any) -> None:
    page = await to_hold(open_page)
    press = "document.getElementById('talk').click()"  # as voice control and screen readers do
    await page.evaluate(press)
    await is_on(page)
    await page.evaluate(press)
    await is_off(page)


async def test_a_window_that_loses_the_focus_lets_go(open_page: Any) -> None:
    page = await to_hold(open_page)
    await page.keyboard.down("Space")
    await is_on(page)
    await page.evaluate("window.dispatchEvent(new Event('blur'))")
    await is_off(page)


async def test_the_choice_is_remembered_and_can_be_undone_in_the_call(open_page: Any) -> None:
    page = await to_hold(open_page)
    await page.reload()
    await call(page)
    await expect(page.get_by_test_id("talk")).to_be_visible()
    await page.get_by_test_id("open-settings").click()
    await page.get_by_test_id("push-to-talk").uncheck()
    await page.keyboard.press("Escape")
    await expect(page.get_by_test_id("talk")).to_be_hidden()
    await expect(page.get_by_test_id("mute")).to_have_text("Mute")
    await page.wait_for_function(LOUD)


async def test_space_talks_after_a_dialog_was_closed_and_enter_opens_it_again(
    open_page: Any,
) -> None:
    page: Page = await open_page()
    await call(page)
    for dialog in ("settings", "help"):
        opener, shown = page.get_by_test_id(f"open-{dialog}"), page.get_by_test_id(dialog)
        await opener.click()
        if dialog == "settings":
            await page.get_by_test_id("push-to-talk").press("Space")  # a tick, as in any form
        await page.keyboard.press("Escape")
        await expect(opener).to_be_focused()
        await page.keyboard.down("Space")
        await is_on(page)
        await page.keyboard.up("Space")
        await is_off(page)
        await expect(shown).to_be_hidden()
        await page.keyboard.press("Enter")
        await expect(shown).to_be_visible()
        await page.keyboard.press("Escape")


async def test_the_volume_is_set_by_a_slider_and_remembered(open_page: Any) -> None:
    page: Page = await open_page()
    volume = "(async () => (await import('/main.js')).volume())()"
    assert await page.evaluate(volume) == 1
    await page.get_by_test_id("open-settings").click()
    await page.get_by_test_id("volume").fill("35")
    await expect(page.get_by_test_id("volume")).to_have_attribute("aria-valuetext", "35 %")
    assert await page.evaluate(volume) == pytest.approx(0.35)
    await page.reload()
    assert await page.evaluate(volume) == pytest.approx(0.35)
