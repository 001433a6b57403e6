"""Cookies: this browser brought the key; this browser is the one that called before."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response

LOGIN, CALLER = "omni_login", "omni_caller"
LOGIN_S = 7 * 24 * 3600
CALLER_S = 365 * 24 * 3600

_OWN_ID = re.compile(r"[A-Za-z0-9_-]{22}")


class Logins:
    """Signed with the server's key: nothing is kept, and another key ends them all.

    ``now``: wall clock, seconds since 1970.
    """

    def __init__(self, key: str, now: Callable[[], float] = time.time) -> None:
        self._secret = hashlib.sha256(b"omni_agent login:" + key.encode()).digest()
        self._now = now

    def cookie(self) -> str:
        said = f"{int(self._now() + LOGIN_S)}.{secrets.token_urlsafe(16)}"
        return f"{said}.{self._signature(said)}"

    def valid(self, cookie: str) -> bool:
        said, _, signature = cookie.rpartition(".")
        expires = said.partition(".")[0]
        good = hmac.compare_digest(signature.encode(), self._signature(said).encode())
        return good and int(expires) > self._now()

    def _signature(self, said: str) -> str:
        return hmac.new(self._secret, said.encode(), hashlib.sha256).hexdigest()


def own_id(request: Request) -> str:
    """The random id in a browser's cookie; a new one where there is none (of ours)."""
    given = request.cookies.get(CALLER, "")
    return given if _OWN_ID.fullmatch(given) else secrets.token_urlsafe(16)


def caller_of(own: str) -> str:
    """Who that browser is to tools and records: the cookie itself stays a secret."""
    return "web_" + hashlib.sha256(own.encode()).hexdigest()[:20]


def set_cookie(
    response: Response, request: Request, name: str, value: str, *, max_age: int, strict: bool
) -> None:
    """Out of reach of scripts, only over TLS where there is TLS, and only for this app's paths:
    the default, beside the request's own, since what a proxy strips only the browser knows."""
    response.set_cookie(
        name,
        value,
        max_age=max_age,
        path=None,
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict" if strict else "lax",
    )
