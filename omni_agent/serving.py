"""Serving an agent over HTTP: what the server asks of it, start-up, and the socket."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

import uvicorn
from starlette.applications import Starlette

from omni_agent.agent import Agent
from omni_agent.errors import ConfigError, OmniAgentError, detail, public
from omni_agent.server.app import create_app
from omni_agent.server.connections import uvicorn_options
from omni_agent.server.host import CallRequest, PersonaCard, Readiness
from omni_agent.server.options import ServerOptions
from omni_agent.transport import Transport

log = logging.getLogger(__name__)


class AgentHost:
    """An agent as the server sees it (a ``Host``)."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._failure: Exception | None = None

    @property
    def readiness(self) -> Readiness:
        if self._failure is not None:
            why = self._failure
            return Readiness(False, public(why), failed=True, detail=detail(why))
        return Readiness(self._agent.ready, self._agent.progress)

    @property
    def personas(self) -> Sequence[PersonaCard]:
        return [
            PersonaCard(persona.name, persona.description, persona.language, persona.tools)
            for persona in self._agent.wardrobe.known()
        ]

    @property
    def default_persona(self) -> str:
        return self._agent.wardrobe.default_name

    @property
    def sees(self) -> bool:
        return self._agent.ready and self._agent.stages.thinker.sees

    @property
    def engine(self) -> Mapping[str, str]:
        engines = self._agent.engines
        names = {"thinker": engines.thinker, "talker": engines.talker, "ears": engines.ears}
        return {stage: name for stage, name in names.items() if name}

    async def serve_call(self, transport: Transport, request: CallRequest) -> None:
        session = self._agent.session(
            transport,
            persona=request.persona,
            call_id=request.id,
            caller=request.caller,
            max_call_s=request.longest_s,
        )
        await session.run()

    async def start(self) -> None:
        """Start the models; a failure is what callers are told, not the server's end."""
        try:
            await self._agent.start()
        except OmniAgentError as error:
            log.error("the agent could not start: %s", error)
            self._failure = error
        except Exception as error:
            log.exception("the agent could not start")
            self._failure = error


def create_agent_app(agent: Agent, options: ServerOptions | None = None) -> Starlette:
    """The agent's app: models start with it, in the background, and stop with it."""
    host = AgentHost(agent)
    app = create_app(host, options)
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
                f"with --port (0 takes any free one)"
            ) from error
        raise ConfigError(f"cannot listen on {host}:{port}: {error.strerror or error}") from error
    return listening


def serve(
    agent: Agent,
    host: str,
    port: int,
    options: ServerOptions,
    announce: Callable[[str], None],
) -> None:
    """Serve until Ctrl-C. ``announce`` is told the URL once the socket is there.

    Beyond loopback nothing is taken for granted: see ``ServerOptions.listening_on``.
    """
    options = options.listening_on(host)
    listening = bind(host, port)
    shown = "localhost" if host in {"127.0.0.1", "0.0.0.0", "::1", "::"} else host
    announce(f"http://{shown}:{listening.getsockname()[1]}/")
    app = create_agent_app(agent, options)
    config = uvicorn.Config(
        app,
        loop="asyncio",  # uvloop's timers are whole milliseconds: calls a core measured lower
        lifespan="on",
        timeout_graceful_shutdown=5,
        **uvicorn_options(options.limits),
    )
    uvicorn.Server(config).run(sockets=[listening])
