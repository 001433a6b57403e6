"""Lines that are lost under the real page, against the real server and transport."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
import pytest_asyncio
from omni_agent_webrtc import WebRTCTransport
from omni_agent_webrtc.ice import connection_of
from playwright.async_api import Browser, Page, expect
from starlette.applications import Starlette

from omni_agent.server.app import create_app
from tests.page.driving import call, until
from tests.page.scripted import loopback_only, serving
from tests.page.test_real_server import ANSWER, QUESTION, Rehearsed
from tests.transports.calling import Void

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


class Served:
    """The server on its thread, and what may happen to its lines."""

    def __init__(self, agent: Rehearsed, app: Starlette) -> None:
        self.agent, self.app = agent, app
        self.url = ""
        self.loop: asyncio.AbstractEventLoop | None = None

    def line(self) -> WebRTCTransport:
        (line,) = self.app.state.calls._lines.values()
        assert isinstance(line, WebRTCTransport)
        return line

    def lose(self) -> None:
        """From now on nothing passes the connection that the call uses, in either direction."""
        assert self.loop is not None
        self.loop.call_soon_threadsafe(self._lose)

    def _lose(self) -> None:
        peer = self.line()._peer
        assert peer is not None
        for one in peer.connection.getTransceivers():
            for protocol in connection_of(one.receiver.transport.transport)._protocols:
                lost: Any = protocol
                lost.transport = Void(protocol.transport)
                lost.datagram_received = lambda data, addr: None


@pytest.fixture
def served() -> Iterator[Served]:
    agent = Rehearsed()
    one = Served(agent, create_app(agent))
    with loopback_only(), serving(one.app) as (one.url, one.loop):
        yield one


@pytest_asyncio.fixture(loop_scope="module")
async def page(chromium: Callable[..., Coroutine[Any, Any, Browser]], served: Served) -> Any:
    browser = await chromium()
    context = await browser.new_context(reduced_motion="reduce")
    page = await context.new_page()
    await page.goto(served.url)
    yield page
    await context.close()


async def asks(page: Page) -> None:
    await page.get_by_test_id("message").fill(QUESTION)
    await page.keyboard.press("Enter")


async def test_a_lost_line_is_said_and_the_call_goes_on_over_another(
    page: Page, served: Served
) -> None:
    await call(page)
    served.lose()
    await expect(page.locator("body")).to_have_attribute("data-call", "reconnecting")
    await expect(page.locator("body")).to_have_attribute("data-call", "live")
    await asks(page)
    await expect(page.get_by_test_id("line").last).to_have_text(ANSWER)
    await page.wait_for_function(
        "() => Number(document.getElementById('meter-out').style.getPropertyValue('--level')) > 0.3"
    )
    assert served.agent.over == 0
    assert not served.line().stalled


async def test_a_call_that_the_server_has_forgotten_is_lost_at_once(
    page: Page, served: Served
) -> None:
    await call(page)
    served.lose()
    lines = served.app.state.calls._lines
    lines["another"] = lines.pop(next(iter(lines)))
    await expect(page.get_by_test_id("problem")).to_have_attribute("data-kind", "lost")
    await expect(page.locator("body")).to_have_attribute("data-call", "ended")


async def test_a_tab_that_closes_says_so(page: Page, served: Served) -> None:
    await call(page)
    line = served.line()
    beside = await page.context.new_page()
    await page.close(run_before_unload=False)
    await until(beside, lambda: served.agent.over == 1)
    assert line.reason == "closed by the page"
