"""What an operator decides about a server."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from omni_agent.errors import ConfigError
from omni_agent.server.limits import Limits


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
                "40000-40100 (option udp_ports)"
            )
        if self.external_ip is not None:
            try:
                ipaddress.ip_address(self.external_ip)
            except ValueError:
                raise ConfigError(
                    f"external IP {self.external_ip!r} is not an IP address (option external_ip)"
                ) from None


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """What an operator decides.

    api_key: what programs must bring (the page needs none); None lets any program
    in that can reach the server. origins: other sites whose pages may call, e.g.
    ``https://example.com``. hosts: names this server answers to beyond
    ``localhost``, IP addresses, this machine's name and those of ``origins``;
    ``*`` is any. ice_servers: as browsers take them (``urls``, ``username``,
    ``credential``), given to both ends. allow_private: send to private addresses
    that an offer names. network: how media reaches this machine. dev: callers are shown
    what failed inside (addresses, paths, answers of other servers), for whoever develops.
    """

    api_key: str | None = None
    origins: Sequence[str] = ()
    hosts: Sequence[str] = ()
    ice_servers: Sequence[Mapping[str, Any]] = ()
    allow_private: bool = False
    network: Network = field(default_factory=Network)
    dev: bool = False
    limits: Limits = field(default_factory=Limits)
