"""Lines that are lost under the real page, against the real server and transport."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from typing import Any

import pytest
import pytest_asyncio
from aioice.ice import StunProtocol
from omni_agent_webrtc import WebRTCTransport, answer
from omni_agent_webrtc.desk import routes
from omni_agent_webrtc.ice import connection_of
from playwright.async_api import Browser, Page, Route, expect

from omni_agent.line import Line
from omni_agent.server.app import create_app
from tests.page.driving import call, until
from tests.page.scripted import PATIENCE_S, loopback_only, serving
from tests.page.test_real_server import ANSWER, QUESTION, Rehearsed
from tests.transports.calling import Delayed, Void

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


NOTE_SENTENCES = """() => {
    const activity = document.querySelector('[data-testid=activity]');
    window.sentences = [];
    new MutationObserver(() => window.sentences.push(activity.textContent))
        .observe(activity, {childList: true});
}"""
"""Each is there for a second, and who looks for it may be late."""


class Served:
    """The server on its thread, and what may happen to its line."""

    def __init__(self) -> None:
        self.agent = Rehearsed()
        line = Line("webrtc", partial(routes, answer=self._answer))
        self.app = create_app(self.agent, lines=[line])
        self.url = ""
        self.loop: asyncio.AbstractEventLoop | None = None
        self.lines: list[WebRTCTransport] = []
        self.lost: dict[Any, Void] = {}

    async def _answer(self, offer: str, **options: Any) -> tuple[WebRTCTransport, str]:
        line, sdp = await answer(offer, **options)
        self.lines.append(line)
        return line, sdp

    @property
    def line(self) -> WebRTCTransport:
        (line,) = self.lines
        return line

    def lose(self) -> None:
        """From now on nothing passes the connection that the call uses, in either direction."""
        assert self.loop is not None
        self.loop.call_soon_threadsafe(self._lose)

    def _lose(self) -> None:
        peer = self.line._peer
        assert peer is not None
        for one in peer.connection.getTransceivers():
            for protocol in connection_of(one.receiver.transport.transport)._protocols:
                lost: Any = protocol
                if lost in self.lost:
                    continue  # the transceivers share one
                self.lost[lost] = lost.transport = Void(lost.transport)
                lost.datagram_received = lambda data, addr: None

    def restore(self) -> None:
        """What was lost is alive again."""
        assert self.loop is not None
        self.loop.call_soon_threadsafe(self._restore)

    def _restore(self) -> None:
        for protocol, void in self.lost.items():
            protocol.transport = void._real
            del protocol.datagram_received
        self.lost.clear()


@pytest.fixture
def served() -> Iterator[Served]:
    one = Served()
    with loopback_only(), serving(one.app) as (one.url, one.loop):
        yield one


@pytest_asyncio.fixture(loop_scope="module")
async def page(chromium: Callable[..., Coroutine[Any, Any, Browser]], served: Served) -> Any:
    browser = await chromium()
    context = await browser.new_context(reduced_motion="reduce")
    page = await context.new_page()
    page.set_default_timeout(1000 * PATIENCE_S)
    await page.goto(served.url)
    yield page
    await context.close()


async def begin(page: Page, served: Served) -> None:
    """The page is live an instant before the server goes over to its connection."""
    await call(page)
    await until(page, lambda: served.line._peer is not None)


async def asks(page: Page) -> None:
    await page.get_by_test_id("message").fill(QUESTION)
    await page.keyboard.press("Enter")


async def test_a_lost_line_is_said_and_the_call_goes_on_over_another(
    page: Page, served: Served
) -> None:
    await begin(page, served)
    served.lose()
    said = page.get_by_test_id("announcer")  # between the two may be no more than an instant
    await expect(said).to_contain_text("The line dropped. Reconnecting.")
    await expect(said).to_contain_text("The line is back.")
    await expect(page.locator("body")).to_have_attribute("data-call", "live")
    await expect(page.get_by_test_id("activity")).to_have_text("Listening")
    await asks(page)
    await expect(page.get_by_test_id("line").last).to_have_text(ANSWER)
    await page.wait_for_function(
        "() => Number(document.getElementById('meter-out').style.getPropertyValue('--level')) > 0.3"
    )
    assert served.agent.over == 0
    await until(page, lambda: not served.line.stalled)


@pytest.fixture(params=[0.05, 0.15], ids="{} s from the server to the page".format)
def delayed(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    made = StunProtocol.connection_made

    def made_late(self: StunProtocol, transport: asyncio.DatagramTransport) -> None:
        made(self, Delayed(transport, request.param))  # type: ignore[arg-type]  # does as one

    monkeypatch.setattr(StunProtocol, "connection_made", made_late)


async def test_a_line_that_is_alive_again_when_the_next_comes_up_does_not_end_the_call(
    delayed: None, page: Page, served: Served
) -> None:
    """The server goes over to the next one and closes it: that is heard before the next is up."""
    await begin(page, served)
    before = served.line._peer

    async def meanwhile(route: Route) -> None:
        served.restore()
        await route.continue_()

    await page.route("**/v1/realtime/calls/*", meanwhile)
    served.lose()
    await expect(page.get_by_test_id("announcer")).to_contain_text("Reconnecting")
    await until(page, lambda: served.line._peer is not before and len(served.line._peers) == 1)
    await asks(page)
    await expect(page.get_by_test_id("line").last).to_have_text(ANSWER)
    assert served.agent.over == 0


async def test_a_call_goes_on_over_the_old_line_when_no_other_can_be_had(
    page: Page, served: Served
) -> None:
    await begin(page, served)
    before = served.line._peer

    async def refuse(route: Route) -> None:
        served.restore()
        await expect(page.get_by_test_id("announcer")).to_contain_text("The line is back.")
        await route.fulfill(status=400)

    await page.route("**/v1/realtime/calls/*", refuse)
    async with page.expect_response("**/v1/realtime/calls/*"):
        served.lose()
    await asks(page)
    await expect(page.get_by_test_id("line").last).to_have_text(ANSWER)
    assert served.line._peer is before


async def test_a_call_that_is_hung_up_while_it_is_offered_anew_is_over(
    page: Page, served: Served
) -> None:
    await begin(page, served)
    line = served.line
    offered: list[Route] = []

    async def hold(route: Route) -> None:
        offered.append(route)

    await page.route("**/v1/realtime/calls/*", hold)
    served.lose()
    await until(page, lambda: bool(offered))
    await page.get_by_test_id("hangup").click()
    await offered[0].continue_()
    await until(page, lambda: served.agent.over == 1)
    assert line.reason == "closed by the page"
    await expect(page.locator("body")).to_have_attribute("data-call", "ended")
    await expect(page.get_by_test_id("problem")).to_be_hidden()


async def test_a_call_that_the_server_has_forgotten_is_lost_at_once(
    page: Page, served: Served
) -> None:
    await begin(page, served)
    served.lose()
    assert served.loop is not None
    asyncio.run_coroutine_threadsafe(served.line.aclose(), served.loop)
    await expect(page.get_by_test_id("problem")).to_have_attribute("data-kind", "lost")
    await expect(page.locator("body")).to_have_attribute("data-call", "ended")


async def test_a_line_that_stays_lost_counts_down_and_is_given_up_on_both_sides(
    page: Page, served: Served
) -> None:
    """The server cannot be asked either; what was said stays on the page."""
    await begin(page, served)
    await asks(page)
    await expect(page.get_by_test_id("line").last).to_have_text(ANSWER)
    line = served.line
    await page.route("**/v1/realtime/calls/**", lambda route: route.abort())
    await page.evaluate(NOTE_SENTENCES)
    served.lose()
    await expect(page.get_by_test_id("activity")).to_contain_text("Reconnecting")
    await expect(page.get_by_test_id("message")).to_be_disabled()
    await expect(page.get_by_test_id("problem")).to_contain_text(
        "The line was lost", timeout=120_000
    )
    said = " ".join(await page.evaluate("window.sentences"))
    left = [int(seconds) for seconds in re.findall(r"Reconnecting, (\d+) s", said)]
    assert left[-9:] == sorted(left[-9:], reverse=True)
    assert left[0] > 20 > 10 > left[-1]
    await expect(page.get_by_test_id("line").last).to_have_text(ANSWER)
    await until(page, lambda: served.agent.over == 1)
    assert line.reason == "line lost"


async def test_a_tab_that_closes_says_so(page: Page, served: Served) -> None:
    await begin(page, served)
    line = served.line
    beside = await page.context.new_page()
    await page.close(run_before_unload=False)
    await until(beside, lambda: served.agent.over == 1)
    assert line.reason == "closed by the page"
