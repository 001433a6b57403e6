"""What an operator decides about a server."""

from __future__ import annotations

import ipaddress
import re
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from omni_agent.errors import ConfigError
from omni_agent.server.ice import IceServers
from omni_agent.server.limits import Limits
from omni_agent.server.tokens import PREFIX


@dataclass(frozen=True, slots=True)
class Network:
    """How media reaches this machine. Raises ConfigError for what cannot be.

    udp_ports: the first and the last port of media, for a firewall; None takes any.
    external_ip: the address that callers reach this machine at, where a NAT maps its
    ports one to one. turn_secret: what this server shares with its TURN servers
    (coturn's ``static-auth-secret``); each call then gets credentials of its own.
    """

    udp_ports: tuple[int, int] | None = None
    external_ip: str | None = None
    turn_secret: str | None = None

    def __post_init__(self) -> None:
        first, last = self.udp_ports or (1024, 65535)
        if not 1024 <= first <= last < 65536:
            raise ConfigError(
                f"UDP ports {first}-{last}: expected FIRST-LAST between 1024 and 65535, as in "
                "40000-40100 (--udp-ports, option udp_ports)"
            )
        if self.external_ip is not None:
            try:
                ipaddress.ip_address(self.external_ip)
            except ValueError:
                raise ConfigError(
                    f"external IP {self.external_ip!r} is not an IP address "
                    "(--external-ip, option external_ip)"
                ) from None


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """What an operator decides. Raises ConfigError for what cannot be.

    api_key: what programs must bring, and what the page asks for once: printable ASCII,
    not like a session token; None lets anyone in that can reach the server. origins:
    other sites whose pages may call, e.g. ``https://example.com``. hosts: names this
    server answers to beyond ``localhost``, IP addresses, this machine's name and those of
    ``origins``; ``*`` is any. trusted_proxies: addresses or networks (``10.0.0.0/8``) whose
    ``X-Forwarded-For`` and ``X-Forwarded-Proto`` are believed. ice_servers: as
    browsers take them (``urls``, ``username``, ``credential``), given to both ends.
    allow_private: send to private addresses that an offer names; None does where only
    this machine can connect. network: how media reaches this machine. metrics: who
    reads ``/metrics``; private is this machine and who has the key. dev: callers are
    shown what failed inside (addresses, paths, answers of other servers), for whoever
    develops.
    """

    api_key: str | None = None
    origins: Sequence[str] = ()
    hosts: Sequence[str] = ()
    trusted_proxies: Sequence[str] = ()
    ice_servers: Sequence[Mapping[str, Any]] = ()
    allow_private: bool | None = None
    network: Network = field(default_factory=Network)
    metrics: Literal["private", "public", "off"] = "private"
    dev: bool = False
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        _check_key(self.api_key)
        for origin in self.origins:
            if not _ORIGIN.fullmatch(origin):
                raise ConfigError(
                    f"origin {origin!r} is not a site such as https://example.com, without a path "
                    "(--origin, option origins)"
                )
        for host in self.hosts:
            if host != "*" and not _HOST.fullmatch(host):
                raise ConfigError(
                    f"name {host!r} is not a host such as agent.example.com (--name, option hosts)"
                )
        IceServers(self.ice_servers, self.network.turn_secret)
        for proxy in self.trusted_proxies:
            try:
                ipaddress.ip_network(proxy)
            except ValueError:
                raise ConfigError(
                    f"trusted proxy {proxy!r} is neither an address nor a network such as "
                    "10.0.0.0/8 (--trusted-proxy, option trusted_proxies)"
                ) from None

    def listening_on(self, host: str) -> ServerOptions:
        """These options, with what depends on the address listened on decided."""
        local = is_loopback(host)
        own = () if local or host in _EVERY_ADDRESS else (host,)
        private = local if self.allow_private is None else self.allow_private
        return replace(self, hosts=(*self.hosts, *own), allow_private=private)


@dataclass(frozen=True, slots=True)
class Tls:
    """A certificate chain and its private key, PEM files; key None: it is in the chain's file.

    Raises ConfigError when they cannot be used.
    """

    cert: Path | None
    key: Path | None = None

    def __post_init__(self) -> None:
        if self.cert is None:
            raise ConfigError("a TLS key needs its certificate: --tls-cert")
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(
                self.cert, self.key, _no_password
            )
        except FileNotFoundError:
            missing = self.key if self.key and self.cert.exists() else self.cert
            raise ConfigError(f"{missing}: there is no such file (--tls-cert, --tls-key)") from None
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"{self.cert}, {self.key or 'its key'}: not a certificate and its unencrypted "
                f"private key as PEM: {error} (--tls-cert, --tls-key)"
            ) from error


def _no_password() -> str:
    raise ValueError("the key has a password")


_HOST = re.compile(r"(?:[\w-]+(?:\.[\w-]+)*\.?|\[?[0-9a-fA-F:.]+\]?)(?::\d+)?")
_ORIGIN = re.compile(rf"https?://{_HOST.pattern}")
_KEY = re.compile(r"[!-~](?:[ -~]*[!-~])?")


def _check_key(key: str | None) -> None:
    """A key that no header can carry would lock everybody out; an empty one is a mistake."""
    if key is not None and (not _KEY.fullmatch(key) or key.startswith(PREFIX)):
        raise ConfigError(
            "the server key is empty, begins or ends with a space, is not printable ASCII, or "
            f"begins with {PREFIX} as session tokens do; give another, or none to let everybody in "
            "(--server-key, OMNI_AGENT_SERVER_KEY, option api_key)"
        )


_EVERY_ADDRESS = ("0.0.0.0", "::", "")  # compared with, not bound


def is_loopback(host: str) -> bool:
    """Whether an address is this machine's own, which no other can reach."""
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return ip.is_loopback
