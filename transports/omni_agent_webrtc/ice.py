"""ICE as calls need it: patient with a quiet line, within the ports and servers it is given."""

from __future__ import annotations

import asyncio
import logging
import random
import socket
import struct
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, cast

import aioice.ice
import aioice.stun
from aioice import Candidate
from aioice.candidate import candidate_foundation, candidate_priority
from aioice.ice import CandidatePair, StunProtocol
from aioice.stun import Message, TransactionError
from aioice.turn import UDP_SOCKET_BUFFER_SIZE
from aiortc import RTCConfiguration, RTCIceServer, RTCIceTransport
from aiortc.rtcconfiguration import RTCBundlePolicy

from omni_agent.errors import SignallingError

log = logging.getLogger(__name__)

GATHER_S = 5
"""STUN and TURN servers that have not answered by then are left out."""
PROBE_S = 1.0
"""A line that was quiet for so long is asked whether it is there."""
CONSENT_S = 5.0
"""Consent is asked for so often in any case (RFC 7675 section 5.1)."""
PROBE_TRIES = 4
"""Each question is put 1 + 4 times, after 0.5, 1.5, 3.5 and 7.5 s: round trips may take long."""
REPEAT_S = 1.0
"""A handshake's last datagrams are sent again so often; OpenSSL waits 1, 2, 4, 8 … s."""

MAX_LEARNED = 20
"""Addresses of a client that its offer did not name, as many as an offer may name."""

MAX_PROVEN = 64
"""Addresses that a client's checks came from; from others, nothing but checks is read."""

MAX_UNREAD = 1024
"""Datagrams that wait to be read; until a call is connected anybody may send them."""
MAX_DATAGRAM = 1500
"""Bytes, as Ethernet carries them. What is longer, or of nothing, aiortc cannot read: one such
datagram, from anybody, ended the call."""

_HANDSHAKE = (20, 22)
"""DTLS content types of a handshake (RFC 6347 section 4.3.1)."""
_stock_parse_message = aioice.stun.parse_message


def parse_message(data: bytes) -> Message:
    """aioice's, which raises struct.error for an attribute that is too short.

    Raises ValueError there, at which aioice takes the datagram for no STUN message.
    """
    try:
        return _stock_parse_message(data)
    except struct.error as error:
        raise ValueError(f"a STUN attribute is too short: {error}") from error


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
        self._flight: list[bytes] = []
        self._answered = False
        self._proven: set[tuple[str, int]] = set()
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
        if len(self._proven) < MAX_PROVEN:
            self._proven.add(addr)
        if "PRIORITY" in message.attributes and self._has_room_for(addr):
            super().check_incoming(message, addr, protocol)

    def _has_room_for(self, addr: tuple[str, int]) -> bool:
        """aioice keeps every address that a check comes from, and sends checks of its own there."""
        known = {(one._network_host, one.port) for one in self._remote_candidates}
        learned = sum(one.type == "prflx" for one in self._remote_candidates)
        return addr in known or learned < MAX_LEARNED

    def is_proven(self, addr: tuple[str, int]) -> bool:
        """Whether somebody there has shown that they know our password."""
        return addr in self._proven or any(addr == early[1] for early in self._early_checks)

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

    async def send(self, data: bytes) -> None:
        if data[0] in _HANDSHAKE:
            if self._answered:
                self._flight.clear()
                self._answered = False
            self._flight.append(data)
        await super().send(data)

    def data_received(self, data: bytes, component: int) -> None:
        """aioice calls it for all that is not STUN, whoever sent it."""
        if 0 < len(data) <= MAX_DATAGRAM and self._queue.qsize() < MAX_UNREAD:
            self._answered = self._answered or data[0] in _HANDSHAKE
            super().data_received(data, component)

    async def repeat_handshake(self) -> None:
        """Until cancelled: our side's last flight of the handshake, again and again."""
        while True:
            await asyncio.sleep(REPEAT_S)
            for datagram in self._flight:
                await super().send(datagram)

    async def get_component_candidates(
        self, component: int, addresses: list[str], timeout: int = GATHER_S
    ) -> list[Candidate]:
        """Says which server gave no address: a call without it may not connect."""
        found = await self._gathered(component, addresses, timeout)
        for kind, server in (("srflx", self.stun_server), ("relay", self.turn_server)):
            if server is not None and all(one.type != kind for one in found):
                name = "STUN" if kind == "srflx" else "TURN"
                log.warning("the %s server %s:%d gave no address", name, *server)
        return found

    async def _gathered(self, component: int, addresses: list[str], wait_s: int) -> list[Candidate]:
        """aioice binds host candidates to port 0; with ``udp_ports`` they are bound here."""
        if self.udp_ports is None:
            return await super().get_component_candidates(component, addresses, wait_s)
        hosts = []
        for address in addresses:
            hosts.append(await self._bind(component, address))
            self._protocols.append(hosts[-1])  # what is bound is closed, whatever the next one does
        relayed = super().get_component_candidates(component, [], wait_s)
        others = await asyncio.gather(relayed, *(self._reflexive(host, wait_s) for host in hosts))
        return [host.local_candidate for host in hosts] + list(chain.from_iterable(others))

    async def _reflexive(self, host: StunProtocol, wait_s: int) -> list[Candidate]:
        """The address that the STUN server sees, when it says so in time."""
        if self.stun_server is None or ":" in host.local_candidate.host:
            return []
        asking = aioice.ice.server_reflexive_candidate(host, self.stun_server)
        try:
            return [(await asyncio.wait_for(asking, wait_s))[0]]
        except Exception:  # no answer, or one that aioice cannot read: then there is none
            log.debug("no address from the STUN server", exc_info=True)
            return []

    async def _bind(self, component: int, address: str) -> StunProtocol:
        assert self.udp_ports is not None
        first, last = self.udp_ports
        ports = list(range(first, last + 1))
        start = random.randrange(len(ports))
        for port in ports[start:] + ports[:start]:
            try:
                transport, protocol = await asyncio.get_running_loop().create_datagram_endpoint(
                    lambda: Protocol(self), local_addr=(address, port)
                )
            except OSError:  # taken; the next may be free
                continue
            udp = transport.get_extra_info("socket")
            udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, UDP_SOCKET_BUFFER_SIZE)
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


class Protocol(StunProtocol):
    """Takes nothing but STUN from addresses that have proved nothing: 15 bytes from anybody, in
    the name of DTLS, would end a call that is being set up."""

    def datagram_received(self, data: bytes | str, addr: tuple[Any, ...]) -> None:
        is_stun = data[:1] <= b"\x03"  # type: ignore[operator]  # bytes, for UDP (RFC 7983, 7)
        ours = cast(Connection, self.receiver)
        if is_stun or ours.is_proven((addr[0], addr[1])):
            super().datagram_received(data, addr)


def connection_of(transport: RTCIceTransport) -> Connection:
    """Private to aiortc; a test pins the version and the name."""
    connection = transport._connection
    assert isinstance(connection, Connection)
    return connection


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
