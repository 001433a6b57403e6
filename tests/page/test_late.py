"""What a browser answers late, or while the line is away, must fit the call there is by then."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Page, Route, expect

from tests.page.driving import AWAY, call, call_at_once, until
from tests.page.scripted import ScriptedServer

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

ASKS = """() => {
    const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    window.asked = 0;
    window.opened = [];
    const allowed = new Promise((allow) => (window.allow = allow));
    navigator.mediaDevices.getUserMedia = async (wanted) => {
        window.asked += 1;
        await allowed;
        const stream = await open(wanted);
        window.opened.push(...stream.getTracks());
        return stream;
    };
}"""
"""From now on the browser asks its user, who has not answered yet."""

ALL_CLOSED = """count => window.opened.length === count
    && window.opened.every((track) => track.readyState === 'ended')"""

BACK = "delete window.away.getStats"


async def reconnecting(page: Page) -> list[Route]:
    """The line is away and the server is slow; what it was asked."""
    asked: list[Route] = []

    async def hold(route: Route) -> None:
        asked.append(route)

    await page.route("**/v1/realtime/calls/*", hold)
    await page.evaluate(AWAY)
    await expect(page.locator("body")).to_have_attribute("data-call", "reconnecting")
    await until(page, lambda: bool(asked))
    return asked


async def choose_microphone(page: Page) -> None:
    await page.get_by_test_id("open-settings").click()
    await expect(page.get_by_test_id("microphone").locator("option").nth(1)).to_be_attached()
    await page.get_by_test_id("microphone").select_option(index=1)
    await page.keyboard.press("Escape")


async def test_a_camera_that_opens_after_the_call_is_closed_again(open_page: Any) -> None:
    page = await open_page()
    await call(page)
    await page.evaluate(ASKS)
    await page.get_by_test_id("camera").click()
    await page.get_by_test_id("hangup").click()
    await page.evaluate("window.allow()")
    await page.wait_for_function(ALL_CLOSED, arg=1)
    await call(page)
    await expect(page.get_by_test_id("preview")).to_be_hidden()
    await expect(page.get_by_test_id("camera")).to_have_attribute("aria-pressed", "false")


async def test_a_camera_is_asked_for_once_and_not_wanted_any_more_by_the_second_press(
    open_page: Any,
) -> None:
    page = await open_page()
    await call(page)
    await page.evaluate(ASKS)
    await page.keyboard.press("v")
    await page.keyboard.press("v")
    await page.evaluate("window.allow()")
    await page.wait_for_function(ALL_CLOSED, arg=1)
    await expect(page.get_by_test_id("preview")).to_be_hidden()


async def test_a_microphone_that_opens_after_the_call_is_closed_again(open_page: Any) -> None:
    page = await open_page()
    await call(page)
    await page.evaluate(ASKS)
    await choose_microphone(page)
    await page.get_by_test_id("hangup").click()
    await page.evaluate("window.allow()")
    await page.wait_for_function(ALL_CLOSED, arg=1)


async def test_a_microphone_chosen_while_the_browser_asks_is_the_one_that_is_used(
    open_page: Any,
) -> None:
    page = await open_page()
    await call(page)  # names are known from now on
    await page.get_by_test_id("hangup").click()
    await page.evaluate(ASKS)
    await page.get_by_test_id("call").click()
    await page.wait_for_function("window.asked === 1")
    await choose_microphone(page)
    chosen = await page.get_by_test_id("microphone").input_value()
    await page.evaluate("window.allow()")
    await expect(page.locator("body")).to_have_attribute("data-call", "live")
    used = await page.evaluate(
        """window.opened.filter(one => one.readyState === 'live')
            .map(one => one.getSettings().deviceId)"""
    )
    assert used == [chosen]


async def test_a_microphone_chosen_while_the_line_is_away_is_used(open_page: Any) -> None:
    page = await open_page()
    await call(page)
    await reconnecting(page)
    before = await page.evaluate("window.away.getSenders()[0].track.id")
    await choose_microphone(page)
    await page.wait_for_function(
        "before => window.away.getSenders()[0].track.id !== before", arg=before
    )
    await page.evaluate(BACK)
    await expect(page.locator("body")).to_have_attribute("data-call", "live")


async def test_muting_works_while_the_line_is_away(open_page: Any) -> None:
    page = await open_page()
    await call(page)
    await reconnecting(page)
    await page.get_by_test_id("mute").click()
    await expect(page.get_by_test_id("mute")).to_have_attribute("aria-pressed", "true")


async def test_a_persona_chosen_while_the_line_is_away_is_asked_for_when_it_is_back(
    open_page: Any, server: ScriptedServer
) -> None:
    page = await open_page()
    await call(page)
    await reconnecting(page)
    await page.get_by_test_id("persona-tutor").check()
    await page.evaluate(BACK)
    wanted = {"type": "omni.persona.choose", "persona": "tutor"}
    await until(page, lambda: wanted in server.received)


async def test_a_microphone_that_cannot_be_used_is_a_sentence(open_page: Any) -> None:
    page = await open_page(may_complain=("omni_agent:",))
    await call(page)
    await page.evaluate(
        """() => { RTCRtpSender.prototype.replaceTrack = async () => {
            throw new DOMException('why', 'InvalidModificationError'); }; }"""
    )
    await choose_microphone(page)
    problem = page.get_by_test_id("problem")
    await expect(problem).to_contain_text("could not use this microphone")
    await expect(problem).not_to_contain_text("undefined")


async def test_a_goodbye_is_no_lost_line_although_another_is_being_offered(
    open_page: Any, server: ScriptedServer
) -> None:
    page = await open_page()
    await call(page)
    await until(page, lambda: server.channel is not None)
    await reconnecting(page)
    server.send({"type": "omni.session.ended", "reason": "idle"})
    server.drop()
    await expect(page.get_by_test_id("problem")).to_have_attribute("data-kind", "idle")
    await expect(page.locator("body")).to_have_attribute("data-call", "ended")


async def test_sound_that_is_held_back_until_the_call_is_over_is_not_told(open_page: Any) -> None:
    page = await open_page()
    await page.evaluate(
        """() => { HTMLMediaElement.prototype.play = () => new Promise((_, refuse) => {
            window.refuse = () => refuse(new DOMException('', 'AbortError')); }); }"""
    )
    await call(page)
    await page.wait_for_function("window.refuse !== undefined")
    await page.get_by_test_id("hangup").click()
    await page.evaluate("window.refuse()")
    await expect(page.get_by_test_id("problem")).to_be_hidden()


async def test_personas_that_come_late_do_not_change_who_is_on_the_line(
    open_page: Any, server: ScriptedServer
) -> None:
    page = await open_page()
    server.omni = {"persona": "tutor"}
    held: list[Route] = []

    async def hold(route: Route) -> None:
        held.append(route)

    await page.route("**/v1/personas", hold)
    await page.reload()
    await call_at_once(page)
    await expect(page.get_by_test_id("persona-name")).to_have_text("tutor")
    await held[-1].continue_()
    await expect(page.get_by_test_id("persona-name")).to_have_text("Tutor")
    await expect(page.get_by_test_id("persona-tutor")).to_be_checked()
