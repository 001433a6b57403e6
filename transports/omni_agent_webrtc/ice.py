"""ICE as calls need it: patient with a quiet line, within the ports and servers it is given."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import aioice.ice
import aiortc.rtcicetransport
import aiortc.rtcpeerconnection
import aiortc.rtcsctptransport
from aioice import Candidate
from aioice.candidate import candidate_foundation, candidate_priority
from aioice.ice import CandidatePair, StunProtocol
from aioice.stun import Message, TransactionError
from aiortc import RTCConfiguration, RTCDtlsTransport, RTCIceServer, RTCIceTransport
from aiortc.rtcconfiguration import RTCBundlePolicy

from omni_agent.errors import SignallingError

PROBE_S = 1.0
"""A line that was quiet for so long is asked whether it is there."""
CONSENT_S = 5.0
"""Consent is asked for so often in any case (RFC 7675 section 5.1)."""
PROBE_TRIES = 4
"""Each question is put 1 + 4 times, after 0.5, 1.5, 3.5 and 7.5 s: round trips may take long."""
SCTP_RTO_INITIAL_S = 1.0
"""RFC 9260 section 16; aiortc has the 3 s of RFC 4960: a lost INIT is noticed sooner."""

_stock_host_addresses: Callable[..., list[str]] = aioice.ice.get_host_addresses


def _host_addresses(use_ipv4: bool, use_ipv6: bool) -> list[str]:
    """This machine's addresses; loopback when there is no other (a laptop without a network)."""
    return _stock_host_addresses(use_ipv4=use_ipv4, use_ipv6=use_ipv6) or (
        ["127.0.0.1"] if use_ipv4 else []
    )


class Connection(aioice.Connection):
    """Asks a quiet peer for a sign of life and leaves the verdict to whoever keeps the line.

    aioice's own consent check is sent once and waits half a second: it fails on
    every line whose round trip is longer, and whenever our event loop is late.
    Here any authenticated packet is a sign of life.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.udp_ports: tuple[int, int] | None = None
        """First and last port of host candidates; None leaves the choice to the system."""
        self.signs = 0
        self.sign_at = asyncio.get_running_loop().time()

    def sign_of_life(self) -> None:
        """Note an authenticated packet: how many there were, and when the last one came."""
        self.signs += 1
        self.sign_at = asyncio.get_running_loop().time()

    def check_incoming(
        self, message: Message, addr: tuple[str, int], protocol: StunProtocol
    ) -> None:
        """aioice calls it for checks that are authenticated."""
        self.sign_of_life()
        super().check_incoming(message, addr, protocol)

    async def query_consent(self) -> None:
        """In aioice's place; runs from the connection's first success until it is closed."""
        loop = asyncio.get_running_loop()
        due = 0.0
        async with asyncio.TaskGroup() as checks:
            while True:
                signs = self.signs
                await asyncio.sleep(PROBE_S)
                if signs == self.signs or loop.time() >= due:
                    due = loop.time() + CONSENT_S * random.uniform(0.8, 1.2)
                    for pair in self._nominated.values():
                        checks.create_task(self._ask(pair))

    async def _ask(self, pair: CandidatePair) -> None:
        assert self.remote_password is not None
        try:
            await pair.protocol.request(
                self.build_request(pair, nominate=False),
                pair.remote_addr,
                integrity_key=self.remote_password.encode(),
                retransmissions=PROBE_TRIES,
            )
        except TransactionError:
            return  # no sign of life
        self.sign_of_life()

    async def get_component_candidates(
        self, component: int, addresses: list[str], timeout: int = 5
    ) -> list[Candidate]:
        """aioice binds host candidates to port 0; with ``udp_ports`` they are bound here."""
        if self.udp_ports is None:
            return await super().get_component_candidates(component, addresses, timeout)
        hosts = [await self._bind(component, address) for address in addresses]
        self._protocols += hosts
        found = [host.local_candidate for host in hosts]
        if self.stun_server is not None:
            asked = [
                aioice.ice.server_reflexive_candidate(host, self.stun_server)
                for host in hosts
                if ":" not in host.local_candidate.host
            ]
            answers = await asyncio.gather(*asked, return_exceptions=True)
            found += [one[0] for one in answers if not isinstance(one, BaseException)]
        return found + await super().get_component_candidates(component, [], timeout)  # relayed

    async def _bind(self, component: int, address: str) -> StunProtocol:
        assert self.udp_ports is not None
        first, last = self.udp_ports
        ports = list(range(first, last + 1))
        start = random.randrange(len(ports))
        for port in ports[start:] + ports[:start]:
            try:
                _, protocol = await asyncio.get_running_loop().create_datagram_endpoint(
                    lambda: StunProtocol(self), local_addr=(address, port)
                )
            except OSError:  # taken; the next may be free
                continue
            protocol.local_candidate = Candidate(
                foundation=candidate_foundation("host", "udp", address),
                component=component,
                transport="udp",
                priority=candidate_priority(component, "host"),
                host=address,
                port=port,
                type="host",
            )
            return protocol
        raise SignallingError(503, f"all UDP ports from {first} to {last} of {address} are taken")


def connection_of(transport: RTCIceTransport) -> Connection:
    """Private to aiortc; a test pins the version and the name."""
    connection = transport._connection
    assert isinstance(connection, Connection)
    return connection


class DtlsTransport(RTCDtlsTransport):
    """Tells ICE of every packet that SRTP has authenticated."""

    async def _handle_rtp_data(self, data: bytes, arrival_time_ms: int) -> None:
        connection_of(self.transport).sign_of_life()
        await super()._handle_rtp_data(data, arrival_time_ms)

    async def _handle_rtcp_data(self, data: bytes) -> None:
        connection_of(self.transport).sign_of_life()
        await super()._handle_rtcp_data(data)


def configure() -> None:
    """Put our parts into aiortc, which has no other place for them. Idempotent."""
    for module, name, ours in (
        (aiortc.rtcicetransport, "Connection", Connection),
        (aiortc.rtcpeerconnection, "RTCDtlsTransport", DtlsTransport),
        (aiortc.rtcsctptransport, "SCTP_RTO_INITIAL", SCTP_RTO_INITIAL_S),
    ):
        setattr(module, name, ours)
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
