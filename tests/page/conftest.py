"""A real Chromium on the call page."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    async_playwright,
    expect,
)

from tests.page.scripted import ELSEWHERE, PATIENCE_S, ScriptedServer, loopback_only, tone

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    "--allow-loopback-in-peer-connection",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
    f"--host-resolver-rules=MAP {ELSEWHERE} 127.0.0.1",
]

PATIENCE_MS = 1000 * PATIENCE_S
expect.set_options(timeout=PATIENCE_MS)

HEARS_ON = """{
    const read = RTCPeerConnection.prototype.getStats;
    let packetsReceived = 0;
    RTCPeerConnection.prototype.getStats = async function () {
        const stats = new Map(await read.call(this));
        for (const [id, entry] of stats)
            if (entry.type === 'inbound-rtp')
                stats.set(id, {...entry, packetsReceived: ++packetsReceived});
        return stats;
    };
}"""
"""The scripted server is a thread of the test's process: while that is stopped or swapped out for
some seconds, nothing comes, which the page would take for a lost line."""


@pytest.fixture(scope="module")
def scripted() -> Iterator[ScriptedServer]:
    server = ScriptedServer()
    with loopback_only(), server.serve():
        yield server


@pytest.fixture
def server(scripted: ScriptedServer) -> ScriptedServer:
    scripted.reset()
    return scripted


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Callable[..., Coroutine[Any, Any, Browser]]]:
    """Launches Chromium, once with a microphone that is allowed and once without."""
    if shutil.which(CHROMIUM) is None:
        pytest.skip("Chromium is not installed: apt-get install chromium (./scripts/test does it)")
    wav = tone(tmp_path_factory.mktemp("microphone") / "tone.wav")
    browsers: dict[bool, Browser] = {}
    async with async_playwright() as playwright:

        async def launch(allowed: bool = True) -> Browser:
            if allowed not in browsers:
                extra = [f"--use-file-for-fake-audio-capture={wav}"]
                extra += ["--use-fake-ui-for-media-stream"] if allowed else []
                browsers[allowed] = await playwright.chromium.launch(
                    executable_path=CHROMIUM,
                    args=FLAGS + extra,
                    ignore_default_args=["--mute-audio"],
                )
            return browsers[allowed]

        yield launch
        for browser in browsers.values():
            await browser.close()


class Watched:
    """A page whose every complaint is kept: console errors, uncaught exceptions, CSP violations."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(f"uncaught: {error}"))

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(f"{message.type}: {message.text}")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def drawing_page(
    chromium: Callable[..., Coroutine[Any, Any, Browser]], scripted: ScriptedServer
) -> AsyncIterator[Watched]:
    """One page for many tests of drawing: loading it takes most of a second."""
    scripted.reset()
    browser = await chromium(True)
    context = await browser.new_context(
        viewport={"width": 1280, "height": 800}, reduced_motion="reduce"
    )
    page = await context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    watched = Watched(page)
    await page.goto(scripted.url)
    await expect(page.get_by_test_id("personas")).to_be_visible()
    await page.evaluate("document.body.dataset.call = 'live'")
    yield watched
    await context.close()


@pytest_asyncio.fixture(loop_scope="module")
async def page(drawing_page: Watched) -> AsyncIterator[Page]:
    """The page as in a call, with nothing said yet; it must not complain."""
    await drawing_page.page.evaluate(
        """async () => { const {conversation} = await import('/main.js');
        conversation.clear(); document.getElementById('announcer').replaceChildren(); }"""
    )
    yield drawing_page.page
    complaints, drawing_page.complaints = drawing_page.complaints, []
    assert not complaints, complaints


@pytest_asyncio.fixture(loop_scope="module")
async def open_page(
    chromium: Callable[..., Coroutine[Any, Any, Browser]], server: ScriptedServer
) -> AsyncIterator[Callable[..., Coroutine[Any, Any, Page]]]:
    """Opens the call page; at the end of the test it must not have complained."""
    contexts: list[BrowserContext] = []
    watched: list[Watched] = []
    expected: list[str] = []

    async def open_(
        *,
        allowed: bool = True,
        may_complain: tuple[str, ...] = (),
        at: str = "",
        fragment: str = "",
        **options: Any,
    ) -> Page:
        browser = await chromium(allowed)
        options.setdefault("viewport", {"width": 1280, "height": 800})
        options.setdefault(
            "reduced_motion", "reduce"
        )  # painting an orb in software is most of the time
        context = await browser.new_context(**options)
        contexts.append(context)
        expected.extend(may_complain)
        await context.add_init_script(HEARS_ON)
        page = await context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        watched.append(Watched(page))
        await page.goto((at or f"{server.url}/") + fragment)
        return page

    yield open_
    for context in contexts:
        await context.close()
    complaints = [
        line
        for one in watched
        for line in one.complaints
        if not any(word in line for word in expected)
    ]
    assert not complaints, complaints
