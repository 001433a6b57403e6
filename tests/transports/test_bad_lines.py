"""Calls through a UDP proxy: short versions of the conditions in benchmarks/robust.py."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiortc import RTCSessionDescription
from omni_agent_webrtc import WebRTCTransport, answer
from omni_agent_webrtc.peer import CHANNEL
from omni_agent_webrtc.stack import configure

from benchmarks.robust import Proxy, Weather
from omni_agent.audio import AudioFrame
from tests.transports.calling import client, first, offer_of, until


@asynccontextmanager
async def through(weather: Weather) -> AsyncIterator[tuple[WebRTCTransport, Proxy]]:
    """A line in this weather to a client that sends every message back; bounded."""
    configure()  # a browser is as patient as we are
    peer, proxy = client(), Proxy(weather)
    channel = peer.createDataChannel(CHANNEL)
    channel.on("message", channel.send)
    await proxy.open()
    async with asyncio.timeout(120):
        offer = proxy.rewrite(await offer_of(peer), 0)
        line, sdp = await answer(offer, allow_private=True, connect_s=60.0)
        await peer.setRemoteDescription(RTCSessionDescription(proxy.rewrite(sdp, 1), "answer"))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(line.run())
            try:
                yield line, proxy
            finally:
                await line.aclose()
                await peer.close()
                proxy.close()


async def works(line: WebRTCTransport) -> None:
    """A message goes there and back, and audio comes after it."""
    line.send("ping")
    await first(line, lambda arrival: arrival == "ping")
    await first(line, lambda arrival: isinstance(arrival, AudioFrame))
    assert not line.ended


@pytest.mark.parametrize(
    "weather",
    [
        Weather(delay_s=0.3),
        Weather(loss=0.2),
        Weather(delay_s=0.15, jitter_s=0.3),
        Weather(delay_s=0.02, duplicated=0.2, reordered=0.2, corrupted=0.05),
    ],
    ids=["round trip of 600 ms", "20 % lost", "jitter of 300 ms", "twice, late and damaged"],
)
async def test_a_call_begins_and_works_on_a_bad_line(weather: Weather) -> None:
    async with through(weather) as (line, _):
        await works(line)


async def test_a_call_goes_on_after_an_outage_in_which_the_agent_waited(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("omni_agent_webrtc.transport.STALLED_S", 0.5)
    monkeypatch.setattr("omni_agent_webrtc.transport.WATCH_S", 0.05)
    async with through(Weather()) as (line, proxy):
        await works(line)
        proxy.weather = Weather(loss=1.0)
        await until(lambda: line.stalled)
        proxy.weather = Weather()
        await until(lambda: not line.stalled)
        await works(line)


async def test_forged_packets_are_no_sign_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("omni_agent_webrtc.transport.STALLED_S", 0.5)
    monkeypatch.setattr("omni_agent_webrtc.transport.WATCH_S", 0.05)
    rng = random.Random(3)
    async with through(Weather()) as (line, proxy):
        await works(line)
        proxy.weather = Weather(loss=1.0)

        def stalled() -> bool:
            """However much comes meanwhile."""
            for kind in (0x80, 0x90, 0x00, 0x01, 0x16, 0x17):
                proxy.send(1, bytes([kind, rng.randrange(256)]) + rng.randbytes(60))
            return line.stalled

        await until(stalled)
        assert line.connected
