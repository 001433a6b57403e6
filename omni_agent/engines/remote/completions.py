"""Streamed chat completions: the one way that Thinkers here ask a server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection, Iterator
from contextlib import aclosing
from typing import Any, Protocol

import httpx

from omni_agent.engines.remote.asking import Again, Lost, Refusal, Sleep, ask, broken, failure
from omni_agent.engines.remote.servers import Server, Servers
from omni_agent.engines.remote.sse import events
from omni_agent.errors import EngineError
from omni_agent.thinker import Thought


class Reader(Protocol):
    """Reads the chunks of one completion, in order."""

    @property
    def stopped(self) -> bool:
        """True once the server has said that the completion is over."""
        ...

    def read(self, chunk: Any) -> Iterator[Thought]:
        """Raises EngineError for a chunk that is an error or cannot be read."""
        ...

    def finish(self) -> Iterator[Thought]: ...


class Question(Protocol):
    """What is asked, whichever server is asked."""

    @property
    def key(self) -> str:
        """The same for the turns of one conversation (see ``Servers.choose``)."""
        ...

    @property
    def needs(self) -> Collection[str]:
        """What a server had better not lack."""
        ...

    def body(self, server: Server) -> dict[str, Any]:
        """The request as this server can take it. Raises EngineError when it cannot."""
        ...

    def reader(self) -> Reader:
        """A fresh one for every attempt."""
        ...

    def concede(self, server: Server, refusal: Refusal) -> bool:
        """The server refused: True when it will be asked for something less now."""
        ...


class Completions:
    """Asks a pool of servers; see :func:`omni_agent.engines.remote.asking.ask`."""

    def __init__(self, servers: Servers, sleep: Sleep = asyncio.sleep) -> None:
        self._servers, self._sleep = servers, sleep

    async def think(self, question: Question) -> AsyncGenerator[Thought, None]:
        """The thoughts of one reply. Raises EngineError; closing it hangs up on the server."""
        thoughts = ask(
            self._servers,
            lambda server: self._attempt(server, question),
            key=question.key,
            needs=question.needs,
            sleep=self._sleep,
        )
        async with aclosing(thoughts):
            async for thought in thoughts:
                yield thought

    async def _attempt(self, server: Server, question: Question) -> AsyncGenerator[Thought, None]:
        body, reader, begun = question.body(server), question.reader(), False
        try:
            async with aclosing(self._chunks(server, body)) as chunks:
                async for chunk in chunks:
                    for thought in reader.read(chunk):
                        begun = True
                        yield thought
            if not reader.stopped and not begun:
                raise EngineError(f"{server.url} sent an empty reply")
        except EngineError as error:
            if begun:
                raise
            raise Lost(str(error), passing=False) from error
        except Refusal as refusal:
            if question.concede(server, refusal):
                raise Again from refusal
            raise EngineError(refusal.reason) from refusal
        for thought in reader.finish():
            yield thought

    async def _chunks(self, server: Server, body: dict[str, Any]) -> AsyncGenerator[Any, None]:
        """The parsed ``data:`` events of one streamed completion."""
        url, patience = f"{server.url}/chat/completions", self._servers.patience(server)
        http = self._servers.http
        try:
            async with http.stream("POST", url, json=body, timeout=patience) as response:
                if response.status_code != 200:
                    raise await failure(self._servers, server, response)
                async with aclosing(events(response)) as chunks:
                    async for chunk in chunks:
                        yield chunk
        except httpx.HTTPError as error:
            raise broken(server, error) from error
