"""What every response and every request goes through."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Sequence
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from omni_agent.server.refusals import is_deaf

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; "
        "img-src 'self' data: blob:; media-src 'self' blob:; font-src 'self'; "
        "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "permissions-policy": "microphone=(self), camera=(self), display-capture=(self)",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-cache",  # pages are revalidated: an upgrade must not mix versions
}


_HOST = re.compile(r"([\w.-]*|\[[0-9A-Fa-f:.]+\])(?::(\d{0,5}))?", re.ASCII)
"""A Host header: a name or an address, and a port (RFC 9110, 7.2); nobody before an ``@``."""


def _is_host(authority: str) -> bool:
    match = _HOST.fullmatch(authority)
    return match is not None and int(match[2] or 0) < 1 << 16


def host_name(authority: str) -> str:
    """The name in a Host header or an origin, without the port, in lower case."""
    return (urlsplit(f"//{authority}").hostname or "").lower()


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


class Shielded:
    """Answers only to names it knows, and sends the security headers.

    A page of another site can make its own name point at this machine (DNS
    rebinding) and is then same-origin with us: names are what gives it away.
    """

    def __init__(self, app: ASGIApp, *, hosts: Sequence[str], origins: Sequence[str]) -> None:
        self._app = app
        self._any = "*" in hosts
        machine = socket.gethostname().lower()
        self._names = {
            "localhost",
            machine,
            f"{machine}.local",
            *(host_name(name) for name in hosts),
            *(host_name(urlsplit(origin).netloc) for origin in origins),
        }

    def _known(self, authority: str) -> bool:
        if not _is_host(authority):
            return False
        try:
            name = host_name(authority)
        except ValueError:  # no address in the brackets
            return False
        return self._any or name in self._names or _is_address(name)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return

        async def send_shielded(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        if self._known(Headers(scope=scope).get("host", "")):
            await self._app(scope, receive, send_shielded)
            return
        refusal: ASGIApp = PlainTextResponse(
            "This server does not answer to that name; allow it with --name (option hosts).\n", 421
        )
        if is_deaf(scope):
            refusal = WebSocketClose()
        await refusal(scope, receive, send_shielded)
