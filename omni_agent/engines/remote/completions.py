"""Streamed chat completions: the one way that Thinkers here ask a server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Collection, Iterator
from contextlib import aclosing
from typing import Any, Protocol, TypeVar

import httpx

from omni_agent.engines.remote.asking import Again, Lost, Refusal, Sleep, ask, broken, failure
from omni_agent.engines.remote.server import Server
from omni_agent.engines.remote.servers import Servers
from omni_agent.engines.remote.sse import DONE, SPEECH, TEXT, events
from omni_agent.errors import EngineError
from omni_agent.utf8 import whole

_JSON = {"Content-Type": "application/json"}
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Reader(Protocol[T_co]):
    """Reads the chunks of one completion, in order; what it makes of them are thoughts, say."""

    @property
    def begun(self) -> bool:
        """True once the reply has begun, though all of it may still be held back."""
        ...

    @property
    def stopped(self) -> bool:
        """True once the server has said that the completion is over."""
        ...

    @property
    def done(self) -> bool:
        """True when the rest is not wanted: the server is hung up on."""
        ...

    def read(self, chunk: Any) -> Iterator[T_co]:
        """Raises Lost for a chunk that is an error, EngineError for one that cannot be read,
        Refusal for an answer to something else than was asked.
        """
        ...

    def finish(self, *, ended: bool) -> Iterator[T_co]:
        """ended: the server has said that this is all; else the line broke off."""
        ...


class Question(Protocol[T_co]):
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

    def reader(self, server: Server) -> Reader[T_co]:
        """A fresh one for every attempt."""
        ...

    def concede(self, server: Server, refusal: Refusal) -> bool:
        """The server refused: True when it will be asked for something less now."""
        ...


class Completions:
    """Asks a pool of servers; see :func:`omni_agent.engines.remote.asking.ask`."""

    def __init__(self, servers: Servers, sleep: Sleep = asyncio.sleep) -> None:
        self._servers, self._sleep = servers, sleep

    async def answer(self, question: Question[T]) -> AsyncGenerator[T, None]:
        """What the readers make of one reply. Closing it hangs up on the server.

        Raises EngineError.
        """
        parts = ask(
            self._servers,
            lambda server: self.attempt(server, question),
            key=question.key,
            needs=question.needs,
            sleep=self._sleep,
        )
        async with aclosing(parts):
            async for part in parts:
                yield part

    async def attempt(self, server: Server, question: Question[T]) -> AsyncGenerator[T, None]:
        """One server's answer, for :func:`ask`."""
        body, reader, told = question.body(server), question.reader(server), False
        patience = self._servers.patience(server)
        over, ended = _now() + patience.whole_s, False
        limit = _now() + patience.first_s
        try:
            async with aclosing(self._chunks(server, body)) as chunks:
                while not (ended or reader.done):
                    chunk = await _next(chunks, limit)
                    if chunk is None:
                        break
                    ended = chunk is DONE
                    for part in () if ended else reader.read(chunk):
                        told = True
                        yield part
                    limit = min(_now() + patience.next_s, over) if reader.begun else limit
            ended = ended or reader.stopped or reader.done
            for part in reader.finish(ended=ended):
                told = True
                yield part
            if not told and not reader.stopped:
                raise EngineError(f"{server.url} sent an empty reply")
        except TimeoutError as error:
            silent_s = patience.next_s if reader.begun else patience.first_s
            why = f"said nothing for {silent_s:g} s" if _now() < over else "came to no end"
            raise Lost(f"{server.url} {why}", passing=False) from error
        except EngineError as error:
            if told:
                raise
            raise Lost(str(error), passing=False) from error
        except Refusal as refusal:
            if question.concede(server, refusal):
                raise Again from refusal
            raise EngineError(refusal.reason) from refusal

    async def _chunks(self, server: Server, body: dict[str, Any]) -> AsyncGenerator[Any, None]:
        """The events of one streamed completion (see ``sse.events``)."""
        http, url = self._servers.http, f"{server.url}/chat/completions"
        timeout = self._servers.patience(server).timeout
        bounds = SPEECH if "audio" in body.get("modalities", ()) else TEXT
        # Halves of characters would be refused, for good: they are in every later request, too.
        content = whole(json.dumps(body, ensure_ascii=False)).encode()
        try:
            async with http.stream(
                "POST", url, content=content, headers=_JSON, timeout=timeout
            ) as response:
                if response.status_code != 200:
                    raise await failure(self._servers, server, response)
                async with aclosing(events(response, bounds)) as chunks:
                    async for chunk in chunks:
                        yield chunk
        except httpx.HTTPError as error:
            raise broken(server, error) from error


async def _next(chunks: AsyncGenerator[Any, None], limit: float) -> Any:
    """The next one, None after the last. Raises TimeoutError at ``limit``, the loop's time."""
    async with asyncio.timeout_at(limit):
        return await anext(chunks, None)


def _now() -> float:
    return asyncio.get_running_loop().time()
