"""STUN and TURN servers: what an operator writes of them, and what each call is given."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from omni_agent.errors import ConfigError

SPARE_S = 900.0
"""What goes before a call and after it, while credentials must be good: a token that waits, an
offer that connects, a goodbye."""
LONGEST_S = 24 * 3600.0
"""What a call without a longest time gets; then its relay asks for others."""
_URL = re.compile(
    r"(?P<scheme>stuns?|turns?):"
    r"(?:(?P<username>[^:@/]+):(?P<credential>[^@/]+)@)?"
    r"(?P<host>[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)"
    r"(?::(?P<port>\d{1,5}))?"
    r"(?P<query>\?transport=(?:udp|tcp))?"
)


def ice_server(
    url: str, username: str | None = None, credential: str | None = None
) -> dict[str, Any]:
    """A browser's RTCIceServer from ``turn:host:3478`` or ``turn:user:secret@host``.

    username, credential: for a TURN server whose URL has none (percent-encoded there).
    Raises ConfigError for anything that is not an RFC 7064 or RFC 7065 URL.
    """
    parts = _URL.fullmatch(url)
    if parts is None or int(parts["port"] or 1) not in range(1, 65536):
        shown = re.sub(r":[^:@]*@", ":…@", url)
        raise ConfigError(
            f"ICE server {shown!r} is not a STUN or TURN URL: write stun:HOST[:PORT], "
            "turn:HOST[:PORT] or turn:USER:SECRET@HOST[:PORT]; HOST is a name or an IPv4 address"
        )
    port = f":{parts['port']}" if parts["port"] else ""
    server = {"urls": f"{parts['scheme']}:{parts['host']}{port}{parts['query'] or ''}"}
    if parts["username"]:
        username, credential = unquote(parts["username"]), unquote(parts["credential"])
    if parts["scheme"].startswith("turn") and username and credential:
        server |= {"username": username, "credential": credential}
    return server


class IceServers:
    """The servers, with credentials of their own for each call where a secret is shared.

    The credentials are those of coturn's ``use-auth-secret`` (draft-uberti-behave-turn-rest-00,
    section 2.2), and a relay asks for them until the end: max_call_s is how long a call may last,
    seconds; they are good for ``LONGEST_S`` at the most. now: wall clock, seconds since 1970.
    Raises ConfigError for a TURN server that nobody could use.
    """

    def __init__(
        self,
        servers: Sequence[Mapping[str, Any]],
        turn_secret: str | None = None,
        now: Callable[[], float] = time.time,
        *,
        max_call_s: float = 7200.0,
    ) -> None:
        self._servers, self._secret, self._now = tuple(servers), turn_secret, now
        self._good_s = min(max_call_s, LONGEST_S) + SPARE_S
        for server in servers:
            if _relays(server) and not (turn_secret or server.get("credential")):
                raise ConfigError(
                    f"TURN server {server['urls']} needs credentials: --ice-username and "
                    "--ice-credential, or --turn-secret (options ice_servers, turn_secret)"
                )

    def minted(self, name: str) -> list[dict[str, Any]]:
        """The servers as browsers take them; ``name`` is whose the credentials are."""
        if self._secret is None:
            return [dict(server) for server in self._servers]
        username = f"{int(self._now() + self._good_s)}:{name}"
        digest = hmac.digest(self._secret.encode(), username.encode(), hashlib.sha1)
        own = {"username": username, "credential": base64.b64encode(digest).decode()}
        return [
            {**server, **own} if _relays(server) and "credential" not in server else dict(server)
            for server in self._servers
        ]


def _relays(server: Mapping[str, Any]) -> bool:
    urls = server.get("urls", "")
    return any(url.startswith("turn") for url in ([urls] if isinstance(urls, str) else urls))
