"""WebSockets are connections as all others: counted, bounded and over in the end."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import uvicorn
from starlette.websockets import WebSocket, WebSocketDisconnect
from uvicorn.server import ServerState
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError, InvalidHandshake
from websockets.frames import Frame, Opcode

from omni_agent.server.connections import Door, uvicorn_options
from omni_agent.server.limits import ConnectionLimits, Limits
from tests.clocks import put_forward, until


class Echoing:
    """An app that sends back what comes; at /flood all that it can, and at /much a lot."""

    def __init__(self, limits: ConnectionLimits) -> None:
        self.door = Door(limits)
        options = uvicorn_options(self.door, Limits(connections=limits))
        self.config = uvicorn.Config(
            self.answer, lifespan="off", interface="asgi3", log_config=None, **options
        )
        self.config.load()
        self.state = ServerState()
        self.port = 0
        self.open = self.asked = 0

    async def answer(self, scope, receive, send) -> None:  # type: ignore[no-untyped-def]  # ASGI
        one = WebSocket(scope, receive, send)
        self.asked += 1
        self.open += 1
        with contextlib.suppress(WebSocketDisconnect):
            await one.accept()
            match scope["path"]:
                case "/flood":
                    while True:
                        await one.send_bytes(bytes(100_000))
                case "/much":
                    await one.send_bytes(bytes(50_000_000))
                    await one.close()
                case _:
                    async for data in one.iter_bytes():
                        await one.send_bytes(data)
        self.open -= 1

    async def dial(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/"

    def connection(self) -> asyncio.Protocol:
        return self.door(config=self.config, server_state=self.state, app_state={})


@asynccontextmanager
async def serving(**limits: float) -> AsyncIterator[Echoing]:
    one = Echoing(ConnectionLimits(**limits))  # type: ignore[arg-type]  # ints are floats
    listening = socket.create_server(("127.0.0.1", 0))
    one.port = listening.getsockname()[1]
    server = await asyncio.get_running_loop().create_server(one.connection, sock=listening)
    try:
        yield one
    finally:
        server.close()
        await until(lambda: one.door.open == 0)
        await until(lambda: not one.open)
        assert not one.state.connections


async def test_a_websocket_is_counted_until_it_is_over() -> None:
    async with (
        serving(total=64, per_address=2) as served,
        connect(served.url) as first,
        connect(served.url),
    ):
        assert served.door.open == 2
        with pytest.raises((InvalidHandshake, OSError, EOFError)):
            await connect(served.url)
        await first.close()
        await until(lambda: served.door.open == 1)
        async with connect(served.url) as third:
            await third.send(b"there")
            assert await third.recv() == b"there"


async def test_a_websocket_outlives_what_http_has_deadlines_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with serving() as served, connect(served.url) as connection:
        put_forward(monkeypatch, 3600)
        await connection.send(b"there")
        assert await connection.recv() == b"there"


async def test_a_message_has_a_size() -> None:
    async with serving(message_bytes=1000) as served, connect(served.url) as connection:
        await connection.send(bytes(1000))
        assert len(await connection.recv()) == 1000
        await connection.send([bytes(600), bytes(600)])
        with pytest.raises(ConnectionClosedError) as closed:
            await connection.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009


def handshake(path: str = "/") -> bytes:
    return (
        f"GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
        "Sec-WebSocket-Version: 13\r\n\r\n"
    ).encode()


THERE = Frame(Opcode.BINARY, b"there").serialize(mask=True)
GOODBYE = Frame(Opcode.CLOSE, b"\x03\xe8").serialize(mask=True)


@pytest.mark.parametrize("cut", [0, 10, -1, 200, len(handshake())])
async def test_what_comes_along_with_the_handshake_is_heard_however_it_is_cut(cut: int) -> None:
    sent = handshake() + THERE
    async with serving() as served:
        reader, writer = await served.dial()
        writer.write(sent[:cut])
        await asyncio.sleep(0)
        writer.write(sent[cut:])
        async with asyncio.timeout(20):
            answer = await reader.readuntil(b"there")
            assert answer.startswith(b"HTTP/1.1 101 ")
            assert b"permessage-deflate" not in answer
            writer.write(GOODBYE)
            assert await reader.read() == b"\x88\x02\x03\xe8"
        writer.close()


@pytest.mark.parametrize("after", [b"", GOODBYE, THERE + GOODBYE, b"\xff\xff\xff"])
async def test_who_is_gone_before_it_is_let_in_leaves_no_trace(
    after: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving() as served:
        for _ in range(5):
            _, writer = await served.dial()
            writer.write(handshake() + after)
            await writer.drain()
            writer.close()
        await until(lambda: served.asked == 5)
    assert not caplog.records


async def test_a_client_that_does_not_read_is_let_go_when_it_answers_no_ping() -> None:
    async with serving() as served:
        reader, writer = await served.dial()
        reader._transport.pause_reading()  # type: ignore[attr-defined]  # nothing else holds it
        writer.write(handshake("/flood"))
        await until(lambda: served.open)
        (one,) = served.state.connections
        await until(lambda: not one.writable.is_set())  # type: ignore[union-attr]  # a Socket
        one.keepalive_timeout()  # type: ignore[union-attr]  # as if no answer to a ping had come
        await until(lambda: served.door.open == 0)
        writer.close()


async def test_what_a_client_has_not_read_when_its_call_is_over_waits_so_long_for_it() -> None:
    async with serving(response_s=0.05) as served:
        reader, writer = await served.dial()
        reader._transport.pause_reading()  # type: ignore[attr-defined]  # as above
        writer.write(handshake("/much"))
        await until(lambda: served.asked and not served.open)
        await until(lambda: served.door.open == 0)
        writer.close()
