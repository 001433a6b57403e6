"""ICE: what checks of a client, and of strangers, may cost."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from typing import Any

import aioice.stun
import pytest
from aioice.stun import Class, Message, Method
from omni_agent_webrtc.ice import (
    MAX_DATAGRAM,
    MAX_LEARNED,
    MAX_PROVEN,
    MAX_UNREAD,
    Connection,
    connection_of,
    parse_message,
)
from omni_agent_webrtc.stack import configure

from omni_agent.audio import AudioFrame
from tests.transports.calling import Hum, call, client, first, until


@pytest.fixture
async def connection() -> AsyncIterator[Connection]:
    """Ours, that looks for a client; what it finds is sent nothing."""
    configure()
    ours = Connection(ice_controlling=False)
    await ours.gather_candidates()
    ours.remote_username, ours.remote_password = "them", "x" * 22
    ours._early_checks_done = True
    yield ours
    await ours.close()


def check(connection: Connection, *left_out: str) -> Message:
    """A client's, authenticated."""
    attributes: dict[str, Any] = {
        "USERNAME": f"{connection.local_username}:them",
        "PRIORITY": 1_845_501_695,
        "ICE-CONTROLLING": 1,
    }
    for name in left_out:
        del attributes[name]
    message = Message(Method.BINDING, Class.REQUEST, attributes=attributes)
    message.add_message_integrity(connection.local_password.encode())
    return message


async def test_addresses_that_a_client_is_learned_from_are_bounded(
    connection: Connection,
) -> None:
    (protocol,) = connection._protocols
    for port in range(20_000, 20_000 + 5 * MAX_LEARNED):
        connection.request_received(check(connection), ("127.0.0.1", port), protocol)
    assert len(connection._remote_candidates) == MAX_LEARNED
    assert len(connection._check_list) == MAX_LEARNED
    tasks = asyncio.all_tasks()
    connection.request_received(check(connection), ("127.0.0.1", 20_000), protocol)
    assert asyncio.all_tasks() == tasks
    assert connection.signs == 5 * MAX_LEARNED + 1


async def test_a_check_without_a_priority_is_dropped(connection: Connection) -> None:
    (protocol,) = connection._protocols
    message = check(connection, "PRIORITY")
    connection.request_received(message, ("127.0.0.1", 20_000), protocol)
    assert connection._remote_candidates == []


@pytest.mark.parametrize("kind", [0x0006, 0x0008, 0x0020, 0x0024, 0x8028, 0x8029, 0x802A, 0x000D])
async def test_an_attribute_that_is_too_short_is_no_error(
    connection: Connection, kind: int
) -> None:
    """It was one in the log for each such packet, whoever sent it."""
    (protocol,) = connection._protocols
    for size in range(3):
        body = struct.pack("!HH", kind, size) + bytes(4 if size else 0)
        datagram = struct.pack("!HHI12s", 1, len(body), aioice.stun.COOKIE, b"t" * 12) + body
        protocol.datagram_received(datagram, ("127.0.0.1", 20_000))
    assert connection._remote_candidates == []


def test_what_is_whole_is_read_as_before() -> None:
    whole = Message(Method.BINDING, Class.REQUEST, attributes={"PRIORITY": 7})
    whole.add_fingerprint()
    assert parse_message(bytes(whole)).attributes == whole.attributes


class OldStun(asyncio.DatagramProtocol):
    """It answers as RFC 3489 has it, which aioice does not read."""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        asked = parse_message(data)
        answer = Message(asked.message_method, Class.RESPONSE, asked.transaction_id)
        answer.attributes["MAPPED-ADDRESS"] = addr
        self._transport.sendto(bytes(answer), addr)


async def test_a_stun_server_that_cannot_be_understood_costs_no_call(
    caplog: pytest.LogCaptureFixture,
) -> None:
    configure()
    loop = asyncio.get_running_loop()
    server, _ = await loop.create_datagram_endpoint(OldStun, local_addr=("127.0.0.1", 0))
    ours = Connection(ice_controlling=False, stun_server=server.get_extra_info("sockname"))
    ours.udp_ports = (42_000, 42_100)
    (host,) = await ours.get_component_candidates(1, ["127.0.0.1"])
    assert host.type == "host"
    assert "gave no address" in caplog.text
    await ours.close()
    server.close()


async def test_what_comes_before_a_call_is_connected_is_bounded(connection: Connection) -> None:
    (protocol,) = connection._protocols
    connection.request_received(check(connection), ("127.0.0.1", 20_000), protocol)
    for _ in range(2 * MAX_UNREAD):
        protocol.datagram_received(b"\x80" + bytes(1_000), ("127.0.0.1", 20_000))
    assert connection._queue.qsize() == MAX_UNREAD


async def test_what_comes_from_where_nobody_proved_anything_is_not_read(
    connection: Connection,
) -> None:
    (protocol,) = connection._protocols
    alert = bytes.fromhex("15fefd00000000000000000002022800")  # DTLS: a fatal one, to anybody
    connection._early_checks_done = False
    for port, proves in ((20_000, False), (20_001, True)):
        if proves:
            connection.request_received(check(connection), ("127.0.0.1", port), protocol)
        protocol.datagram_received(alert, ("127.0.0.1", port))
        assert connection._queue.qsize() == proves
    connection._early_checks.clear()
    for port in range(20_001, 20_001 + 2 * MAX_PROVEN):
        connection._early_checks_done = True
        connection.request_received(check(connection), ("127.0.0.1", port), protocol)
    assert len(connection._proven) == MAX_PROVEN


async def test_datagrams_that_aiortc_cannot_read_end_no_call() -> None:
    """Whoever sends them: nobody has to be in the call for it."""
    peer = client(Hum())
    async with call(peer) as line, asyncio.timeout(20):
        await first(line, lambda arrival: isinstance(arrival, AudioFrame))
        await until(lambda: line.connected)  # it delivers a little before
        assert line._peer is not None
        ours = line._peer.connection.getTransceivers()[0].sender.transport
        connection_of(ours.transport)._proven.add(("127.0.0.1", 9))
        for protocol in connection_of(ours.transport)._protocols:
            for data in (b"", b"\x80" * (MAX_DATAGRAM + 1), b"\x16" * 60_000, b"\x80", b"\x80\xc8"):
                protocol.datagram_received(data, ("127.0.0.1", 9))
        for _ in range(20):
            await first(line, lambda arrival: isinstance(arrival, AudioFrame))
        assert (line.ended, ours.state) == (False, "connected")
