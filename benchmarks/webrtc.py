"""The WebRTC line, measured: echo from mic to ear, and calls on one core.

    python benchmarks/webrtc.py [--seconds 8] [--max-calls 60] [--out FILE.json]

Loopback only, ends by itself. The client runs in another process, on another
core where there is one. *Echo*: the client speaks clicks, the server's agent
plays back what it hears, frame by frame; mic → ear is from the click's place
in the microphone stream to its arrival in the client's ear, the client's own
receiver being ours (no jitter buffer), so that only the line is measured. The
stock path (aiortc's jitter buffer and its executor encoder) runs in the same way.
*Capacity*: calls whose agent always speaks are added until the p99 of the send
lateness reaches 20 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import logging
import multiprocessing
import os
import statistics
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from fractions import Fraction
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import aioice.ice
import av
import numpy as np
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from omni_agent_webrtc import WebRTCTransport, answer
from omni_agent_webrtc.tracks import InlineReceiver, read_stock

from omni_agent.audio import AudioFrame
from omni_agent.lines.clock import FrameClock

RATE = 48_000
CLICK_EVERY_S = 0.5
LIMIT_MS = 20.0
BACKLOG = 1
"""Frames an echo may have queued already when the next one comes."""
STEP = 5
"""Calls added at a time."""


def on_loopback() -> None:
    aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"]


def pin(core: int) -> None:
    """Keep this process on one core, when the machine has it."""
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[core % len(cores)]})


# -- the client's process ------------------------------------------------------------


class Clicks(MediaStreamTrack):
    """A microphone: a 10 ms burst each half second; notes when each burst was recorded.

    A frame is handed on when its last sample has been recorded, as a real
    microphone does; the burst opens its frame, 20 ms before.
    """

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._clock = FrameClock()
        self._loop = asyncio.get_running_loop()
        self.spoken: list[float] = []
        n = np.arange(RATE // 100)
        self._burst = (16_000 * np.sin(2 * np.pi * 1000 * n / RATE)).astype(np.int16)

    async def recv(self) -> av.AudioFrame:
        slot, _ = await self._clock.tick()
        pcm = np.zeros(RATE // 50, np.int16)
        if slot and slot % round(CLICK_EVERY_S * 50) == 0:
            pcm[: len(self._burst)] = self._burst
            self.spoken.append(self._loop.time() - 0.02)
        frame = av.AudioFrame.from_ndarray(pcm[None, :], format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, slot * 960, Fraction(1, RATE)
        return frame


class Silence(Clicks):
    """A muted microphone whose frame is made once."""

    async def recv(self) -> av.AudioFrame:
        slot, _ = await self._clock.tick()
        frame = av.AudioFrame.from_ndarray(
            np.zeros((1, 960), np.int16), format="s16", layout="mono"
        )
        frame.sample_rate, frame.pts, frame.time_base = RATE, slot * 960, Fraction(1, RATE)
        return frame


class Ear:
    """Notes when a click is heard: the place of its first loud sample within the frame counts."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.heard: list[float] = []

    def frame(self, frame: AudioFrame) -> None:
        loud = np.flatnonzero(np.abs(frame.pcm) > 3000)
        now = self._loop.time()
        if len(loud) and (not self.heard or now - self.heard[-1] > 0.3):
            self.heard.append(now + loud[0] / frame.sample_rate)


class Client:
    """One peer connection of the client's process."""

    def __init__(self, *, clicks: bool, inline: bool) -> None:
        self.peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.mic = Clicks() if clicks else Silence()
        self.peer.addTrack(self.mic)
        self.ear = Ear()
        receiver = self.peer.getTransceivers()[0].receiver
        deliver = self.ear.frame if clicks else lambda frame: None
        if clicks and inline:
            InlineReceiver.install(receiver, deliver)
        elif not clicks:
            # A client of the capacity run only has to take packets off the line.
            receiver._RTCRtpReceiver__jitter_buffer = Drop()
        self.stock = clicks and not inline
        self.drain: asyncio.Task[None] | None = None

    async def connect(self, pipe: Connection) -> None:
        await self.peer.setLocalDescription(await self.peer.createOffer())
        await send(pipe, self.peer.localDescription.sdp)
        await self.peer.setRemoteDescription(RTCSessionDescription(await receive(pipe), "answer"))
        if self.stock:
            track = self.peer.getTransceivers()[0].receiver.track
            self.drain = asyncio.ensure_future(read_stock(track, self.ear.frame))


class Drop:
    """In place of a jitter buffer: takes packets and keeps none."""

    def add(self, packet: Any) -> tuple[bool, None]:
        return False, None


async def send(pipe: Connection, value: Any) -> None:
    await asyncio.to_thread(pipe.send, value)


async def receive(pipe: Connection) -> Any:
    return await asyncio.to_thread(pipe.recv)


async def client_main(pipe: Connection) -> None:
    """Obeys the other process: ("call", clicks, inline), ("latencies",), ("close",), ("end",)."""
    clients: list[Client] = []
    while True:
        order = await receive(pipe)
        if order[0] == "call":
            client = Client(clicks=order[1], inline=order[2])
            clients.append(client)
            await client.connect(pipe)
        elif order[0] == "latencies":
            mic, ear = clients[-1].mic.spoken, clients[-1].ear.heard
            await send(pipe, matched(mic, ear))
        elif order[0] == "close":
            await asyncio.gather(*(client.peer.close() for client in clients))
            clients.clear()
            await send(pipe, "closed")
        else:
            return


def matched(spoken: list[float], heard: list[float]) -> list[float]:
    """Milliseconds from each click to the first time it was heard within half a second."""
    out = []
    for click in spoken:
        after = [1000 * (at - click) for at in heard if 0 < at - click < 0.45]
        out += after[:1]
    return out


def client_process(pipe: Connection) -> None:
    pin(1)
    on_loopback()
    logging.disable(logging.CRITICAL)
    asyncio.run(client_main(pipe))


# -- the server's side -----------------------------------------------------------------


class StockVoice(MediaStreamTrack):
    """The echo as aiortc alone would do it: 20 ms frames that it encodes in its executor."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._clock = FrameClock()
        self.queue: asyncio.Queue[av.AudioFrame] = asyncio.Queue()

    async def recv(self) -> av.AudioFrame:
        slot, _ = await self._clock.tick()
        if self.queue.empty():
            frame = av.AudioFrame.from_ndarray(
                np.zeros((1, 2 * 960), np.int16), format="s16", layout="stereo"
            )
            frame.sample_rate = RATE
        else:
            frame = self.queue.get_nowait()
        frame.pts, frame.time_base = slot * 960, Fraction(1, RATE)
        return frame


async def echo_ours(line: WebRTCTransport) -> None:
    async for frame in line.audio():
        # An echo is live: without a bound, one stall of the machine would delay it for good.
        if line._speech.playout.queued_s <= BACKLOG * 0.02:
            await line.play("echo", frame)


async def stock_answer(offer: str) -> tuple[RTCPeerConnection, str]:
    """An echo with nothing but aiortc."""
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    voice = StockVoice()
    peer.addTrack(voice)

    async def echo(track: MediaStreamTrack) -> None:
        while True:
            try:
                frame = await track.recv()
                if voice.queue.qsize() <= BACKLOG:
                    voice.queue.put_nowait(frame)
            except MediaStreamError:
                return

    tasks: list[asyncio.Future[None]] = []
    peer.on("track", lambda track: tasks.append(asyncio.ensure_future(echo(track))))
    await peer.setRemoteDescription(RTCSessionDescription(offer, "offer"))
    await peer.setLocalDescription(await peer.createAnswer())
    return peer, peer.localDescription.sdp


@dataclass(frozen=True)
class Echo:
    """Mic → ear, ms."""

    path: str
    clicks: int
    p50: float
    p90: float


def echo_result(path: str, latencies: list[float]) -> Echo:
    if len(latencies) < 3:
        raise RuntimeError(f"{path}: only {len(latencies)} clicks came back")
    ordered = sorted(latencies)
    return Echo(
        path,
        len(ordered),
        round(statistics.median(ordered), 1),
        round(ordered[int(0.9 * (len(ordered) - 1))], 1),
    )


async def measure_echo(pipe: Connection, seconds: float) -> list[Echo]:
    results = []
    await send(pipe, ("call", True, False))
    peer, sdp = await stock_answer(await receive(pipe))
    await send(pipe, sdp)
    await asyncio.sleep(seconds)
    await send(pipe, ("latencies",))
    results.append(echo_result("aiortc as it comes, both ends", await receive(pipe)))
    await close(pipe)
    await peer.close()

    for path, theirs in (("ours, client as aiortc comes", False), ("ours, both ends", True)):
        await send(pipe, ("call", True, theirs))
        line, sdp = await answer(await receive(pipe), allow_private=True)
        await send(pipe, sdp)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(line.run())
            echoing = tasks.create_task(echo_ours(line))
            await asyncio.sleep(seconds)
            await send(pipe, ("latencies",))
            latencies = await receive(pipe)
            await line.aclose()
            echoing.cancel()
        await close(pipe)
        results.append(echo_result(path, latencies))
    return results


async def close(pipe: Connection) -> None:
    await send(pipe, ("close",))
    await receive(pipe)


def speech(seconds: float) -> AudioFrame:
    """Something that costs an encoder as much as speech does: modulated harmonics and noise."""
    n = np.arange(int(seconds * 24_000)) / 24_000
    voiced = sum(np.sin(2 * np.pi * 130 * k * n) / k for k in range(1, 20))
    noise = np.random.default_rng(1).normal(0, 0.2, len(n))
    envelope = 0.5 + 0.5 * np.sin(2 * np.pi * 4 * n)
    return AudioFrame.from_float(0.25 * envelope * (voiced + noise), 24_000)


@dataclass(frozen=True)
class Step:
    """calls at once; send lateness, ms; cpu: share of the server's core; frame_us: CPU time of
    a frame out and one in, in the best second (the figure that other work disturbs least)."""

    calls: int
    late_p50: float
    late_p99: float
    cpu: float
    frame_us: float


async def talk(line: WebRTCTransport, words: AudioFrame) -> None:
    """An agent that never stops speaking."""
    for utterance in itertools.count():
        if line.ended:
            return
        await line.play(f"u{utterance}", words)
        line.finish(f"u{utterance}")


async def listen(line: WebRTCTransport) -> None:
    async for _ in line.audio():
        pass


class Tap:
    """Hands lateness on to whoever counts it at the moment."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def observe(self, seconds: float) -> None:
        self.seconds.append(seconds)


async def measure_capacity(
    pipe: Connection, seconds: float, most: int, report: Callable[[Step], None]
) -> list[Step]:
    words, tap = speech(1.0), Tap()
    lines: list[WebRTCTransport] = []
    steps: list[Step] = []
    async with asyncio.TaskGroup() as tasks:
        talking: list[asyncio.Task[None]] = []
        while len(lines) < most:
            for _ in range(STEP):
                await send(pipe, ("call", False, True))
                line, sdp = await answer(
                    await receive(pipe), allow_private=True, on_late=tap.observe
                )
                await send(pipe, sdp)
                lines.append(line)
                works = (line.run(), listen(line), talk(line, words))
                talking += [tasks.create_task(work) for work in works]
            await asyncio.sleep(1.0)  # the set-up of the new calls is not what is measured
            steps.append(await one_step(len(lines), tap, seconds))
            report(steps[-1])
            if steps[-1].late_p99 >= LIMIT_MS:
                break
        await asyncio.gather(*(line.aclose() for line in lines))
        for task in talking:
            task.cancel()
    await close(pipe)
    return steps


async def one_step(calls: int, tap: Tap, seconds: float) -> Step:
    """Measure the calls that are up."""
    loop = asyncio.get_running_loop()
    late: list[float] = []
    shares, costs = [], []
    for _ in range(max(1, round(seconds))):
        tap.seconds.clear()
        begun, cpu = loop.time(), cpu_s()
        await asyncio.sleep(1.0)
        used = cpu_s() - cpu
        shares.append(used / (loop.time() - begun))
        costs.append(1e6 * used / max(1, len(tap.seconds)))
        late += tap.seconds
    ordered = sorted(1000 * one for one in late) or [float("inf")]
    return Step(
        calls,
        round(ordered[len(ordered) // 2], 2),
        round(ordered[int(0.99 * len(ordered))], 2),
        round(statistics.mean(shares), 2),
        round(min(costs)),
    )


def cpu_s() -> float:
    times = os.times()
    return times.user + times.system


async def server_main(pipe: Connection, options: argparse.Namespace) -> dict[str, Any]:
    on_loopback()
    print("echo, mic → ear")
    echoes = await measure_echo(pipe, options.seconds)
    for echo in echoes:
        print(f"  {echo.path:34} p50 {echo.p50:6.1f} ms  p90 {echo.p90:6.1f} ms  ({echo.clicks})")
    print("calls on one core, the agent always speaking")

    def report(step: Step) -> None:
        print(
            f"  {step.calls:3} calls  late p50 {step.late_p50:6.2f} ms"
            f"  p99 {step.late_p99:6.2f} ms  cpu {100 * step.cpu:3.0f} %"
            f"  {step.frame_us:4.0f} µs a frame",
            flush=True,
        )

    steps = await measure_capacity(pipe, options.seconds / 2, options.max_calls, report)
    await send(pipe, ("end",))
    good = max((step.calls for step in steps if step.late_p99 < LIMIT_MS), default=0)
    print(f"  → {good} calls with p99 < {LIMIT_MS:.0f} ms")
    return {
        "echo": [asdict(echo) for echo in echoes],
        "capacity": [asdict(step) for step in steps],
        "calls_per_core": good,
        "uvloop": "uvloop" in type(asyncio.get_running_loop()).__module__,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=8.0, help="length of one measurement")
    parser.add_argument("--max-calls", type=int, default=60)
    parser.add_argument("--uvloop", action="store_true", help="serve on uvloop")
    parser.add_argument("--out", type=Path, help="write the figures here, as JSON")
    options = parser.parse_args()
    logging.basicConfig(level=logging.ERROR)
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    client = context.Process(target=client_process, args=(theirs,), daemon=True)
    client.start()
    pin(0)
    try:
        if options.uvloop:
            import uvloop

            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                figures = runner.run(server_main(ours, options))
        else:
            figures = asyncio.run(server_main(ours, options))
    finally:
        client.join(timeout=5)
        if client.is_alive():
            client.kill()
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(figures, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
