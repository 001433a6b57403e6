"""Serving an agent over HTTP: what the server asks of it, start-up, and the socket."""

from __future__ import annotations

import asyncio
import errno
import faulthandler
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from types import FrameType

import uvicorn
from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from omni_agent.errors import (
    ConfigError,
    EngineError,
    OmniAgentError,
    TransportError,
)
from omni_agent.runtime.scope import contained_task
from omni_agent.server.agent_host import AgentHost
from omni_agent.server.app import create_app
from omni_agent.server.connections import Door, quieten_logs, raise_file_limit, uvicorn_options
from omni_agent.server.host import Served
from omni_agent.server.limits import MOST_CALLS
from omni_agent.server.options import ServerOptions, Tls

log = logging.getLogger(__name__)


STOP_S = 20.0
"""A server that was told to stop ends after this long, whatever holds it. (It is told between two
bytecodes: nobody tells a C function that keeps the GIL, except with SIGKILL.)"""
TELL_S = 1.0
"""So much later where even saying so does not end, or cannot begin: nobody reads what we say, or
a C function keeps the GIL."""


class _LateStart:
    """The first request starts what a lifespan would have started."""

    def __init__(self, app: ASGIApp, host: AgentHost) -> None:
        self._app, self._host = app, host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            self._host.start_late()
        await self._app(scope, receive, send)


def create_agent_app(
    agent: Served, options: ServerOptions | None = None, *, host: AgentHost | None = None
) -> Starlette:
    """The agent's app: models start with it, in the background, and stop with it.

    Raises TransportError where no line can be had.
    """
    host = host or AgentHost(agent)
    if not agent.lines:
        raise TransportError("nobody could call: no line is there (see `omni-agent plugins`)")
    options = fitted(options or ServerOptions(), agent.lineup.calls)
    app = create_app(host, options, lines=agent.lines)
    app.add_middleware(_LateStart, host=host)
    serving = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(outer: Starlette) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as tasks:
            starting = tasks.create_task(host.start())
            try:
                async with serving(app):
                    yield
            finally:
                starting.cancel()
                await agent.aclose()

    app.router.lifespan_context = lifespan
    return app


def fitted(options: ServerOptions, bearable: int | None) -> ServerOptions:
    """These options; where they leave it open, with as many calls as the engines bear here."""
    calls = options.limits.calls or min(MOST_CALLS, bearable or MOST_CALLS)
    return replace(options, limits=replace(options.limits, calls=calls))


def bind(host: str, port: int) -> socket.socket:
    """A listening socket. Raises ConfigError, with a way out, when it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(
                f"port {port} is in use already: stop what runs there, or choose another "
                "(--port, serve(port=…); 0 takes any free one)"
            ) from error
        raise ConfigError(
            f"cannot listen on {_authority(host, port)}: {error.strerror or error}"
        ) from error
    return listening


def _authority(host: str, port: int) -> str:
    """As URLs write it (RFC 3986, 3.2.2)."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class _Deadline:
    """Ends the process ``STOP_S`` after it was first told to stop, whatever holds it.

    A C function that keeps the GIL (a regular expression, say) keeps every Python thread from
    ending anything: the last word is ``faulthandler``'s, whose thread needs no GIL. What it writes
    goes nowhere, since nobody might read it.
    """

    def __init__(self) -> None:
        self._timer: threading.Timer | None = None
        self._nowhere = -1

    def start(self) -> None:
        if self._timer is None:
            self._nowhere = os.open(os.devnull, os.O_WRONLY)
            faulthandler.dump_traceback_later(STOP_S + TELL_S, exit=True, file=self._nowhere)
            self._timer = threading.Timer(STOP_S, _give_up)
            self._timer.daemon = True
            self._timer.start()

    def cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            faulthandler.cancel_dump_traceback_later()
            os.close(self._nowhere)


class _Server(uvicorn.Server):
    """Runs with contained tasks, and has a deadline from when it is told to stop."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.deadline = _Deadline()

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        asyncio.get_running_loop().set_task_factory(contained_task)
        await super().serve(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        self.deadline.start()


def _give_up() -> None:
    log.error("something still held the process %.0f s after it was told to stop", STOP_S)
    try:
        sys.stdout.flush()
    finally:
        os._exit(1)


def serve(
    agent: Served,
    host: str,
    port: int,
    options: ServerOptions,
    announce: Callable[[str], None],
    *,
    tls: Tls | None = None,
    wait_for_engine: bool = False,
    leaving: bool = False,
) -> None:
    """Serve until Ctrl-C or SIGTERM. ``announce`` is told the URL once the socket is there.

    leaving: the program ends with this; threads and exit functions that plugins left, for which
    the interpreter would wait for ever, have what is left of ``STOP_S``.

    Beyond loopback nothing is taken for granted: see ``ServerOptions.listening_on``.
    Raises what keeps the agent from starting, and ConfigError when the port cannot be had.
    """
    options = options.listening_on(host)

    def stop() -> None:
        server.should_exit = True

    served = AgentHost(agent, wait_for_engine=wait_for_engine, on_failure=stop)
    app = create_agent_app(agent, options, host=served)  # what is missing is said before the URL
    listening = bind(host, port)
    announce(_url(host, listening, tls))
    door = Door(options.limits.connections, raise_file_limit(), proxies=options.trusted_proxies)
    quieten_logs()
    if tls:
        listening = door.listening(listening)
    config = uvicorn.Config(
        app,
        loop="asyncio",  # uvloop's timers are whole milliseconds: calls a core measured lower
        lifespan="on",
        timeout_graceful_shutdown=5,
        ssl_certfile=tls.cert if tls else None,
        ssl_keyfile=tls.key if tls else None,
        **uvicorn_options(door, options.limits),
    )
    server = _Server(config)
    _run(server, listening, leaving)
    if isinstance(served.failure, OmniAgentError):
        raise served.failure
    if served.failure is not None:
        raise EngineError(f"the agent could not start: {served.failure!r}") from served.failure


def _url(host: str, listening: socket.socket, tls: Tls | None) -> str:
    shown = "localhost" if host in {"127.0.0.1", "0.0.0.0", "::1", "::"} else host
    address = _authority(shown, listening.getsockname()[1])
    return f"{'https' if tls else 'http'}://{address}/"


def _run(server: _Server, listening: socket.socket, leaving: bool) -> None:
    try:
        with _terminating():
            server.run(sockets=[listening])
    finally:
        if leaving:
            server.deadline.start()
        else:
            server.deadline.cancel()


@contextmanager
def _terminating() -> Iterator[None]:
    """SIGTERM, which uvicorn passes on when it has stopped, ends the program as ``sys.exit`` does:
    what is open is closed. Only the main thread may say so."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave(number: int, frame: FrameType | None) -> None:
        raise SystemExit(0)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
