"""A real Chromium on the page's files, and a small scripted server behind them.

The server answers the page's HTTP calls, answers its offer with a real aiortc
peer (so that a call really connects), keeps what the page sends over the data
channel and sends it whatever the test says.
"""

from __future__ import annotations

import asyncio
import json
import math
import socket
import struct
import threading
import wave
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import pytest_asyncio
import uvicorn
from aiortc import RTCConfiguration, RTCDataChannel, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack
from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    async_playwright,
    expect,
)
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from omni_agent.server.shielding import Shielded

PAGE = Path(__file__).resolve().parents[2] / "omni_agent" / "server" / "page"
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
]
PERSONAS = [
    {
        "name": "concierge",
        "title": "Concierge",
        "description": "The night desk of a small hotel.",
        "language": "en",
    },
    {
        "name": "tutor",
        "title": "Tutor",
        "description": "Patient with your French.",
        "language": "fr",
    },
    {"name": "engineer", "title": "Engineer", "description": "Terse, and right.", "language": "en"},
]

# A loaded machine is slow, not wrong.
PATIENCE_MS = 20_000
expect.set_options(timeout=PATIENCE_MS)


@dataclass
class Refusal:
    """What the server answers an offer with, instead of a call."""

    status: int
    body: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)


class ScriptedServer:
    """Runs on a thread of its own; the methods are for the test's thread."""

    def __init__(self) -> None:
        self.app = Starlette(
            routes=[
                Route("/healthz", self._health),
                Route("/v1/personas", self._personas),
                Route("/v1/realtime/client_secrets", self._secret, methods=["POST"]),
                Route("/v1/realtime/calls", self._offer, methods=["POST"]),
                Route("/v1/realtime/calls/{call}", self._hang_up, methods=["DELETE"]),
                Mount("/", StaticFiles(directory=PAGE, html=True)),
            ],
            middleware=[Middleware(Shielded, hosts=(), origins=())],  # the real server's headers
        )
        self.reset()
        self.url = ""
        self._loop: asyncio.AbstractEventLoop | None = None

    def reset(self) -> None:
        self.health: dict[str, Any] = {"status": "ready"}
        self.refusal: Refusal | None = None
        self.received: list[dict[str, Any]] = []
        self.requests: list[tuple[str, str]] = []
        self.peers: list[RTCPeerConnection] = []
        self.channel: RTCDataChannel | None = None

    # for the test ------------------------------------------------------------

    def send(self, *events: dict[str, Any]) -> None:
        """Over the data channel, in order."""

        async def speak() -> None:
            assert self.channel is not None, "no call is up"
            for event in events:
                self.channel.send(json.dumps(event))

        self.run(speak())

    def refuse(self, status: int, body: dict[str, Any], headers: dict[str, str]) -> None:
        """Answer the next offers with this instead of a call."""
        self.refusal = Refusal(status, body, headers)

    def drop(self) -> None:
        """Close the line, as the server does at a goodbye."""

        async def close() -> None:
            for peer in self.peers:
                await peer.close()

        self.run(close())

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        assert self._loop is not None
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    def sent_types(self) -> list[str]:
        return [str(event.get("type")) for event in self.received]

    # the server --------------------------------------------------------------

    def serve(self) -> Iterator[None]:
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        config = uvicorn.Config(
            self.app, log_level="warning", lifespan="off", ws="none", timeout_graceful_shutdown=1
        )
        server = uvicorn.Server(config)
        ready = threading.Event()

        async def main() -> None:
            self._loop = asyncio.get_running_loop()
            ready.set()
            await server.serve(sockets=[listener])
            for peer in self.peers:
                await peer.close()

        thread = threading.Thread(target=lambda: asyncio.run(main()), name="scripted-server")
        thread.start()
        ready.wait(10)
        yield
        server.should_exit = True
        thread.join(10)
        listener.close()

    async def _health(self, request: Request) -> Response:
        return JSONResponse(self.health, 200 if self.health.get("status") == "ready" else 503)

    async def _personas(self, request: Request) -> Response:
        engine = {"thinker": "a-thinker", "talker": "a-talker"}
        return JSONResponse(
            {"default": "concierge", "personas": PERSONAS, "sees": False, "engine": engine}
        )

    async def _secret(self, request: Request) -> Response:
        self.requests.append(("secret", ""))
        return JSONResponse({"value": "ek_test", "expires_at": 0, "session": {}, "ice_servers": []})

    async def _offer(self, request: Request) -> Response:
        self.requests.append(("offer", str(request.url.query)))
        if self.refusal:
            return JSONResponse(self.refusal.body, self.refusal.status, self.refusal.headers)
        if request.headers.get("Authorization") != "Bearer ek_test":
            return Response(status_code=401)
        peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.peers.append(peer)
        peer.on("datachannel", self._channel_opened)
        await peer.setRemoteDescription(
            RTCSessionDescription((await request.body()).decode(), "offer")
        )
        peer.addTrack(Hum())
        await peer.setLocalDescription(await peer.createAnswer())
        return Response(
            peer.localDescription.sdp,
            201,
            {"Location": f"/v1/realtime/calls/rtc_{len(self.peers)}"},
            "application/sdp",
        )

    def _channel_opened(self, channel: RTCDataChannel) -> None:
        self.channel = channel
        channel.on("message", lambda text: self.received.append(json.loads(text)))
        channel.send(
            json.dumps(
                {
                    "type": "session.created",
                    "session": {"omni": {"persona": "concierge", "sees": False}},
                }
            )
        )

    async def _hang_up(self, request: Request) -> Response:
        call = request.path_params["call"]
        self.requests.append(("hang up", call))
        number = int(call.removeprefix("rtc_")) - 1
        if number < len(self.peers):  # else a page of an earlier test is leaving
            await self.peers[number].close()
        return Response(status_code=204)


class Hum(AudioStreamTrack):  # type: ignore[misc]  # aiortc has no types
    """A quiet tone, so that there is a level to see."""

    async def recv(self) -> Any:
        frame = await super().recv()
        samples = [
            int(9000 * math.sin(2 * math.pi * 220 * (frame.pts + n) / 8000))
            for n in range(frame.samples)
        ]
        frame.planes[0].update(struct.pack(f"<{frame.samples}h", *samples))
        return frame


def tone(path: Path, seconds: int = 2) -> Path:
    """A WAV for the fake microphone: 48 kHz, 16 bit, mono."""
    with wave.open(str(path), "wb") as wav:
        wav.setparams((1, 2, 48_000, 0, "NONE", ""))
        count = 48_000 * seconds
        wav.writeframes(
            struct.pack(f"<{count}h", *(int(12_000 * math.sin(n / 20)) for n in range(count)))
        )
    return path


@pytest.fixture(scope="module")
def scripted() -> Iterator[ScriptedServer]:
    server = ScriptedServer()
    with patch("aioice.ice.get_host_addresses", lambda use_ipv4, use_ipv6: ["127.0.0.1"]):
        yield from _serving(server)


def _serving(server: ScriptedServer) -> Iterator[ScriptedServer]:
    for _ in server.serve():
        yield server


@pytest.fixture
def server(scripted: ScriptedServer) -> ScriptedServer:
    scripted.reset()
    return scripted


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Callable[..., Coroutine[Any, Any, Browser]]]:
    """Launches Chromium, once for each set of flags: with a microphone that is allowed, or without."""
    if not Path(CHROMIUM).exists():
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
        *, allowed: bool = True, may_complain: tuple[str, ...] = (), **options: Any
    ) -> Page:
        browser = await chromium(allowed)
        options.setdefault("viewport", {"width": 1280, "height": 800})
        options.setdefault(
            "reduced_motion", "reduce"
        )  # painting an orb in software is most of the time
        context = await browser.new_context(**options)
        contexts.append(context)
        expected.extend(may_complain)
        page = await context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        watched.append(Watched(page))
        await page.goto(server.url)
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
