"""Session tokens: short-lived, good for one call each, and saying what that call may."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from omni_agent.server.client_messages import SessionConfig
from omni_agent.server.limits import RequestLimits

PREFIX = "ek_"


@dataclass(frozen=True, slots=True)
class Grant:
    """What a call may be. personas: None is all that are offered. caller: whose call it is.

    address: whose share it counts in; empty for who has the server's key.
    """

    personas: tuple[str, ...] | None = None
    caller: str = ""
    address: str = ""

    def among(self, offered: Sequence[str]) -> tuple[str, ...]:
        """Those of the personas that the call may have, in their order."""
        granted = self.personas
        return tuple(name for name in offered if granted is None or name in granted)


@dataclass(frozen=True, slots=True)
class Token:
    """expires: seconds since 1970; good_until: the same on a clock that nobody sets. session: what
    its call is to begin with."""

    value: str
    expires: float
    good_until: float
    session: SessionConfig | None
    grant: Grant

    @property
    def name(self) -> str:
        """What it is called where others read along: nobody begins a call with that."""
        return "tok_" + hashlib.sha256(self.value.encode()).hexdigest()[:20]


class Tokens:
    """Mints tokens, each for one call. now: a clock that only goes on."""

    def __init__(self, limits: RequestLimits, now: Callable[[], float] = time.monotonic) -> None:
        self._limits, self._now = limits, now
        self._unused: OrderedDict[str, Token] = OrderedDict()
        self._spending: set[str] = set()

    def mint(self, session: SessionConfig | None = None, grant: Grant | None = None) -> Token:
        grant = grant or Grant()
        self._forget_expired()
        self._make_room(grant.address)
        value, good_s = PREFIX + secrets.token_urlsafe(32), self._limits.token_s
        token = Token(value, time.time() + good_s, self._now() + good_s, session, grant)
        self._unused[token.value] = token
        return token

    def look(self, value: str) -> Token | None:
        """The token, still good; None when it is unknown, used, being used or too old."""
        self._forget_expired()
        return None if value in self._spending else self._unused.get(value)

    @contextmanager
    def spending(self, value: str) -> Iterator[Token | None]:
        """As ``look``; used when this is left, unless by an exception: no call came of it."""
        token = self.look(value)
        if token is None:
            yield None
            return
        self._spending.add(value)
        try:
            yield token
            self._unused.pop(value, None)
        finally:
            self._spending.remove(value)

    def _make_room(self, address: str) -> None:
        """The oldest of this address give way; of all, the oldest that no key minted."""
        own = [value for value, one in self._unused.items() if one.grant.address == address]
        if address and len(own) >= self._limits.tokens_per_address:
            del self._unused[own[0]]
        elif len(self._unused) >= self._limits.tokens:
            strangers = (value for value, one in self._unused.items() if one.grant.address)
            del self._unused[next(strangers, next(iter(self._unused)))]

    def _forget_expired(self) -> None:
        now = self._now()
        while self._unused and next(iter(self._unused.values())).good_until <= now:
            self._unused.popitem(last=False)
