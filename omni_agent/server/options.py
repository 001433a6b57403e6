"""What an operator decides about a server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from omni_agent.server.limits import Limits


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """What an operator decides.

    api_key: what programs must bring (the page needs none); None lets any program
    in that can reach the server. origins: other sites whose pages may call, e.g.
    ``https://example.com``. hosts: names this server answers to beyond
    ``localhost``, IP addresses, this machine's name and those of ``origins``;
    ``*`` is any. ice_servers: as browsers take them (``urls``, ``username``,
    ``credential``), given to both ends. allow_private: send to private addresses
    that an offer names.
    """

    api_key: str | None = None
    origins: Sequence[str] = ()
    hosts: Sequence[str] = ()
    ice_servers: Sequence[Mapping[str, Any]] = ()
    allow_private: bool = False
    limits: Limits = field(default_factory=Limits)
