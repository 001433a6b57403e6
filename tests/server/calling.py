"""A scripted agent behind the real server, and a real aiortc client on loopback."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import httpx
import numpy as np
import omni_agent_webrtc
from aiortc import RTCConfiguration, RTCDataChannel, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack, MediaStreamTrack

from omni_agent.audio import AudioFrame
from omni_agent.call.request import CallRequest
from omni_agent.line import Line
from omni_agent.server.app import create_app
from omni_agent.server.host import PersonaCard, Readiness
from omni_agent.server.options import ServerOptions
from omni_agent.transport import Transport
from omni_agent.wishes import Wishes
from tests.arrivals import arrivals

Script = Callable[[Transport, "ScriptedHost"], Any]


class ScriptedHost:
    """An agent whose session is a function of the test."""

    def __init__(self, script: Script | None = None) -> None:
        self.script = script
        self.readiness = Readiness(True)
        self.personas: Sequence[PersonaCard] = (PersonaCard("concierge"), PersonaCard("tutor"))
        self.default_persona = "concierge"
        self.sees = False
        self.engine: Mapping[str, str] = {"thinker": "scripted"}
        self.arrived: list[Any] = []
        self.chosen: list[str | None] = []
        self.callers: list[str] = []
        self.ended = asyncio.Event()
        self.news = asyncio.Event()

    def shown_name(self, persona: str) -> str:
        """The tutor's file is called teacher.md."""
        return {"teacher": "tutor"}.get(persona, persona)

    def check_wishes(self, persona: str, wishes: Wishes) -> None:
        """Anything goes."""

    async def serve_call(self, transport: Transport, request: CallRequest) -> None:
        self.chosen.append(request.persona)
        self.callers.append(request.caller)
        try:
            if self.script is not None:
                await self.script(transport, self)
            async for arrival in arrivals(transport):
                self.arrived.append(arrival)
                self.news.set()
        finally:
            self.ended.set()

    async def until(self, wanted: Callable[[Any], bool]) -> Any:
        """The first arrival that is wanted, now or later."""
        async with asyncio.timeout(20):
            while True:
                self.news.clear()
                for arrival in self.arrived:
                    if wanted(arrival):
                        return arrival
                await self.news.wait()


class Caller:
    """A client of the server: an aiortc peer with a microphone and the data channel."""

    def __init__(self, microphone: MediaStreamTrack | None = None) -> None:
        self.peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.peer.addTrack(microphone or AudioStreamTrack())
        self.channel: RTCDataChannel = self.peer.createDataChannel("oai-events")
        self.messages: list[dict[str, Any]] = []
        self.news = asyncio.Event()
        self.opened = asyncio.Event()
        self.track: MediaStreamTrack | None = None
        self.channel.on("message", self._message)
        self.channel.on("open", self.opened.set)
        self.peer.on("track", self._track)

    def _message(self, text: str) -> None:
        self.messages.append(json.loads(text))
        self.news.set()

    def _track(self, track: MediaStreamTrack) -> None:
        self.track = track

    async def offer(self) -> str:
        await self.peer.setLocalDescription(await self.peer.createOffer())
        return str(self.peer.localDescription.sdp)

    async def accept(self, answer: str) -> None:
        await self.peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))

    async def say(self, **message: Any) -> None:
        async with asyncio.timeout(20):
            await self.opened.wait()
        self.channel.send(json.dumps(message))

    def vanish(self) -> None:
        """As a killed process does: nothing is sent any more, not even a goodbye."""
        for transceiver in self.peer.getTransceivers():
            for protocol in transceiver.receiver.transport.transport._connection._protocols:
                protocol.transport.abort()

    async def until(self, kind: str) -> dict[str, Any]:
        """The first message of a kind, now or later."""
        async with asyncio.timeout(20):
            while True:
                self.news.clear()
                for message in self.messages:
                    if message["type"] == kind:
                        return message
                await self.news.wait()

    async def hear(self, loud: int = 500) -> None:
        """Wait for sound that is not silence."""
        assert self.track is not None
        async with asyncio.timeout(20):
            while True:
                frame = await self.track.recv()
                if np.abs(frame.to_ndarray()).max() > loud:  # type: ignore[union-attr]  # audio
                    return


def tone(seconds: float = 0.5, rate: int = 24_000) -> AudioFrame:
    wave = 8000 * np.sin(2 * np.pi * 440 * np.arange(int(seconds * rate)) / rate)
    return AudioFrame(wave.astype(np.int16), rate)


def location(reply: httpx.Response) -> str:
    """Where a call that has begun goes on and ends, as browsers resolve it."""
    return reply.request.url.join(reply.headers["location"]).path


WEBRTC: Sequence[Line] = omni_agent_webrtc.register_lines()


class Server:
    """The app in this process, with an HTTP client that needs no socket."""

    def __init__(
        self,
        host: ScriptedHost,
        options: ServerOptions | None = None,
        lines: Sequence[Line] = WEBRTC,
    ) -> None:
        self.host = host
        self.app = create_app(host, options, lines=lines)
        self._begun: dict[str, str] = {}
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app),
            base_url="http://localhost",
            event_hooks={"response": [self._remember]},
        )

    async def _remember(self, reply: httpx.Response) -> None:
        """What a call was begun with, it goes on and ends with."""
        if reply.status_code == 201 and "authorization" in reply.request.headers:
            self._begun[location(reply)] = reply.request.headers["authorization"]

    async def token(self) -> str:
        reply = await self.http.post(
            "/v1/realtime/client_secrets", headers={"origin": "http://localhost"}
        )
        assert reply.status_code == 200, reply.text
        return str(reply.json()["value"])

    async def post(self, offer: str, *, path: str = "/v1/realtime/calls") -> httpx.Response:
        bearer = self._begun.get(path) or f"Bearer {await self.token()}"
        headers = {"authorization": bearer, "content-type": "application/sdp"}
        return await self.http.post(path, content=offer, headers=headers)

    async def hang_up(self, path: str) -> httpx.Response:
        headers = {"authorization": self._begun.get(path, "")}
        return await self.http.delete(path, headers=headers)

    async def __aenter__(self) -> Server:
        self._scope = self.app.state.calls.running()
        await self._scope.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> None:
        await self._scope.__aexit__(*error)
        await self.http.aclose()
