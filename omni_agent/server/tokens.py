"""Session tokens: short-lived, good for one call each."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from omni_agent.server.client_messages import SessionConfig

PREFIX = "ek_"
MAX_UNUSED = 1000
"""Tokens waiting to be used; the oldest give way."""


@dataclass(frozen=True, slots=True)
class Token:
    """expires: on the given clock, seconds. session: what its call is to begin with."""

    value: str
    expires: float
    session: SessionConfig | None


class Tokens:
    """Mints tokens and takes each back once. ``now``: wall clock, seconds since 1970."""

    def __init__(self, lifetime_s: float, now: Callable[[], float] = time.time) -> None:
        self._lifetime_s, self._now = lifetime_s, now
        self._unused: OrderedDict[str, Token] = OrderedDict()

    def mint(self, session: SessionConfig | None = None) -> Token:
        self._forget_expired()
        while len(self._unused) >= MAX_UNUSED:
            self._unused.popitem(last=False)
        token = Token(PREFIX + secrets.token_urlsafe(32), self._now() + self._lifetime_s, session)
        self._unused[token.value] = token
        return token

    def spend(self, value: str) -> Token | None:
        """The token, once; None when it is unknown, used or too old."""
        self._forget_expired()
        return self._unused.pop(value, None)

    def _forget_expired(self) -> None:
        now = self._now()
        while self._unused and next(iter(self._unused.values())).expires <= now:
            self._unused.popitem(last=False)
