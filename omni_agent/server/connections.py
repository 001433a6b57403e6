"""TCP connections, HTTP's and WebSockets': how many, for how long, and how much at a time. For
uvicorn, which bounds none of these."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import socket
from collections import Counter
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import h11
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.h11_impl import H11Protocol

from omni_agent.server.limits import ConnectionLimits, Limits
from omni_agent.server.rates import Bucket, address_of
from omni_agent.server.sockets import Socket

log = logging.getLogger(__name__)

Peer = tuple[Any, ...]
"""An address and a port, as sockets tell them."""

MANY_FILES = 65536
"""Open files that are asked for where the system would allow any number."""
RESERVED_FILES = 512
"""Files that are kept for calls, models and the rest, where the process may have few."""
FEW = 8
"""Connections that a browser is fine with: the last eighth of the total is for addresses that
have fewer, so that no eight addresses keep all others out."""
MAX_PIECE = 2048
"""Bytes that are read in a connection's turn, which is one of the event loop's."""
MAX_HEADERS = 100
"""Headers of a request: a browser's has some 20, and a proxy adds a few."""


class Door:
    """Who is connected; makes uvicorn's protocol for each connection.

    A connection beyond the limits is closed unanswered. files: that this process may
    open; the total of connections leaves some of them for the calls.
    """

    def __init__(
        self, limits: ConnectionLimits, files: int | None = None, proxies: Sequence[str] = ()
    ) -> None:
        self.limits = limits
        self._proxies = [ipaddress.ip_network(proxy) for proxy in proxies]
        spare = limits.total if files is None else max(16, files - RESERVED_FILES)
        self.total = min(limits.total, spare)
        self._by_address: Counter[str] = Counter()
        self._shaking: dict[Peer, asyncio.TimerHandle] = {}
        self._told = Bucket(1.0)
        self.turns = _Turns()

    @property
    def open(self) -> int:
        return self._by_address.total()

    def __call__(self, **uvicorns: Any) -> asyncio.Protocol:
        return Connection(self, **uvicorns)

    def websocket(self, **uvicorns: Any) -> asyncio.Protocol:
        """What a connection goes on as that becomes a WebSocket."""
        return Socket(self.leave, self.limits.response_s, **uvicorns)

    def enter(self, address: str) -> bool:
        """Whether there is room for one more from there; then it is counted."""
        own = self._by_address[address]
        total = self.total if own < FEW else self.total - self.total // 8
        share = total if self._is_proxy(address) else self.limits.per_address
        if own >= share or self.open >= total:
            self._say("connections are refused: %d are open, %d of them from %s", address, own)
            return False
        self._by_address[address] += 1
        return True

    def _is_proxy(self, address: str) -> bool:
        """Whether it brings the connections of many: one of the named proxies, or a neighbour in
        its IPv6 network."""
        try:
            network = ipaddress.ip_network(address)
        except ValueError:  # nobody knows it
            return False
        return any(network.overlaps(proxy) for proxy in self._proxies)

    def leave(self, address: str) -> None:
        self._by_address[address] -= 1
        if not self._by_address[address]:
            del self._by_address[address]

    # -- TLS: uvicorn, which we count for, hears of a connection after its handshake -----------

    def listening(self, plain: socket.socket) -> socket.socket:
        """This listening socket, as one for TLS: handshakes are connections, too."""
        return _Listening(self, plain)

    def shake(self, peer: Peer, connection: socket.socket) -> bool:
        """Whether there is room for this handshake, and then so long for it."""
        if not self.enter(address_of(peer[0])):
            return False
        if peer in self._shaking:  # the same port again: that one has failed
            self._drop(peer, connection=None)
        self._shaking[peer] = asyncio.get_running_loop().call_later(
            self.limits.request_s, self._drop, peer, connection
        )
        return True

    def shook(self, peer: Peer | None) -> bool:
        """Whether it was counted as a handshake, which is over."""
        timer = self._shaking.pop(peer, None) if peer else None
        if timer is not None:
            timer.cancel()
        return timer is not None

    def _drop(self, peer: Peer, connection: socket.socket | None) -> None:
        """A handshake is late, or has failed: nobody says so, so that it counts until then."""
        self._shaking.pop(peer).cancel()
        self.leave(address_of(peer[0]))
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _say(self, message: str, address: str, own: int) -> None:
        if self._told.take():
            log.warning(message, self.open, own, address)


class _Listening(socket.socket):
    """Takes in what the door has room for. (Not asked by Windows' event loop.)"""

    def __init__(self, door: Door, plain: socket.socket) -> None:
        super().__init__(plain.family, plain.type, plain.proto, fileno=plain.detach())
        self._door = door

    def accept(self) -> tuple[socket.socket, Peer]:
        connection, peer = super().accept()
        if not self._door.shake(peer, connection):
            connection.close()
            raise ConnectionAbortedError
        return connection, peer


class _Turns:
    """Whose turn it is to be read: one connection's in each turn of the event loop, so that
    neither much from one nor a little from many holds it."""

    def __init__(self) -> None:
        self._waiting: dict[Connection, None] = {}

    def wait(self, connection: Connection) -> None:
        """To be read once, after those that wait already."""
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._next)
        self._waiting.setdefault(connection)

    def _next(self) -> None:
        connection = next(iter(self._waiting))
        del self._waiting[connection]
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._next)
        connection.turn()


class Connection(H11Protocol):
    """uvicorn's connection, which always has a deadline, and is read in turn with others."""

    def __init__(self, door: Door, **uvicorns: Any) -> None:
        super().__init__(**uvicorns)
        self.app = _sized(self.app)
        self._door, self._address = door, ""
        self._deadline: asyncio.TimerHandle | None = None
        self._receiving = self._upgraded = False
        self._unread = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]  # as uvicorn has it
        self.flow = FlowControl(self)  # type: ignore[arg-type]  # as much of a transport as it uses
        address = address_of(self.client[0] if self.client else None)
        peer = transport.get_extra_info("peername")
        if not (self._door.shook(peer) or self._door.enter(address)):
            self.transport.abort()
            return
        self._address = address
        self._expect()

    # -- in turn: h11 is given a piece of what has come, and that only when it asks for more ----

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        self._unread += data
        self.transport.pause_reading()
        self._door.turns.wait(self)

    def handle_events(self) -> None:
        """uvicorn has answered a request: the next, if it came along with that, has to wait."""
        self._door.turns.wait(self)

    def turn(self) -> None:
        if self.transport.is_closing():
            return
        self._read()
        if self._unread and not (self.flow.read_paused or self.transport.is_closing()):
            self.conn.receive_data(bytes(self._unread[:MAX_PIECE]))
            del self._unread[:MAX_PIECE]
            self._read()
        if self._upgraded:
            return
        if self.timeout_keep_alive_task is None:  # it is not idle
            self._expect()
        if not self.flow.read_paused:
            self.resume_reading()

    def _read(self) -> None:
        if self._is_crowded():
            self.send_400_response("Too many headers.")
        else:
            super().handle_events()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """Nothing comes here any more, not even that the connection is lost."""
        self._upgraded = True
        self._forget_deadline()
        super().handle_websocket_upgrade(event)
        rest = self.conn.trailing_data[0] + bytes(self._unread)
        self._unread.clear()
        self.transport.resume_reading()
        socket: Any = self.transport.get_protocol()
        if rest and not self.transport.is_closing():
            socket.data_received(rest)

    def _is_crowded(self) -> bool:
        """Whether a head is to come with too many headers, which cost little as long as they are
        counted and not read."""
        if self.conn.their_state is not h11.IDLE:
            return False
        head, _, _ = self.conn.trailing_data[0].partition(b"\r\n\r\n")
        return head.count(b"\n") > MAX_HEADERS

    def pause_reading(self) -> None:
        self.transport.pause_reading()

    def resume_reading(self) -> None:
        if self._unread:
            self.transport.pause_reading()  # uvicorn resumes it itself after an early answer
            self._door.turns.wait(self)
        else:
            self.transport.resume_reading()

    # -- deadlines ------------------------------------------------------------------------------

    def _expect(self) -> None:
        """What comes next has its time: the rest of a request, or its response's leaving."""
        receiving = self.conn.their_state in (h11.IDLE, h11.SEND_BODY)
        if self._deadline is not None and receiving == self._receiving:
            return
        self._receiving = receiving
        limits = self._door.limits
        self._forget_deadline()
        seconds = limits.request_s if receiving else limits.response_s
        self._deadline = self.loop.call_later(seconds, self._too_late)

    def on_response_complete(self) -> None:
        self._forget_deadline()  # uvicorn's own, for an idle connection, begins
        super().on_response_complete()
        if self.timeout_keep_alive_task is None:  # closing
            self._expect()

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        # Closing waits for the rest of the response to be taken: so long, and no longer.
        self._deadline = self.loop.call_later(self._door.limits.response_s, self._too_late)

    def _too_late(self) -> None:
        self._deadline = None
        self.transport.abort()

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_deadline()
        super().connection_lost(exc)
        if self._address:
            self._door.leave(self._address)
            self._address = ""


def _sized(app: ASGIApp) -> ASGIApp:
    """The app, but no body in chunks, which could be of a byte each: no client of ours sends one,
    and they cost much to read."""

    async def sized(scope: Scope, receive: Receive, send: Send) -> None:
        answer = app
        if any(name == b"transfer-encoding" for name, _ in scope["headers"]):
            status = HTTPStatus.LENGTH_REQUIRED
            answer = PlainTextResponse(status.phrase, status, {"connection": "close"})
        await answer(scope, receive, send)

    return sized


def uvicorn_options(door: Door, limits: Limits) -> dict[str, Any]:
    """What ``uvicorn.Config`` is given, so that no connection is for ever.

    Forwarded headers are the app's to believe or not (``trusted_proxies``).
    """
    return {
        "log_level": "error",  # it warns of every malformed request, and anybody can send those
        "http": door,
        "ws": door.websocket,
        "ws_max_size": limits.connections.message_bytes,
        "ws_per_message_deflate": False,  # costs more than it saves of audio
        "proxy_headers": False,
        "backlog": limits.connections.backlog,  # so many are accepted in one go, and then counted
        "timeout_keep_alive": limits.connections.idle_s,
        "h11_max_incomplete_event_size": limits.requests.head_bytes,
    }


def raise_file_limit() -> int | None:
    """As many open files as the system allows this process; None where there is no such limit."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = max(soft, MANY_FILES) if hard == resource.RLIM_INFINITY else hard
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (ValueError, OSError):  # a system with a lower limit of its own
        return int(soft)
    return int(wanted)


def quieten_logs() -> None:
    """Have asyncio say once a minute that files have run out, not without end, and uvicorn nothing
    of requests that it cancels as it stops: it has said how many."""
    for name, kind in (("asyncio", _Tersely), ("uvicorn.error", _NotCancelled)):
        logger = logging.getLogger(name)
        if not any(isinstance(one, kind) for one in logger.filters):
            logger.addFilter(kind())


class _Tersely(logging.Filter):
    def __init__(self) -> None:
        super().__init__()
        self._told = Bucket(1.0)

    def filter(self, record: logging.LogRecord) -> bool:
        if "out of system resource" not in record.getMessage():
            return True
        record.exc_info = None
        return self._told.take()


class _NotCancelled(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))
