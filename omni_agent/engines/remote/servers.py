"""The servers of one model: whom to ask next, who is set aside, and how they come back."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import random
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

import httpx

from omni_agent.engines.remote.server import NOT_MADE, Server, get, models
from omni_agent.errors import ConfigError, EngineUnavailable, StageOptionError

log = logging.getLogger(__name__)

_SHARED_S = 20.0
"""Silence after which a reply moves on, when another server could give it."""
_PROBE_S = 2.0
_ENDPOINT = "/chat/completions"
_FIRST_BACK_OFF_S, _LONGEST_BACK_OFF_S = 1.0, 60.0
"""The longest is the longest that a server may ask for, too: one word must not cost it for good."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a caller is let wait, in seconds; afterwards the agent apologises.

    connect_s: for a connection. first_s: for the first word (or reasoning, or call). A slow
    local server reads a prompt of 1,500 tokens in this time at 40 tokens a second, and keeps
    what it has read for the next turn; nobody stays on the line for longer. next_s: between
    chunks, in which some servers write a whole call (100 tokens at 4 a second). Comments that
    keep a connection open are no answer. whole_s: for all of a reply, which is read as fast
    as it is spoken: a long story.
    """

    connect_s: float = 5.0
    first_s: float = 40.0
    next_s: float = 25.0
    whole_s: float = 1800.0

    @property
    def timeout(self) -> httpx.Timeout:
        """For the line, which gives up a little later than who listens to it."""
        read_s = max(self.first_s, self.next_s) + 2.0
        return httpx.Timeout(connect=self.connect_s, read=read_s, write=20.0, pool=5.0)


PATIENCE = Patience()


class Servers:
    """Least busy first among those that are well; who fails is set aside.

    A server that is set aside waits twice as long after every failure in a row,
    and is probed before it is asked again: by ``probe_due`` while the user speaks, by
    ``revive`` when there is no other. The pool has no task of its own.
    """

    def __init__(
        self,
        base_url: str | None,
        model: str = "",
        api_key: str | None = None,
        *,
        patience: Patience = PATIENCE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """base_url: one address, or several separated by commas. Raises ConfigError."""
        self.all = [Server(url, clock=clock) for url in addresses(base_url)]
        self.model = model
        self.trouble = ""
        """What went wrong last, in words."""
        self._clock, self._patience = clock, patience
        headers = {"Accept-Encoding": "identity"}  # see ``server.pieces``
        if api_key:
            headers["Authorization"] = f"Bearer {api_key}"
        # How many calls there are is not for the connection pool to decide (it stops at 100).
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=64)
        try:
            self.http = httpx.AsyncClient(headers=headers, timeout=patience.timeout, limits=limits)
        except (ValueError, ImportError, OSError, httpx.InvalidURL) as error:
            raise ConfigError(
                f"the environment's proxies or certificates cannot be used: {error} "
                "(HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY, SSL_CERT_FILE)"
            ) from error

    async def aclose(self) -> None:
        await self.http.aclose()

    # -- whom to ask ---------------------------------------------------------------------

    def choose(self, key: str = "", needs: Collection[str] = ()) -> Server | None:
        """The best server that is well; None when none is.

        needs: prefer servers that lack nothing of it. key: equally busy servers
        share keys out between them, so that a conversation finds its prefix cached.
        """
        return min(
            (server for server in self.all if not server.aside),
            key=lambda server: (
                len(server.lacks.intersection(needs)),
                server.busy,
                hashlib.blake2b(f"{key} {server.url}".encode(), digest_size=8).digest(),
            ),
            default=None,
        )

    def patience(self, server: Server) -> Patience:
        """How long to wait for this server: less long when another could answer instead."""
        if not any(other is not server and not other.aside for other in self.all):
            return self._patience
        most = self._patience
        return replace(
            most, first_s=min(most.first_s, _SHARED_S), next_s=min(most.next_s, _SHARED_S)
        )

    # -- health --------------------------------------------------------------------------

    def lose(self, server: Server, reason: str, wait_s: float | None = None) -> None:
        """It failed: set it aside, for ``wait_s`` when it asked for that (a minute at most)."""
        self.trouble = reason
        server.aside = True
        server.failures += 1
        back_off_s = (
            _back_off_s(server.failures) if wait_s is None else min(wait_s, _LONGEST_BACK_OFF_S)
        )
        server.back_at = self._clock() + back_off_s
        if len(self.all) > 1:
            log.warning("%s; set aside for %.0f s", reason, back_off_s)

    def keep(self, server: Server) -> None:
        """It gave a whole answer."""
        server.failures = 0

    async def probe_due(self) -> None:
        """Look at the servers whose time has come. Raises nothing; at most ``_PROBE_S`` long."""
        now = self._clock()
        due = [server for server in self.all if server.aside and server.back_at <= now]
        for server in due:
            server.back_at = now + _back_off_s(server.failures + 1)  # one caller looks, not all
        await asyncio.gather(*(self._probe(server) for server in due))

    async def revive(self) -> Server | None:
        """Look at all servers that are set aside, now; the first that is well, if any."""
        async with asyncio.TaskGroup() as tasks:
            aside = [server for server in self.all if server.aside]
            probes = [tasks.create_task(self._probe(server)) for server in aside]
            for probe in asyncio.as_completed(probes):
                if server := await probe:
                    for other in probes:
                        other.cancel()
                    return server
        return None

    async def _probe(self, server: Server) -> Server | None:
        try:
            async with asyncio.timeout(_PROBE_S):
                await self._look_at(server)
        except TimeoutError:
            reason = f"{server.url} took too long to say that it is well"
        except EngineUnavailable as error:
            reason = str(error)
        else:
            log.info("%s is well", server.url)
            server.aside, server.known = False, True
            return server
        self.lose(server, reason)
        return None

    async def _look_at(self, server: Server) -> None:
        """Raises EngineUnavailable, saying why the server cannot be used."""
        if server.known:
            status, _ = await get(self.http, server, server.health)
            if status < 400:
                return
            if status >= 500 and status != NOT_MADE:
                raise EngineUnavailable(
                    f"{server.url} answered HTTP {status} about its health", may_recover=True
                )
        offered = await models(self.http, server)
        if offered and not server.known and self.model not in [model.name for model in offered]:
            raise EngineUnavailable(server.without(self.model, offered))


def addresses(base_url: str | None) -> list[str]:
    """The addresses that commas separate, each once. Raises StageOptionError when one is none."""
    given = [part.strip() for part in (base_url or "").split(",") if part.strip()]
    if not given:
        raise _no_address(
            "the address of a server is needed, such as http://127.0.0.1:8000/v1 "
            "(--base-url, option base_url)"
        )
    return list(dict.fromkeys(map(_checked, given)))


def _checked(base_url: str) -> str:
    try:
        url = httpx.URL(base_url)
    except (httpx.InvalidURL, ValueError) as error:
        raise _no_address(f"base_url {base_url!r}: {error}") from error
    if url.scheme not in ("http", "https") or not url.host:
        raise _no_address(f"base_url {base_url!r} must begin with http:// or https://")
    if url.path.rstrip("/").endswith(_ENDPOINT):
        raise _no_address(f"base_url {base_url!r} must end before {_ENDPOINT}")
    return str(url).rstrip("/")


def _no_address(reason: str) -> StageOptionError:
    return StageOptionError("", "base_url", reason)


def _back_off_s(failures: int) -> float:
    """Exponential with jitter, so that many callers do not come back at once."""
    doubled = _FIRST_BACK_OFF_S * 2.0 ** min(failures - 1, 16)
    return float(min(doubled, _LONGEST_BACK_OFF_S) * random.uniform(0.75, 1.25))
