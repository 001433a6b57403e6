"""Who a request is from, and whether they may ask: origins, rates, keys and logins."""

from __future__ import annotations

import hmac
import logging
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from omni_agent.server.logins import LOGIN, Logins
from omni_agent.server.options import ServerOptions, is_loopback
from omni_agent.server.rates import Rates, address_of
from omni_agent.server.refusals import Refused
from omni_agent.server.shielding import host_name
from omni_agent.server.tokens import PREFIX

log = logging.getLogger(__name__)

_OWN_SITES = ("none", "same-origin")
SECRET = "openai-insecure-api-key."
"""Begins the subprotocol that a key or a token is, as OpenAI's clients in browsers have it."""


class Access:
    """Decides for one app. Every method that says no raises Refused."""

    def __init__(self, options: ServerOptions) -> None:
        self._options, self._key = options, options.api_key
        self.logins = Logins(options.api_key) if options.api_key else None
        self._rates = Rates(options.limits.requests.per_minute)
        self._reads = Rates(options.limits.requests.reads_per_minute)
        self._guesses = Rates(options.limits.requests.guesses_per_minute)
        self._told_of_proxy = False

    def admit(self, request: HTTPConnection) -> None:
        """Anyone whose page may ask, not too often."""
        origin = request.headers.get("origin")
        if origin is not None and not _same_origin(request, origin):
            if origin not in self._options.origins:
                raise Refused(
                    403, f"pages of {origin[:200]} may not call here (--origin, option origins)"
                )
        elif origin is None and request.headers.get("sec-fetch-site", "none") not in _OWN_SITES:
            raise Refused(403, "a page of another site may not call here")
        self._tell_of_proxy(request)
        self._count(request, self._rates)

    def pace(self, request: HTTPConnection) -> None:
        """Anyone, for anything at all, not too often."""
        self._count(request, self._reads)

    def _count(self, request: HTTPConnection, rates: Rates) -> None:
        wait_s = 0.0 if self.has_key(request) else rates.wait_s(self.address(request))
        if wait_s:
            raise Refused(429, "too many requests from this address", wait_s)

    # -- who it is --------------------------------------------------------------------

    def address(self, request: HTTPConnection) -> str:
        return address_of(request.client.host if request.client else None)

    def is_page(self, request: HTTPConnection) -> bool:
        """Whether a browser asks for a page that ``admit`` let in."""
        return request.headers.get("origin") is not None

    def has_key(self, request: HTTPConnection) -> bool:
        """Whether it brings the server's key; a wrong one is counted, once a request."""
        if not hasattr(request.state, "has_key"):
            request.state.has_key = self.opens(request, bearer(request))
        return bool(request.state.has_key)

    def opens(self, request: HTTPConnection, secret: str) -> bool:
        """Whether this is the key, which a session token is not; a wrong one is counted."""
        return bool(secret) and not secret.startswith(PREFIX) and self.is_key(request, secret)

    def secret_of(self, request: HTTPConnection) -> str | None:
        """What it brings of a call; None is the key, which is good for all."""
        return None if self.has_key(request) else bearer(request)

    def is_key(self, request: HTTPConnection, given: str) -> bool:
        """Whether this is the server's key; False when it has none. A wrong one is counted."""
        if self._key is None:
            return False
        address = self.address(request)
        wait_s = self._guesses.spent(address)
        if wait_s:
            raise Refused(429, "too many wrong keys from this address", wait_s)
        right = hmac.compare_digest(given.encode(), self._key.encode())
        if not right:
            self._guesses.wait_s(address)
        return right

    def may_log_out(self, request: HTTPConnection) -> bool:
        """Whether it can log out: its browser brought the key, which is asked for here."""
        return self.logins is not None and self.is_logged_in(request)

    def is_logged_in(self, request: HTTPConnection) -> bool:
        """Whether its browser brought the key; everyone's has where there is none."""
        return self.logins is None or self.logins.valid(request.cookies.get(LOGIN, ""))

    def is_local(self, request: HTTPConnection) -> bool:
        """Whether it is from this machine, and not through a proxy on it: not even one that
        tells nothing but the name its callers ask for."""
        forwarded = "x-forwarded-for" in request.headers or "forwarded" in request.headers
        here = is_loopback(request.client.host if request.client else "")
        return here and not forwarded and is_loopback(host_name(request.headers.get("host", "")))

    def _tell_of_proxy(self, request: HTTPConnection) -> None:
        """An operator whose proxy is not believed sees all callers share one address."""
        headers = request.headers.getlist("x-forwarded-for")
        forwarded = [address.strip() for header in headers for address in header.split(",")]
        believed = request.client is not None and request.client.host in forwarded
        if forwarded and not believed and not self._told_of_proxy:
            self._told_of_proxy = True
            log.warning(
                "%s forwards requests, and all its callers share one address's limits: if it is "
                "your proxy, name it in trusted_proxies (--trusted-proxy)",
                self.address(request),
            )


def bearer(request: HTTPConnection) -> str:
    """What it brings as ``Authorization: Bearer …``, or as a subprotocol: a browser that opens a
    WebSocket sets no headers. Empty for nothing."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    offered: list[str] = request.scope.get("subprotocols", [])
    return next((one[len(SECRET) :] for one in offered if one.startswith(SECRET)), "")


def _same_origin(request: HTTPConnection, origin: str) -> bool:
    try:
        return bool(origin) and urlsplit(origin).netloc == request.headers.get("host")
    except ValueError:  # no URL at all
        return False
