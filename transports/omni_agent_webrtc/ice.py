"""What is set once for the whole process, because aioice has no other way to set it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import aioice.ice
from aiortc import RTCConfiguration, RTCIceServer
from aiortc.rtcconfiguration import RTCBundlePolicy

from omni_agent.errors import SignallingError

CONSENT_INTERVAL_S = 0.8
CONSENT_FAILURES = 3
"""A closed tab is noticed within 3 × (1.2 × 0.8 s + 0.5 s for the answer) = 4.4 s; stock: 30 s."""

_stock_host_addresses: Callable[..., list[str]] = aioice.ice.get_host_addresses


def _host_addresses(use_ipv4: bool, use_ipv6: bool) -> list[str]:
    """This machine's addresses; loopback when there is no other (a laptop without a network)."""
    return _stock_host_addresses(use_ipv4=use_ipv4, use_ipv6=use_ipv6) or (
        ["127.0.0.1"] if use_ipv4 else []
    )


def configure_aioice() -> None:
    """Notice lost peers soon, and work on a machine without a network. Idempotent."""
    # aioice only multiplies it, so a fraction of a second is as good as its int
    setattr(aioice.ice, "CONSENT_INTERVAL", CONSENT_INTERVAL_S)  # noqa: B010  # typed int
    aioice.ice.CONSENT_FAILURES = CONSENT_FAILURES
    if aioice.ice.get_host_addresses is _stock_host_addresses:
        aioice.ice.get_host_addresses = _host_addresses


def configuration(ice_servers: Sequence[Mapping[str, Any]]) -> RTCConfiguration:
    """From browsers' RTCIceServer objects (``urls``, ``username``, ``credential``).

    Never aiortc's default, which asks a public STUN server and waits 5 s when it
    does not answer. Raises SignallingError(500): the operator's mistake.
    """
    try:
        servers = [
            RTCIceServer(
                urls=server["urls"],
                username=server.get("username"),
                credential=server.get("credential"),
            )
            for server in ice_servers
        ]
    except (KeyError, TypeError, AttributeError) as error:
        raise SignallingError(
            500, f"ice_servers: expected objects with urls ({error!r})"
        ) from error
    return RTCConfiguration(iceServers=servers, bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
