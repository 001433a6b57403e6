"""A server with a key in a browser: the page that asks for it, and a link that needs none."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import httpx
import pytest
from playwright.async_api import Browser, expect

from omni_agent.server.app import create_app
from omni_agent.server.options import ServerOptions
from tests.page.driving import call, until
from tests.page.scripted import loopback_only, serving
from tests.page.test_real_server import Rehearsed
from tests.server.calling import WEBRTC

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

Launch = Callable[..., Coroutine[Any, Any, Browser]]


@pytest.fixture(scope="module")
def agent() -> Rehearsed:
    return Rehearsed()


@pytest.fixture(scope="module")
def url(agent: Rehearsed) -> Iterator[str]:
    app = create_app(agent, ServerOptions(api_key="secret"), lines=WEBRTC)
    with loopback_only(), serving(app) as (address, _):
        yield address


@pytest.mark.parametrize(
    ("size", "theme"), [((1280, 800), "light"), ((320, 568), "dark"), ((640, 320), "light")]
)
async def test_the_key_is_asked_for_once(
    chromium: Launch, url: str, agent: Rehearsed, size: tuple[int, int], theme: Any
) -> None:
    width, height = size
    context = await (await chromium()).new_context(
        viewport={"width": width, "height": height}, color_scheme=theme
    )
    page = await context.new_page()
    await page.goto(url)
    await expect(page.get_by_test_id("wrong")).to_be_hidden()
    await page.get_by_label("Server key").fill("wrong")
    await page.keyboard.press("Enter")
    await expect(page.get_by_test_id("wrong")).to_be_visible()
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await page.get_by_label("Server key").fill("secret")
    await page.get_by_test_id("log-in").click()
    await expect(page.get_by_test_id("call")).to_be_visible()
    before = agent.over
    await call(page)
    await page.get_by_test_id("hangup").click()
    await until(page, lambda: agent.over == before + 1)
    await page.goto(url)
    await expect(page.get_by_test_id("call")).to_be_visible()
    await context.close()


async def test_who_logs_out_is_asked_for_the_key_again(chromium: Launch, url: str) -> None:
    context = await (await chromium()).new_context()
    page = await context.new_page()
    await page.goto(url)
    await page.get_by_label("Server key").fill("secret")
    await page.keyboard.press("Enter")
    await expect(page.get_by_test_id("persona-name")).to_have_text("Tutor")  # its scripts run
    await page.get_by_test_id("open-settings").click()
    await page.get_by_test_id("log-out").click()
    await expect(page.get_by_label("Server key")).to_be_visible()
    await page.goto(url)
    await expect(page.get_by_label("Server key")).to_be_visible()
    await context.close()


async def test_a_link_with_a_token_is_one_call_with_the_persona_it_names(
    chromium: Launch, url: str, agent: Rehearsed
) -> None:
    async with httpx.AsyncClient(base_url=url) as backend:
        body = {"session": {"omni": {"persona": "Concierge"}}, "caller": "customer-17"}
        minted = await backend.post(
            "/v1/realtime/client_secrets", json=body, headers={"authorization": "Bearer secret"}
        )
    context = await (await chromium()).new_context()
    page = await context.new_page()
    await page.goto(f"{url}/#token={minted.json()['value']}")
    await expect(page.get_by_test_id("persona-name")).to_have_text("Concierge")
    assert page.url == f"{url}/"  # as it was typed
    await expect(page.get_by_test_id("personas")).to_be_hidden()
    await page.get_by_test_id("open-settings").click()
    await expect(page.get_by_test_id("log-out")).to_be_hidden()
    await page.keyboard.press("Escape")
    await call(page)
    assert agent.callers[-1] == "customer-17"
    await context.close()
