"""How calls survive bad lines, and what attacks cost: a UDP proxy of ours, on loopback.

    python benchmarks/robust.py [--calls 20] [--only NAME …] [--out FILE.md]

The server's lines and the proxies are in this process, the clients (aiortc with our
patience in place of its own: a browser's ICE lasts as long) in another. For each
condition all calls are held at once, through a proxy each; a call has survived when at
its end audio flows and a message goes there and back. *p99 late*: how late our own frames
were; beyond some 50 ms the machine is the patient, not the line. It ends by itself, after
some 15 minutes; ``--only`` picks conditions and attacks by words of their names.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import multiprocessing
import os
import platform
import random
import re
import signal
import statistics
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import aioice.ice
import av
import numpy as np
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamTrack
from omni_agent_webrtc import WebRTCTransport, answer
from omni_agent_webrtc.opus import OpusEncoder
from omni_agent_webrtc.peer import CHANNEL
from omni_agent_webrtc.stack import configure

from omni_agent.audio import AudioFrame
from omni_agent.lines.clock import FrameClock

LOOPBACK = "127.0.0.1"
SETTLE_S = 12.0
"""After a disturbance: how long a line may take until it is asked whether it survived."""
PONG_S = 20.0
"""How long a message may take there and back over a bad line."""
BURST = 500
"""Messages of 200 bytes that each client sends at once."""


# -- the line between ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Weather:
    """What a line does to packets. delay, jitter: one way, seconds; the rest are shares of 1."""

    delay_s: float = 0.0
    jitter_s: float = 0.0
    loss: float = 0.0
    duplicated: float = 0.0
    reordered: float = 0.0
    corrupted: float = 0.0


class Proxy:
    """Between one client and one server: whoever sends to one of its two ends is heard at the
    other. An outage is ``weather = Weather(loss=1)``."""

    def __init__(self, weather: Weather) -> None:
        self.weather = weather
        self._loop = asyncio.get_running_loop()
        self._random = random.Random(7)
        self._ends: list[asyncio.DatagramTransport] = []
        self._targets: list[tuple[str, int] | None] = [None, None]

    async def open(self) -> None:
        for index in (0, 1):
            end, _ = await self._loop.create_datagram_endpoint(
                lambda index=index: _End(self, index), local_addr=(LOOPBACK, 0)
            )
            self._ends.append(end)

    def rewrite(self, sdp: str, side: int) -> str:
        """The SDP of side 0 (client) or 1 (server) as the other side shall see it."""
        pattern = r"(a=candidate:\S+ 1 udp \d+ )\S+ (\d+)( typ host)"
        found = re.search(pattern, sdp)
        assert found is not None, sdp
        self._targets[side] = (LOOPBACK, int(found[2]))
        port = self._ends[1 - side].get_extra_info("sockname")[1]
        return re.sub(pattern, rf"\g<1>{LOOPBACK} {port}\g<3>", sdp)

    def pass_on(self, index: int, data: bytes) -> None:
        weather, chance = self.weather, self._random.random
        if chance() < weather.loss:
            return
        # A handshake is not authenticated yet; what really damages packets is caught by UDP.
        if chance() < weather.corrupted and data[0] not in (20, 21, 22):
            at = self._random.randrange(len(data))
            data = data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]
        for _ in range(2 if chance() < weather.duplicated else 1):
            late = weather.delay_s + weather.jitter_s * chance()
            if chance() < weather.reordered:
                late += 0.05
            self._loop.call_later(late, self.send, 1 - index, data)

    def send(self, index: int, data: bytes) -> None:
        """From one of the ends, whatever the weather."""
        target = self._targets[index]
        if target is not None and not self._ends[index].is_closing():
            self._ends[index].sendto(data, target)

    def close(self) -> None:
        for end in self._ends:
            end.close()


class _End(asyncio.DatagramProtocol):
    """End 0 faces the client, end 1 the server."""

    def __init__(self, proxy: Proxy, index: int) -> None:
        self._proxy, self._index = proxy, index

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self._proxy.pass_on(self._index, data)


# -- the clients' process --------------------------------------------------------------


class Microphone(MediaStreamTrack):
    """A quiet room, encoded once a frame."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._clock, self._encoder = FrameClock(), OpusEncoder()

    async def recv(self) -> av.Packet[av.AudioStream]:
        slot, _ = await self._clock.tick()
        return self._encoder.encode(None, slot)


class Drop:
    """In place of a jitter buffer: takes packets and keeps none."""

    def add(self, packet: Any) -> tuple[bool, None]:
        return False, None


class Client:
    """An aiortc client that answers ``ping`` with ``pong``."""

    def __init__(self) -> None:
        self.peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.peer.addTrack(Microphone())
        setattr(self.peer.getTransceivers()[0].receiver, "_RTCRtpReceiver__jitter_buffer", Drop())  # noqa: B010
        self.channel = self.peer.createDataChannel(CHANNEL)
        self.channel.on("message", self._pong)

    def _pong(self, text: str) -> None:
        if text == "ping":
            self.channel.send("pong")

    async def offer(self) -> str:
        await self.peer.setLocalDescription(await self.peer.createOffer())
        return str(self.peer.localDescription.sdp)


async def clients_main(pipe: Connection) -> None:
    """Obeys (order, client's number, more): offer, accept, burst; close ends them all."""
    clients: dict[int, Client] = {}
    while True:
        order, number, more = await asyncio.to_thread(pipe.recv)
        reply: Any = None
        if order == "offer":
            clients[number] = Client()
            reply = await clients[number].offer()
        elif order == "accept":
            await clients[number].peer.setRemoteDescription(RTCSessionDescription(more, "answer"))
        elif order == "burst":
            for index in range(more):
                clients[number].channel.send(f"{index:200}")
        elif order == "close":
            await asyncio.gather(*(client.peer.close() for client in clients.values()))
            clients.clear()
        else:
            return
        await asyncio.to_thread(pipe.send, reply)


def clients_process(pipe: Connection) -> None:
    prepare()
    asyncio.run(clients_main(pipe))


def prepare() -> None:
    configure()
    aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: [LOOPBACK]
    logging.disable(logging.CRITICAL)


class Clients:
    """The other process, spoken to one order at a time."""

    def __init__(self) -> None:
        self._pipe, theirs = multiprocessing.Pipe()
        spawn = multiprocessing.get_context("spawn")
        self.process = spawn.Process(target=clients_process, args=(theirs,), daemon=True)
        self.process.start()
        self._lock = asyncio.Lock()

    async def ask(self, order: str, number: int = 0, more: Any = None) -> Any:
        async with self._lock:
            await asyncio.to_thread(self._pipe.send, (order, number, more))
            return await asyncio.to_thread(self._pipe.recv)

    def end(self) -> None:
        self._pipe.send(("end", 0, None))
        self.process.join(10)


# -- a call ----------------------------------------------------------------------------


@dataclass(slots=True)
class Held:
    """One call as the server sees it."""

    number: int
    line: WebRTCTransport
    proxy: Proxy
    late: list[float]
    connected_s: float = 0.0
    ended_at: float = 0.0
    frames: int = 0
    stalls: int = 0
    pong: asyncio.Event = field(default_factory=asyncio.Event)

    async def listen(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._count())
            async for message in self.line.messages():
                if message == "pong":
                    self.pong.set()
        self.ended_at = asyncio.get_running_loop().time()

    async def _count(self) -> None:
        async for _ in self.line.audio():
            self.frames += 1

    async def talk(self) -> None:
        """Speech half of the time, from now to the end."""
        words = AudioFrame((3000 * np.sin(np.arange(24_000) / 20)).astype(np.int16), 24_000)
        number = 0
        while not self.line.ended:
            number += 1
            await self.line.play(f"u{number}", words)
            self.line.finish(f"u{number}")
            await asyncio.sleep(2.0)

    async def count_stalls(self) -> None:
        before = False
        while not self.line.ended:
            self.stalls += self.line.stalled and not before
            before = self.line.stalled
            await asyncio.sleep(0.1)

    async def alive(self) -> bool:
        """Whether audio comes and a message goes there and back."""
        before = self.frames
        self.pong.clear()
        self.line.send("ping")
        try:
            async with asyncio.timeout(PONG_S):
                await self.pong.wait()
                while self.frames < before + 10:
                    await asyncio.sleep(0.02)
        except TimeoutError:
            return False
        return not self.line.ended


@asynccontextmanager
async def held(clients: Clients, count: int, weather: Weather) -> AsyncIterator[list[Held]]:
    """Calls that are set up in this weather, each in its own time."""
    calls: list[Held] = []
    loop = asyncio.get_running_loop()
    async with asyncio.TaskGroup() as tasks:
        for number in range(count):
            proxy = Proxy(weather)
            await proxy.open()
            offer = proxy.rewrite(await clients.ask("offer", number), 0)
            late: list[float] = []
            line, sdp = await answer(offer, allow_private=True, connect_s=30.0, on_late=late.append)
            await clients.ask("accept", number, proxy.rewrite(sdp, 1))
            call = Held(number, line, proxy, late)
            calls.append(call)
            for work in (line.run, call.listen, call.talk, call.count_stalls):
                tasks.create_task(work())
            tasks.create_task(_note_connection(call, loop.time()))
        try:
            async with asyncio.timeout(35):
                while not all(call.line.connected or call.line.ended for call in calls):
                    await asyncio.sleep(0.1)
            yield calls
        finally:
            await asyncio.gather(*(call.line.aclose() for call in calls))
            await clients.ask("close")
            for call in calls:
                call.proxy.close()


async def _note_connection(call: Held, began: float) -> None:
    while not (call.line.connected or call.line.ended):
        await asyncio.sleep(0.02)
    call.connected_s = asyncio.get_running_loop().time() - began


# -- conditions ------------------------------------------------------------------------

Trouble = Callable[[Clients, list[Held]], Awaitable[None]]


def weather_for(seconds: float) -> Trouble:
    async def go_on(clients: Clients, calls: list[Held]) -> None:
        await asyncio.sleep(seconds)

    return go_on


def outage(seconds: float) -> Trouble:
    async def cut(clients: Clients, calls: list[Held]) -> None:
        await asyncio.sleep(5)
        for call in calls:
            call.proxy.weather = Weather(loss=1.0)
        await asyncio.sleep(seconds)
        for call in calls:
            call.proxy.weather = Weather()
        await asyncio.sleep(SETTLE_S)

    return cut


def stopped(seconds: float) -> Trouble:
    async def freeze(clients: Clients, calls: list[Held]) -> None:
        await asyncio.sleep(5)
        assert clients.process.pid is not None
        os.kill(clients.process.pid, signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            os.kill(clients.process.pid, signal.SIGCONT)
        await asyncio.sleep(SETTLE_S)

    return freeze


async def bursts(clients: Clients, calls: list[Held]) -> None:
    await asyncio.sleep(5)
    for call in calls:
        await clients.ask("burst", call.number, BURST)
    await asyncio.sleep(SETTLE_S)


async def late_loop(clients: Clients, calls: list[Held]) -> None:
    """Our own event loop stands still, as on a machine that is busy: 3 s, three times."""
    import time

    for _ in range(3):
        await asyncio.sleep(4)
        time.sleep(3)  # noqa: ASYNC251  # that is the point
    await asyncio.sleep(SETTLE_S)


BAD = Weather(delay_s=0.3, jitter_s=0.3, loss=0.2)
CONDITIONS: dict[str, tuple[Weather, Trouble]] = {
    "a good line, 30 s": (Weather(), weather_for(30)),
    "round trip 600 ms, 3 min": (Weather(delay_s=0.3), weather_for(180)),
    "20 % lost, 3 min": (Weather(loss=0.2), weather_for(180)),
    "600 ms, jitter 300 ms and 20 % lost, 3 min": (BAD, weather_for(180)),
    "20 % twice, 20 % out of order, 5 % damaged, 1 min": (
        Weather(delay_s=0.02, duplicated=0.2, reordered=0.2, corrupted=0.05),
        weather_for(60),
    ),
    "no line for 10 s": (Weather(), outage(10)),
    "no line for 25 s": (Weather(), outage(25)),
    "client stopped for 8 s": (Weather(), stopped(8)),
    "burst on the data channel": (Weather(), bursts),
    "our own loop late by 3 s, three times": (Weather(), late_loop),
}


async def survive(clients: Clients, name: str, count: int) -> list[str]:
    weather, trouble = CONDITIONS[name]
    async with held(clients, count, weather) as calls:
        await trouble(clients, calls)
        alive = sum(await asyncio.gather(*(call.alive() for call in calls)))
        connected = sorted(call.connected_s for call in calls)
        stalls = sum(call.stalls for call in calls)
        late = sorted(seconds for call in calls for seconds in call.late)
        reasons = sorted({call.line.reason for call in calls if call.line.ended})
    return [
        name,
        f"{alive} of {count}",
        f"{statistics.median(connected):.1f} ({connected[-1]:.1f})",
        str(stalls),
        f"{1000 * late[len(late) * 99 // 100]:.0f}",
        ", ".join(reasons) or "–",
    ]


# -- attacks ---------------------------------------------------------------------------

Attack = Callable[[Clients], Awaitable[str]]
ATTACKS: dict[str, Attack] = {}
"""What is tried → what came of it, in words. Bounded, on loopback, ends by itself."""


def attack(name: str) -> Callable[[Attack], Attack]:
    def register(function: Attack) -> Attack:
        ATTACKS[name] = function
        return function

    return register


@attack("a line that is cut for good: when the server ends it")
async def cut_for_good(clients: Clients) -> str:
    loop = asyncio.get_running_loop()
    async with held(clients, 4, Weather()) as calls:
        await asyncio.sleep(3)
        cut = loop.time()
        for call in calls:
            call.proxy.weather = Weather(loss=1.0)
        while not all(call.ended_at for call in calls) and loop.time() < cut + 60:
            await asyncio.sleep(0.1)
        after = [call.ended_at - cut for call in calls]
        reasons = {call.line.reason for call in calls}
    return f"over after {min(after):.1f} – {max(after):.1f} s ({', '.join(reasons)})"


@attack("forged packets keep a dead line alive")
async def forged(clients: Clients) -> str:
    loop = asyncio.get_running_loop()
    rng = random.Random(1)
    async with held(clients, 1, Weather()) as (call,):
        await asyncio.sleep(2)
        call.proxy.weather = Weather(loss=1.0)
        cut, sent = loop.time(), 0
        while not call.line.ended and loop.time() < cut + 45:
            for first in (0x80, 0x90, 0x00, 0x16):  # RTP, RTP, STUN, DTLS
                call.proxy.send(1, bytes([first, 0x6F]) + rng.randbytes(40))
                sent += 1
            await asyncio.sleep(0.02)
        return f"no: over after {loop.time() - cut:.1f} s and {sent} of them ({call.line.reason})"


@attack("50,000 garbage packets at a call's port")
async def garbage(clients: Clients) -> str:
    rng = random.Random(2)
    async with held(clients, 2, Weather()) as calls:
        for _ in range(500):
            for _ in range(100):
                calls[0].proxy.send(1, rng.randbytes(rng.randrange(1, 1400)))
            await asyncio.sleep(0.005)
        alive = await asyncio.gather(*(call.alive() for call in calls))
    return f"{sum(alive)} of 2 calls go on"


# -- the report ------------------------------------------------------------------------


def report(survived: list[list[str]], attacked: list[tuple[str, str]]) -> str:
    head = [
        f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}; "
        f"{datetime.now(UTC):%Y-%m-%d}.",
        "",
        "| line | survived | connected after, s (worst) | stalls | p99 late, ms | ended because |",
        "|---|---|---|---|---|---|",
    ]
    rows = [f"| {' | '.join(row)} |" for row in survived]
    more = ["", "| tried | result |", "|---|---|", *(f"| {a} | {b} |" for a, b in attacked)]
    return "\n".join([*head, *rows, *more, ""])


async def main(options: argparse.Namespace) -> None:
    def chosen(name: str) -> bool:
        return not options.only or any(word in name for word in options.only)

    clients = Clients()
    survived: list[list[str]] = []
    attacked: list[tuple[str, str]] = []
    try:
        for name in filter(chosen, CONDITIONS):
            survived.append(await survive(clients, name, options.calls))
            print("  ".join(survived[-1]), file=sys.stderr, flush=True)
        for name, function in ATTACKS.items():
            if chosen(name):
                attacked.append((name, await function(clients)))
                print("  ".join(attacked[-1]), file=sys.stderr, flush=True)
    finally:
        clients.end()
    text = report(survived, attacked)
    print(text)
    if options.out:
        Path(options.out).write_text(text)


if __name__ == "__main__":
    prepare()
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--calls", type=int, default=20)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--out")
    asyncio.run(main(parser.parse_args()))
