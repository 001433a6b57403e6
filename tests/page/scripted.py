"""A server without an agent: the page's files, and whatever a test has it say."""

from __future__ import annotations

import asyncio
import itertools
import json
import math
import socket
import struct
import threading
import wave
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import uvicorn
from aiortc import RTCConfiguration, RTCDataChannel, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack
from av import AudioFrame
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from omni_agent.server.shielding import Shielded

PAGE = Path(__file__).resolve().parents[2] / "omni_agent" / "server" / "page"
PATIENCE_S = 60
"""A loaded machine is slow, not wrong."""
ELSEWHERE = "agent.example"
"""A name that the browser of the tests finds here: not loopback, and not secure."""
PERSONAS: list[dict[str, Any]] = [
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


@contextmanager
def serving(app: Starlette) -> Iterator[tuple[str, asyncio.AbstractEventLoop]]:
    """Serve on a free loopback port, from a thread; gives the address and the thread's loop."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()  # who comes before the thread is so far waits
    server = uvicorn.Server(
        uvicorn.Config(app, log_level="warning", ws="none", timeout_graceful_shutdown=1)
    )
    loops: list[asyncio.AbstractEventLoop] = []
    running = threading.Event()

    async def main() -> None:
        loops.append(asyncio.get_running_loop())
        running.set()
        await server.serve(sockets=[listener])

    thread = threading.Thread(target=lambda: asyncio.run(main()), name="page-server")
    thread.start()
    running.wait(PATIENCE_S)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", loops[0]
    finally:
        server.should_exit = True
        thread.join(PATIENCE_S)
        listener.close()


@contextmanager
def loopback_only() -> Iterator[None]:
    """ICE sees no interface but loopback."""
    with patch("aioice.ice.get_host_addresses", lambda use_ipv4, use_ipv6: ["127.0.0.1"]):
        yield


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
                Route("/v1/personas", self._personas),
                Route("/v1/realtime/client_secrets", self._secret, methods=["POST"]),
                Route("/v1/realtime/calls", self._offer, methods=["POST"]),
                Route("/v1/realtime/calls/{call}", self._hang_up, methods=["DELETE"]),
                Route("/v1/realtime/calls/{call}", self._forgotten, methods=["POST"]),
                Route("/v1/realtime/calls/{call}/hangup", self._hang_up, methods=["POST"]),
                Mount("/", StaticFiles(directory=PAGE, html=True)),
            ],
            middleware=[
                Middleware(Shielded, hosts=(ELSEWHERE,), origins=())
            ],  # the real server's headers
        )
        self._calls = itertools.count(1)
        self._answering = asyncio.Lock()
        self._up = asyncio.Event()
        """The newest call's channel is."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self.peers: dict[str, RTCPeerConnection] = {}
        """Of the calls since the reset, by their ids, which no other test's calls have."""
        self.url = ""
        self.reset()

    def reset(self) -> None:
        if self._loop is not None:  # the page of the test before may be gone without a word
            self.drop()
        self.health: dict[str, Any] = {"status": "ready"}
        self.health_status = 200
        self.default = "concierge"
        self.personas = PERSONAS
        self.sees = True
        self.omni: dict[str, Any] = {}
        self.logged_in = False
        self.refusal: Refusal | None = None
        self.received: list[dict[str, Any]] = []
        self.requests: list[tuple[str, str]] = []
        self.peers = {}
        self.channel: RTCDataChannel | None = None
        self._up.clear()

    # for the test ------------------------------------------------------------

    @property
    def elsewhere(self) -> str:
        return self.url.replace("127.0.0.1", ELSEWHERE) + "/"

    def send(self, *events: dict[str, Any]) -> None:
        """Over the data channel, in order."""

        async def speak() -> None:
            await self._up.wait()  # the page's end of a channel is open before this one
            assert self.channel is not None
            for event in events:
                self.channel.send(json.dumps(event))

        self.run(speak())

    def refuse(self, status: int, body: dict[str, Any], headers: dict[str, str]) -> None:
        """Answer the next offers with this instead of a call."""
        self.refusal = Refusal(status, body, headers)

    def drop(self) -> None:
        """Close the line, as the server does at a goodbye."""

        async def close() -> None:
            async with self._answering:
                for peer in self.peers.values():
                    await peer.close()

        self.run(close())

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        assert self._loop is not None
        asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE_S)

    def sent_types(self) -> list[str]:
        return [str(event.get("type")) for event in self.received]

    # the server --------------------------------------------------------------

    @contextmanager
    def serve(self) -> Iterator[None]:
        with serving(self.app) as (self.url, self._loop):
            yield
            self.drop()

    async def _personas(self, request: Request) -> Response:
        self.requests.append(("personas", request.headers.get("Authorization", "")))
        engine = {"thinker": "a-thinker", "talker": "a-talker"}
        return JSONResponse(
            {
                "default": self.default,
                "personas": self.personas,
                "sees": self.sees,
                "engine": engine,
                "version": "9.8.7",
                "logged_in": self.logged_in,
                **self.health,
            },
            self.health_status,
        )

    async def _secret(self, request: Request) -> Response:
        self.requests.append(("secret", request.headers.get("Authorization", "")))
        return JSONResponse({"value": "ek_test", "expires_at": 0, "session": {}, "ice_servers": []})

    async def _offer(self, request: Request) -> Response:
        self.requests.append(("offer", str(request.url.query)))
        if self.refusal:
            return JSONResponse(self.refusal.body, self.refusal.status, self.refusal.headers)
        if request.headers.get("Authorization") != "Bearer ek_test":
            return Response(status_code=401)
        self._up.clear()
        offer = RTCSessionDescription((await request.body()).decode(), "offer")
        peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        call = f"rtc_{next(self._calls)}"
        async with self._answering:  # aiortc opens what it was about to, closed meanwhile or not
            self.peers[call] = peer
            peer.on("datachannel", self._channel_opened)
            await peer.setRemoteDescription(offer)
            peer.addTrack(Hum())
            await peer.setLocalDescription(await peer.createAnswer())
        return Response(
            peer.localDescription.sdp,
            201,
            {"Location": f"/v1/realtime/calls/{call}"},
            "application/sdp",
        )

    def _channel_opened(self, channel: RTCDataChannel) -> None:
        self.channel = channel
        self._up.set()
        channel.on("message", lambda text: self.received.append(json.loads(text)))
        channel.send(
            json.dumps(
                {
                    "type": "session.created",
                    "session": {"omni": {"persona": "concierge", "sees": self.sees, **self.omni}},
                }
            )
        )

    async def _forgotten(self, request: Request) -> Response:
        """A call that a page wants to go on over another link is over here."""
        return Response(status_code=404)

    async def _hang_up(self, request: Request) -> Response:
        call = request.path_params["call"]
        if (peer := self.peers.get(call)) is not None:  # else an earlier test's page is leaving
            self.requests.append(("hang up", call))
            await peer.close()
        return Response(status_code=204)


class Hum(AudioStreamTrack):
    """A quiet tone, so that there is a level to see."""

    async def recv(self) -> Any:
        frame = await super().recv()
        assert isinstance(frame, AudioFrame)
        assert frame.pts is not None
        start = frame.pts
        samples = [
            int(9000 * math.sin(2 * math.pi * 220 * (start + n) / 8000))
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
