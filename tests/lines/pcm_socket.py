"""A line in less than 100 lines: PCM16 at 16 kHz over a WebSocket, both ways, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import numpy as np
from starlette.routing import BaseRoute, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from omni_agent import Line, hookimpl
from omni_agent.audio import Pcm
from omni_agent.commands import Command
from omni_agent.events import Event
from omni_agent.line import Opening, OpenLine, Switchboard
from omni_agent.lines.clock import FrameClock
from omni_agent.lines.credit import Credit
from omni_agent.lines.inbox import Inbox
from omni_agent.lines.microphone import Microphone
from omni_agent.lines.playout import Playout
from omni_agent.lines.speech import SpeechQueue
from omni_agent.transport import Transport

RATE = 16_000


class PcmSocket:
    """The line of one call, and its transport."""

    connected = True

    def __init__(self, socket: WebSocket) -> None:
        self._socket, self.reason = socket, ""
        self._inbox: Inbox[Command] = Inbox()
        self._speech = SpeechQueue(
            Playout(RATE, ear_delay_s=0.1, ear_bound_ms=100), self._inbox.put
        )
        self.clock = FrameClock()
        self.over = asyncio.Event()
        inbox, speech = self._inbox, self._speech
        self.audio, self.video = inbox.audio.read, inbox.video.read
        self.commands, self.playback = inbox.messages.read, inbox.playback.read
        self.play, self.finish, self.flush = speech.play, speech.finish, speech.flush
        self.hold, self.resume, self.heard = speech.hold, speech.resume, speech.heard

    def notify(self, event: Event) -> None:
        """Its client is told of nothing."""

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            pacing = tasks.create_task(self._speech.pace(self.clock, self._send))
            await self._listen()
            pacing.cancel()

    async def _listen(self) -> None:
        microphone, credit = Microphone(RATE), Credit(RATE)
        now = asyncio.get_running_loop().time
        while (message := await self._socket.receive())["type"] == "websocket.receive":
            data: bytes = message.get("bytes") or b""
            pcm = np.frombuffer(data, "<i2", len(data) // 2)
            for frame in microphone.push(pcm) if credit.take(len(pcm), now()) else ():
                self._inbox.put(frame)
        self._end("closed by the client")

    async def _send(self, pcm: Pcm) -> None:
        with suppress(WebSocketDisconnect, RuntimeError):  # it closes under us: _listen is told
            await self._socket.send_bytes(pcm.astype("<i2").tobytes())

    def _end(self, reason: str) -> None:
        self.connected, self.reason = False, self.reason or reason
        self._speech.close()
        self._inbox.close()
        self.over.set()

    async def aclose(self, reason: str = "hung up") -> None:
        if self.connected:
            self._end(reason)
            await self._socket.close()


def routes(switchboard: Switchboard) -> Sequence[BaseRoute]:
    async def call(socket: WebSocket) -> None:
        line = PcmSocket(socket)

        async def open(opening: Opening) -> tuple[OpenLine, Transport]:
            await socket.accept()
            line.clock = FrameClock(opening.on_late)
            return line, line

        await switchboard.begin(socket, open, persona=socket.query_params.get("persona"))
        await line.over.wait()

    return [WebSocketRoute("/v1/pcm", call)]


@hookimpl
def register_lines() -> Sequence[Line]:
    return [Line("pcm", routes)]
