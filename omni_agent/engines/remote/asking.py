"""Asking one server after another until an answer begins."""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection
from contextlib import aclosing
from typing import TypeVar

import httpx

from omni_agent.engines.remote.bounded_json import loads
from omni_agent.engines.remote.server import Server, read
from omni_agent.engines.remote.servers import Servers
from omni_agent.errors import EngineError

log = logging.getLogger(__name__)

T = TypeVar("T")
Sleep = Callable[[float], Awaitable[None]]

_ROUNDS = 3
_LONGEST_S = 45.0
"""After this no further server is asked: who waits for an answer that long has given up."""
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.3, 5.0
TRANSIENT = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
_LONGEST_REFUSAL = 1 << 16
_QUOTED = 300
_WORDED = ("error", "message", "detail")
_MISPLACED = frozenset({401, 403, 404})
"""Refusals that say more about the server than about what it was asked."""


class Lost(Exception):
    """This server will not answer. passing: it might a little later, after ``wait_s`` if told."""

    def __init__(self, reason: str, wait_s: float | None = None, *, passing: bool = True) -> None:
        self.reason, self.wait_s, self.passing = reason, wait_s, passing
        super().__init__(reason)


class Refusal(Exception):
    """The server does not accept what it was asked. said: its own words."""

    def __init__(self, status: int, said: str, reason: str) -> None:
        self.status, self.said, self.reason = status, said, reason
        super().__init__(reason)


class Again(Exception):
    """What the server is asked has changed: ask it again, at once."""


async def ask(
    servers: Servers,
    attempt: Callable[[Server], AsyncGenerator[T, None]],
    *,
    key: str = "",
    needs: Collection[str] = (),
    sleep: Sleep = asyncio.sleep,
) -> AsyncGenerator[T, None]:
    """The answer of the first server that begins one (key, needs: see ``Servers.choose``).

    Before it has begun, another server is asked at once, and only when none is left
    there is a wait, twice at most. Raises EngineError with the last reason, when
    _LONGEST_S are over, or when an answer breaks off: half a reply cannot be continued
    elsewhere.
    """
    waits, began = 0, asyncio.get_running_loop().time()
    while True:
        server = servers.choose(key, needs) or await servers.revive()
        begun = False
        try:
            if server is None:
                raise Lost(servers.trouble)
            server.busy += 1
            try:
                async with aclosing(attempt(server)) as answer:
                    async for part in answer:
                        begun = True
                        yield part
            finally:
                server.busy -= 1
            servers.keep(server)
            return
        except Again:
            continue
        except Lost as failure:
            if server is not None:
                servers.lose(server, failure.reason, failure.wait_s)
            if begun or asyncio.get_running_loop().time() - began > _LONGEST_S:
                raise EngineError(failure.reason) from failure
            if servers.choose() is not None:
                continue
            waits += 1
            if waits == _ROUNDS or not failure.passing:
                raise EngineError(failure.reason) from failure
            log.warning("%s; trying again", failure.reason)
            wait_s = _wait_s(waits, failure.wait_s)
        await sleep(wait_s)


async def failure(servers: Servers, server: Server, response: httpx.Response) -> Exception:
    """What an answer that is not HTTP 200 means: Lost, or Refusal."""
    said, status = await words(response), response.status_code
    quoted = f" ({said})" if said else ""
    reason = f"{server.url} answered HTTP {status}{quoted}"
    # llama.cpp says "… is not supported" as a 500: waiting would not help.
    if status in TRANSIENT and "not supported" not in said:
        wait = response.headers.get("retry-after", "")
        told = wait.isascii() and wait.isdigit()  # else a date, or anything
        return Lost(reason, float(wait) if told else None)
    match status:
        case 401 | 403:
            advice = "check the API key"
        case 404:
            advice = f"check the address (it ends in /v1) and the model {servers.model!r}"
        case _:
            advice = "the server does not accept this request"
    if status in _MISPLACED:
        return Lost(f"{reason}: {advice}", passing=False)
    return Refusal(status, said, f"{reason}: {advice}")


async def words(response: httpx.Response) -> str:
    """A refusal's own words, in short. In one that is compressed the status says enough."""
    try:
        return _in_short(await read(response, _LONGEST_REFUSAL))
    except EngineError:
        return ""


def broken(server: Server, error: httpx.HTTPError) -> Lost:
    """What an error of the line means."""
    if isinstance(error, httpx.TimeoutException):
        # Who has waited that long is not made to wait as long again.
        return Lost(f"{server.url} took too long ({type(error).__name__})", passing=False)
    return Lost(server.unreachable(error))


def _in_short(body: bytes) -> str:
    """OpenAI says ``error.message``, FastAPI ``detail``; Gemini has a list with one error, and
    Mistral a list of fields as its message."""
    try:
        said = loads(body)
    except (ValueError, RecursionError):
        return ""
    said = said[0] if isinstance(said, list) and said else said
    while isinstance(said, dict) and (keys := [key for key in _WORDED if said.get(key)]):
        said = said[keys[0]]
    return (said if isinstance(said, str) else json.dumps(said))[:_QUOTED]


def _wait_s(round_: int, asked: float | None) -> float:
    """Exponential with jitter, so that many callers do not come back at once."""
    if asked is not None:
        return min(asked, _LONGEST_WAIT_S)
    return float(_FIRST_WAIT_S * 2 ** (round_ - 1) * random.uniform(0.5, 1.5))
