"""One server: its address, and what it says that it offers."""

from __future__ import annotations

import asyncio
import difflib
import math
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field

import httpx

from omni_agent.engines.remote.bounded_json import loads
from omni_agent.errors import EngineError, EngineUnavailable

NOT_MADE = 501
_LONGEST_LIST = 4 << 20
"""Bytes. OpenRouter's list of models is about 1 MB."""
_MOST_LISTED = 1 << 18
"""Values in it."""
_LIST_S = 10.0
"""A list of models needs no model: a server that takes longer than this for one is not well."""
_NAMED = 8
"""Models that a message names."""


@dataclass(frozen=True, slots=True)
class Model:
    """name: what requests call it. origin: what it was loaded from (vLLM's ``root``), if told."""

    name: str
    origin: str = ""


@dataclass(slots=True, eq=False)
class Server:
    """One address, up to and with ``/v1``.

    busy: replies under way. refused: until when it is not asked for what (``audio`` …).
    habits: how it puts things (``Content``). aside: not asked before a probe finds it well.
    known: it was seen to offer the model. failures: in a row. back_at: the earliest next
    probe. clock: the pool's, for both times.
    """

    url: str
    busy: int = 0
    refused: dict[str, float] = field(default_factory=dict)
    habits: set[str] = field(default_factory=set)
    aside: bool = False
    known: bool = True
    failures: int = 0
    back_at: float = 0.0
    clock: Callable[[], float] = time.monotonic

    @property
    def lacks(self) -> frozenset[str]:
        """What it is not asked for at the moment."""
        now = self.clock()
        return frozenset(what for what, until in self.refused.items() if now < until)

    def spare(self, what: str, for_s: float = math.inf) -> None:
        """Do not ask it for this any more, or not for so long."""
        self.refused[what] = self.clock() + for_s

    @property
    def health(self) -> str:
        """Where vLLM, llama.cpp and others tell their health: beside ``/v1``, not in it."""
        return self.url.removesuffix("/v1") + "/health"

    def unreachable(self, error: httpx.HTTPError) -> str:
        why = f"{self.url} cannot be reached ({str(error) or type(error).__name__})"
        return (
            f"{why}: check http or https, and its certificate"
            if _tls(error)
            else (f"{why}: is it running, and is the address right?")
        )

    def without(self, model: str, offered: Sequence[Model]) -> str:
        """That it does not have the model, and what it has."""
        names = [offer.name for offer in offered]
        close = difflib.get_close_matches(model, names, 1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        has = ", ".join(names[:_NAMED])
        return f"{self.url} does not offer the model {model!r} ({hint}it has {has}{more})"


async def models(http: httpx.AsyncClient, server: Server) -> list[Model]:
    """What the server offers; empty when it does not say. Raises EngineUnavailable."""
    status, body = await get(http, server, f"{server.url}/models")
    if status in (401, 403):
        raise EngineUnavailable(f"{server.url} answered HTTP {status}: check the API key")
    if status >= 500 and status != NOT_MADE:
        raise EngineUnavailable(
            f"{server.url} answered HTTP {status}: is it still starting?", may_recover=True
        )
    return _listed(body)


async def right_address(http: httpx.AsyncClient, server: Server) -> str | None:
    """The address that was probably meant, for one that lists no models; None: no idea."""
    given = httpx.URL(server.url)
    for meant in dict.fromkeys([f"{server.url}/v1", str(given.copy_with(raw_path=b"/v1"))]):
        if meant == server.url:
            continue
        try:
            status, body = await get(http, server, f"{meant}/models")
        except EngineUnavailable:
            continue
        if status in (401, 403) or _listed(body):
            return meant
    return None


async def get(http: httpx.AsyncClient, server: Server, url: str) -> tuple[int, bytes]:
    """Status and body. Raises EngineUnavailable when there is no answer."""
    try:
        async with asyncio.timeout(_LIST_S), http.stream("GET", url) as response:
            return response.status_code, await read(response, _LONGEST_LIST)
    except TimeoutError as error:
        why = f"{server.url} said nothing for {_LIST_S:g} s: is it still starting?"
        raise EngineUnavailable(why, may_recover=True) from error
    except httpx.HTTPError as error:
        raise EngineUnavailable(server.unreachable(error), may_recover=not _tls(error)) from error
    except EngineError as error:
        raise EngineUnavailable(str(error)) from error


async def read(response: httpx.Response, most: int) -> bytes:
    """The body's first ``most`` bytes or a little more; the rest is not read.

    Raises EngineError as ``pieces`` does.
    """
    held = bytearray()
    async for piece in pieces(response):
        held += piece
        if len(held) >= most:
            break
    return bytes(held)


async def pieces(response: httpx.Response) -> AsyncGenerator[bytes, None]:
    """The body as it comes. Raises EngineError when it is compressed, which was not asked for:
    a few bytes of that become hundreds of megabytes at once."""
    coding = response.headers.get("content-encoding", "identity").strip().lower()
    if coding not in ("", "identity"):
        raise EngineError(
            f"{response.url} answered compressed ({coding[:40]!r}), which it was not asked to:"
            " have the server, or the proxy before it, send replies as they are"
        )
    async for piece in response.aiter_raw():
        yield piece


def _listed(body: bytes) -> list[Model]:
    """Many servers have no such list; the first reply will tell."""
    try:
        rows = loads(body, _MOST_LISTED)["data"]
        return [Model(str(row["id"]), str(row.get("root") or "")) for row in rows]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return []


def _tls(error: httpx.HTTPError) -> bool:
    return "SSL" in str(error)
