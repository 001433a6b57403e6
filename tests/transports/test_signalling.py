"""Offers, good and damaged."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import random
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from aiortc import RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack
from omni_agent_webrtc import answer
from omni_agent_webrtc.ice import Connection

from omni_agent.errors import SignallingError
from tests.transports.calling import Camera, client, offer_of

MUTATIONS = 600


def mutate(offer: str, rng: random.Random) -> str:
    """One to three small damages to an offer's lines."""
    lines = offer.splitlines()
    for _ in range(rng.randint(1, 3)):
        index = rng.randrange(1, len(lines))
        line = lines[index]
        match rng.randrange(7):
            case 0:
                del lines[index]
            case 1:
                lines.insert(index, lines[rng.randrange(len(lines))])
            case 2:
                lines[index] = line[: rng.randrange(len(line) + 1)]
            case 3:
                at = rng.randrange(len(line) + 1)
                lines[index] = line[:at] + rng.choice("0-9:/ \x00é☃") + line[at + 1 :]
            case 4:
                other = rng.randrange(1, len(lines))
                lines[index], lines[other] = lines[other], lines[index]
            case 5:
                lines[index] = "".join(rng.choice("0123456789") if c.isdigit() else c for c in line)
            case _:
                lines[index] = line.split(":", 1)[0] + ":" + "9" * rng.randrange(30)
        if len(lines) < 3:
            break
    return "\r\n".join(lines) + "\r\n"


def open_sockets() -> int:
    count = 0
    for name in os.listdir("/proc/self/fd"):
        try:
            count += os.readlink(f"/proc/self/fd/{name}").startswith("socket:")
        except OSError:  # closed since listdir
            continue
    return count


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="counts sockets in /proc")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
async def test_damaged_offers_are_answered_or_refused_and_nothing_stays_behind() -> None:
    """Every mutation gives a line or SignallingError; tasks, sockets and threads go back."""
    peer = client(AudioStreamTrack(), Camera())
    peer.createDataChannel("oai-events")
    offer = await offer_of(peer)
    # aiortc starts connecting on its own; what a damaged offer makes of that is only logged
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
    rng = random.Random(20_261_123)
    sockets, tasks, threads = open_sockets(), len(asyncio.all_tasks()), threading.active_count()
    refused = 0
    for _ in range(MUTATIONS):
        try:
            async with asyncio.timeout(20):
                line, _ = await answer(mutate(offer, rng))
                await line.aclose()
        except SignallingError as error:
            assert error.status == 400  # noqa: PT017  # a mutation may also be harmless
            refused += 1
    assert refused > 50
    await peer.close()
    async with asyncio.timeout(20):  # aiortc's last tasks notice the end at their next step
        # no event tells of a thread's end
        while len(asyncio.all_tasks()) > tasks or threading.active_count() > threads:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    gc.collect()
    assert open_sockets() <= sockets


def without(attribute: str, offer: str) -> str:
    return "".join(line for line in offer.splitlines(True) if f"a={attribute}" not in line)


@pytest.mark.parametrize("missing", ["fingerprint", "setup", "ice-ufrag", "ice-pwd"])
async def test_an_offer_that_could_never_be_connected_is_refused(missing: str) -> None:
    peer = client()
    with pytest.raises(SignallingError) as caught:
        await answer(without(missing, await offer_of(peer)))
    assert caught.value.status == 400
    await peer.close()


async def test_a_line_that_cannot_connect_ends_at_once_and_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """aiortc's task would die unseen, and hold a place until the time for connecting is over."""
    peer = client()
    peer.createDataChannel("oai-events")
    damaged = re.sub(r"a=sctp-port:\d+", "a=sctp-port:99999", await offer_of(peer))
    unseen: list[object] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda loop, context: unseen.append(context))
    with caplog.at_level(logging.INFO):
        line, sdp = await answer(damaged, connect_s=600)
        await peer.setRemoteDescription(RTCSessionDescription(sdp, "answer"))
        async with asyncio.timeout(20):
            await line.run()
    assert "a client cannot be connected" in caplog.text
    await peer.close()
    gc.collect()
    await asyncio.sleep(0)
    assert not unseen


@pytest.mark.parametrize("codec", ["PCMU/8000", "G722/8000"])
async def test_an_offer_without_opus_is_refused(codec: str) -> None:
    peer = client()
    offer = await offer_of(peer)
    kept = [line for line in offer.splitlines() if "opus" not in line.lower()]
    with pytest.raises(SignallingError) as caught:
        await answer("\r\n".join(kept) + "\r\n")
    assert caught.value.status == 400
    await peer.close()


async def test_a_bad_ice_server_is_the_operators_mistake() -> None:
    peer = client()
    with pytest.raises(SignallingError, match="ice_servers") as caught:
        await answer(await offer_of(peer), ice_servers=[{"url": "stun:x"}])
    assert caught.value.status == 500
    await peer.close()


async def test_the_answer_names_an_address_and_takes_opus_only() -> None:
    peer = client()
    line, sdp = await answer(await offer_of(peer))
    assert "a=candidate:" in sdp
    assert "opus/48000/2" in sdp
    assert "PCMU" not in sdp
    await line.aclose()
    await peer.close()


@contextmanager
def deaf_server() -> Iterator[int]:
    """The port of a STUN server that never answers."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
        deaf.bind(("127.0.0.1", 0))
        yield deaf.getsockname()[1]


@pytest.mark.parametrize("ports", [None, (40_000, 49_999)])
async def test_a_stun_server_that_does_not_answer_is_left_out_and_named(
    ports: tuple[int, int] | None,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Connection.get_component_candidates, "__defaults__", (0.05,))
    peer = client()
    with deaf_server() as port:
        servers = [{"urls": f"stun:127.0.0.1:{port}"}]
        line, sdp = await answer(await offer_of(peer), ice_servers=servers, udp_ports=ports)
    assert "typ host" in sdp
    assert f"STUN server 127.0.0.1:{port} gave no address" in caplog.text
    await line.aclose()
    await peer.close()


async def test_an_offer_is_answered_in_time_or_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("omni_agent_webrtc.signalling.ANSWER_S", 0.05)
    peer = client()
    offer = await offer_of(peer)
    with deaf_server() as port, pytest.raises(SignallingError, match="no answer") as caught:
        await answer(offer, ice_servers=[{"urls": f"stun:127.0.0.1:{port}"}])
    assert caught.value.status == 504
    await peer.close()
