"""A real server on loopback whose agent has models from a script."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import uvicorn

from omni_agent import Agent, Persona, ServerOptions, Stages, events, hookimpl
from omni_agent.server.connections import Door, uvicorn_options
from omni_agent.server.serving import create_agent_app
from omni_agent.testing import ScriptedEars, ScriptedTalker, ScriptedThinker
from tests.clocks import until


class Watching:
    """A plugin that remembers what happened."""

    def __init__(self) -> None:
        self.events: list[events.Event] = []
        self._news = asyncio.Event()

    @hookimpl
    def event_emitted(self, session_id: str, event: events.Event) -> None:
        self.events.append(event)
        self._news.set()

    async def until(self, kind: type[Any], holds: Callable[[Any], bool] = bool) -> Any:
        async with asyncio.timeout(120):
            while True:
                self._news.clear()
                for event in self.events:
                    if isinstance(event, kind) and holds(event):
                        return event
                await self._news.wait()


class Served:
    """An agent that can be called on a socket, by the lines of a plugin."""

    def __init__(
        self, lines: object, *scripts: list[Any], options: ServerOptions | None = None
    ) -> None:
        self.ears, self.seen = ScriptedEars(), Watching()
        self.thinker, self.talker = ScriptedThinker(*scripts), ScriptedTalker(20)
        self.agent = Agent(
            Persona(name="teller", greeting=None, fillers=()),
            plugins=[lines, self.seen],
            stages=Stages(self.thinker, self.talker, self.ears),
        )
        self._options = options or ServerOptions()
        self.app = create_agent_app(self.agent, self._options)
        self.door = Door(self._options.limits.connections)
        self.port = 0

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/v1/pcm"

    def dial(self) -> socket.socket:
        """Connected, whatever name is asked for."""
        return socket.create_connection(("127.0.0.1", self.port))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        bounds = uvicorn_options(self.door, self._options.limits)
        config = uvicorn.Config(self.app, lifespan="on", log_config=None, **bounds)
        server = uvicorn.Server(config)
        listening = socket.create_server(("127.0.0.1", 0))
        self.port = listening.getsockname()[1]
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(server.serve(sockets=[listening]))
            try:
                await until(lambda: server.started and self.agent.ready)
                yield
            finally:
                server.should_exit = True
