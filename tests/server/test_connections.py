"""TCP connections have a number and a time, on a real socket."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import h11
import pytest
import uvicorn
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from uvicorn.server import ServerState

from omni_agent.server.connections import (
    FEW,
    MAX_HEADERS,
    MAX_PIECE,
    RESERVED_FILES,
    Door,
    quieten_logs,
    raise_file_limit,
    uvicorn_options,
)
from omni_agent.server.limits import ConnectionLimits, Limits, RequestLimits
from omni_agent.server.rates import address_of
from tests.certificates import self_signed
from tests.clocks import until

Dialled = tuple[asyncio.StreamReader, asyncio.StreamWriter]

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Serving:
    """An app that answers with the size of the body (at /early unread), behind a door."""

    def __init__(self, limits: ConnectionLimits, files: int | None = None) -> None:
        self.door = Door(limits, files)
        bounds = Limits(requests=RequestLimits(head_bytes=4096), connections=limits)
        options = uvicorn_options(self.door, bounds)
        self.config = uvicorn.Config(
            self.answer, lifespan="off", interface="asgi3", log_config=None, **options
        )
        self.state = ServerState()
        self.dialled: list[Dialled] = []
        self.connections: list[Any] = []
        self.asked: list[str] = []
        self.port = 0

    async def answer(self, scope, receive, send) -> None:  # type: ignore[no-untyped-def]  # ASGI
        self.asked.append(scope["path"])
        size = 0 if scope["path"] == "/early" else len(await Request(scope, receive).body())
        sizes = {"/big": [50_000_000], "/chunks": [1_000_000] * 50}.get(scope["path"])
        response: Response = PlainTextResponse(str(size))
        if sizes is not None:
            response = StreamingResponse("x" * size for size in sizes)
        await response(scope, receive, send)

    def connection(self) -> asyncio.Protocol:
        one: Any = self.door(config=self.config, server_state=self.state, app_state={})
        self.connections.append(one)
        return one  # type: ignore[no-any-return]  # a Connection

    async def dial(self, *, address: str = "127.0.0.1") -> Dialled:
        here = (address, 0)
        there = await asyncio.open_connection("127.0.0.1", self.port, local_addr=here)
        self.dialled.append(there)
        return there

    async def close(self) -> None:
        for _, writer in self.dialled:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
        await self.until_open(0)

    async def until_open(self, count: int) -> None:
        async with asyncio.timeout(20):
            while self.door.open != count:  # noqa: ASYNC110  # sockets tell nobody
                await asyncio.sleep(0)


@asynccontextmanager
async def serving(
    files: int | None = None, tls: ssl.SSLContext | None = None, **limits: float
) -> AsyncIterator[Serving]:
    one = Serving(ConnectionLimits(**limits), files)  # type: ignore[arg-type]  # ints are floats
    loop = asyncio.get_running_loop()
    listening = socket.create_server(("127.0.0.1", 0))
    one.port = listening.getsockname()[1]
    if tls is not None:
        listening = one.door.listening(listening)
    server = await loop.create_server(one.connection, sock=listening, ssl=tls)
    try:
        yield one
    finally:
        server.close()
        await one.close()


async def ended(dialled: Dialled) -> bytes:
    """What comes until the server closes."""
    async with asyncio.timeout(20):
        try:
            return await dialled[0].read()
        except ConnectionError:
            return b""


@pytest.mark.parametrize(
    "half",
    [
        b"",
        b"GET / HT",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nhalf",
    ],
)
async def test_a_request_that_is_not_whole_in_time_ends_its_connection(half: bytes) -> None:
    async with serving(request_s=0.05) as server:
        dialled = await server.dial()
        dialled[1].write(half)
        assert b"200" not in await ended(dialled)
        await server.until_open(0)


async def test_drop_by_drop_is_not_in_time() -> None:
    async with serving(request_s=0.05) as server:
        reader, writer = await server.dial()
        writer.write(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999999999\r\n\r\n")
        async with asyncio.timeout(20):
            while not writer.transport.is_closing():
                writer.write(b"x")
                await asyncio.sleep(0)
        assert b"200" not in await ended((reader, writer))


async def test_a_connection_in_use_is_not_idle() -> None:
    async with serving(request_s=20, idle_s=20) as server:
        reader, writer = await server.dial()
        clocks = []
        for _ in range(3):
            writer.write(GET)
            assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
            assert await reader.readexactly(1) == b"0"
            clocks.append(server.connections[0].timeout_keep_alive_task)
        assert [clock.cancelled() for clock in clocks] == [True, True, False]


async def test_an_idle_connection_ends() -> None:
    async with serving(request_s=20, idle_s=0.05) as server:
        reader, writer = await server.dial()
        writer.write(GET)
        assert (await ended((reader, writer))).endswith(b"\r\n\r\n0")


@pytest.mark.parametrize("header", ["", "Connection: close\r\n"])
@pytest.mark.parametrize("paths", [["/big"], ["/chunks"], ["/", "/chunks"], ["/", "/", "/big"]])
async def test_a_response_that_nobody_takes_ends_its_connection(
    paths: list[str], header: str
) -> None:
    """The first, or one that was asked for before the one before it had left."""
    requests = [f"GET {path} HTTP/1.1\r\nHost: localhost\r\n" for path in paths]
    async with serving(response_s=0.05, idle_s=0.05) as server:
        _, writer = await server.dial()
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # it is a socket's
        writer.write(("\r\n".join(requests) + header + "\r\n").encode())
        await until(lambda: server.asked)
        await server.until_open(0)


async def test_a_head_has_a_size() -> None:
    async with serving() as server:
        dialled = await server.dial()
        dialled[1].write(b"GET / HTTP/1.1\r\nX: " + b"x" * 5000 + b"\r\n\r\n")
        assert b"400" in await ended(dialled)


@pytest.mark.parametrize(
    ("headers", "answer"),
    [
        ("Transfer-Encoding: chunked\r\n", b"411 Length Required"),
        ("a:\r\n" * MAX_HEADERS, b"400 Bad Request"),
        ("a:\r\n" * (MAX_HEADERS - 1), b"200 OK"),
    ],
    ids=["a body in chunks", "many headers", "not too many"],
)
async def test_requests_that_cost_much_to_read_are_refused(headers: str, answer: bytes) -> None:
    """And no more is read from there."""
    async with serving(idle_s=0.05) as server:
        reader, writer = await server.dial()
        writer.write(f"POST / HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n".encode())
        assert (await ended((reader, writer))).startswith(b"HTTP/1.1 " + answer)
        assert len(server.asked) == (answer == b"200 OK")


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[tuple[h11.Connection, int]]:
    """Who is read in which order, and how many bytes at a time."""
    pieces = []
    receive_data = h11.Connection.receive_data

    def noting(self: h11.Connection, data: bytes) -> None:
        pieces.append((self, len(data)))
        receive_data(self, data)

    monkeypatch.setattr(h11.Connection, "receive_data", noting)
    return pieces


def post(size: int, path: str = "/") -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {size}\r\n\r\n"
    return head.encode() + b"x" * size


async def test_connections_are_read_in_turn_a_piece_in_each_turn_of_the_loop(
    read: list[tuple[h11.Connection, int]],
) -> None:
    """However many have sent however much."""
    async with serving() as server:
        dialled = [await server.dial() for _ in range(3)]
        await server.until_open(3)
        sent = [post(50_000), post(50_000), GET]
        for connection, data in zip(server.connections, sent, strict=True):
            connection.data_received(data)  # in one turn of the loop
        while sum(size for _, size in read) < sum(map(len, sent)):
            before = len(read)
            await asyncio.sleep(0)
            assert len(read) <= before + 1
        for (reader, _), answer in zip(dialled, [b"50000", b"50000", b"0"], strict=True):
            await reader.readuntil(b"\r\n\r\n")
            assert await reader.readexactly(len(answer)) == answer
    assert max(size for _, size in read) <= MAX_PIECE
    assert len({connection for connection, _ in read[:3]}) == 3


@pytest.mark.parametrize("sent", [GET * 1000, post(3000, "/early") * 20], ids=["many", "unread"])
async def test_no_more_is_taken_in_while_some_waits_to_be_read(
    sent: bytes, read: list[tuple[h11.Connection, int]]
) -> None:
    """Whenever uvicorn answers, or stops and starts to read."""
    async with serving() as server:
        await server.dial()
        await server.until_open(1)
        (connection,) = server.connections
        connection.data_received(sent)
        while sum(size for _, size in read) < len(sent):
            assert not connection.transport.is_reading()
            assert len(connection.conn.trailing_data[0]) <= MAX_PIECE
            await asyncio.sleep(0)
        async with asyncio.timeout(20):
            while not connection.transport.is_reading():  # noqa: ASYNC110  # sockets tell nobody
                await asyncio.sleep(0)


async def test_requests_that_come_at_once_are_answered_one_by_one_and_between_them_others() -> None:
    async with serving() as server:
        many, one = await server.dial(), await server.dial()
        await server.until_open(2)
        other = GET.replace(b"/", b"/other", 1)
        server.connections[0].data_received(GET * 500)
        server.connections[1].data_received(other)
        await one[0].readuntil(b"\r\n\r\n")
        for _ in range(500):
            assert b"200 OK" in await many[0].readuntil(b"\r\n\r\n")
            assert await many[0].readexactly(1) == b"0"
        assert server.asked.index("/other") < 3
        assert len(server.asked) == 501


async def test_one_address_has_its_share_of_the_connections(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with serving(total=10, per_address=3) as server:
        kept = [await server.dial() for _ in range(3)]
        await server.until_open(3)
        refused = [await server.dial() for _ in range(50)]
        for one in refused:
            assert await ended(one) == b""
        assert server.door.open == 3
        kept[0][1].write(GET)
        assert await kept[0][0].readuntil(b"\r\n\r\n")
        kept[1][1].close()
        await server.until_open(2)
        again = await server.dial()
        again[1].write(GET)
        assert b"200 OK" in await again[0].readuntil(b"\r\n\r\n")
    said = [record for record in caplog.records if "connections are refused" in record.message]
    assert len(said) == 1


async def test_all_addresses_together_leave_files_for_the_calls() -> None:
    async with serving(files=RESERVED_FILES + 20, per_address=1000) as server:
        dialled = [await server.dial() for _ in range(30)]
        for one in dialled[18:]:
            assert await ended(one) == b""
        assert server.door.open == 18


@pytest.mark.skipif(sys.platform != "linux", reason="all of 127.0.0.0/8 is this machine's")
async def test_addresses_that_hold_many_connections_leave_some_to_those_that_hold_few() -> None:
    async with serving(total=32, per_address=10) as server:
        for address in ("127.0.0.2", "127.0.0.3", "127.0.0.4"):
            dialled = [await server.dial(address=address) for _ in range(10)]
        await server.until_open(3 * FEW + 4)
        assert await ended(dialled[-1]) == b""
        reader, writer = await server.dial(address="127.0.0.5")
        writer.write(GET)
        assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")


def test_a_named_proxy_has_no_share_since_it_brings_everybody() -> None:
    proxies = ("127.0.0.0/8", "2001:db8::1")
    door = Door(ConnectionLimits(total=80, per_address=3), proxies=proxies)
    for proxy in ("127.0.0.1", "2001:db8::1"):
        assert all(door.enter(address_of(proxy)) for _ in range(10))
    for other in ("192.0.2.1", "2001:db8:1::1", None):
        assert [door.enter(address_of(other)) for _ in range(4)] == [True, True, True, False]


# -- TLS ------------------------------------------------------------------------------------


@pytest.fixture
def contexts(tmp_path: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The server's and a client's."""
    cert, key = self_signed(tmp_path)
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    serving.load_cert_chain(cert, key)
    return serving, ssl.create_default_context(cafile=str(cert))


async def test_a_handshake_is_a_connection_too(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    async with serving(tls=contexts[0], per_address=3, request_s=20) as server:
        kept = [await server.dial() for _ in range(3)]
        await server.until_open(3)
        for _ in range(20):
            assert await ended(await server.dial()) == b""
        for reader, writer in kept:
            await writer.start_tls(contexts[1], server_hostname="localhost")
            writer.write(GET)
            assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
            assert server.door.open == 3  # counted once


@pytest.mark.parametrize("said", [b"", b"\x16\x03\x01", GET], ids=["nothing", "half", "http"])
async def test_a_handshake_that_is_not_done_in_time_or_fails_ends_its_connection(
    said: bytes, contexts: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    async with serving(tls=contexts[0], request_s=0.05) as server:
        dialled = await server.dial()
        dialled[1].write(said)
        assert b"200" not in await ended(dialled)
        await server.until_open(0)


def test_file_limits_are_raised_as_far_as_they_go() -> None:
    resource = pytest.importorskip("resource")
    soft, hard = before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 256), hard))
        raise_file_limit()
        now = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        assert now == hard or (hard == resource.RLIM_INFINITY and now >= 65536)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


async def test_that_files_have_run_out_is_said_in_one_line(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("asyncio"), "filters", [])
    quieten_logs()
    quieten_logs()
    assert len(logging.getLogger("asyncio").filters) == 1
    loop = asyncio.get_running_loop()
    for _ in range(1000):
        error = OSError(errno.EMFILE, "Too many open files")
        loop.call_exception_handler(
            {"message": "socket.accept() out of system resource", "exception": error}
        )
    said = [record for record in caplog.records if record.name == "asyncio"]
    assert len(said) == 1
    assert said[0].levelno == logging.ERROR
    assert said[0].exc_info is None


def test_forwarded_headers_are_not_uvicorns_to_believe() -> None:
    assert uvicorn_options(Door(ConnectionLimits()), Limits())["proxy_headers"] is False


def test_so_many_connections_wait_to_be_accepted() -> None:
    """asyncio takes them all in at once, before any can be counted."""
    limits = Limits(connections=ConnectionLimits(backlog=7))
    assert uvicorn_options(Door(limits.connections), limits)["backlog"] == 7
