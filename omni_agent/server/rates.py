"""How often one may: a bucket of tokens that fills up again."""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence

MAX_ADDRESSES = 10_000

Clock = Callable[[], float]
"""Monotonic seconds."""


class Bucket:
    """Holds a minute's worth, which may be used at once."""

    def __init__(self, per_minute: float, now: Clock = time.monotonic) -> None:
        self._size, self._now = float(per_minute), now
        self._left, self._since = self._size, now()

    def take(self, amount: float = 1.0) -> bool:
        """Whether there was so much left; then it is used."""
        allowed = self.left() >= amount
        if allowed:
            self._left -= amount
        return allowed

    def left(self) -> float:
        now = self._now()
        self._left = min(self._size, self._left + (now - self._since) * self._size / 60)
        self._since = now
        return self._left

    def wait_s(self, amount: float = 1.0) -> float:
        """Seconds until there is so much; 0 when there is."""
        return max(0.0, amount - self.left()) * 60 / self._size


class Rates:
    """A bucket for each address; of too many, the one unheard of for longest is forgotten."""

    def __init__(self, per_minute: int, now: Clock = time.monotonic) -> None:
        self._per_minute, self._now = per_minute, now
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def wait_s(self, address: str) -> float:
        """0 when the address may ask now (that is counted); else the seconds until it may."""
        bucket = self._bucket(address)
        return 0.0 if bucket.take() else bucket.wait_s()

    def spent(self, address: str) -> float:
        """Seconds until the address may ask; nothing is counted."""
        return self._bucket(address).wait_s()

    def _bucket(self, address: str) -> Bucket:
        bucket = self._buckets.pop(address, None) or Bucket(self._per_minute, self._now)
        self._buckets[address] = bucket
        while len(self._buckets) > MAX_ADDRESSES:
            self._buckets.popitem(last=False)
        return bucket


def address_of(host: str | None) -> str:
    """Who shares a share: an IPv4 address; a /64, which is what one IPv6 customer has at least."""
    try:
        ip = ipaddress.ip_address((host or "").partition("%")[0])
    except ValueError:
        return (host or "unknown")[:64]
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return str(ip.ipv4_mapped)
        return str(ipaddress.ip_network((ip, 64), strict=False))
    return str(ip)


def as_sockets_tell(networks: Sequence[str]) -> list[str]:
    """These addresses and networks; those of IPv4 also as an IPv6 socket tells them
    (RFC 4291, 2.5.5.2), which is what ``--host ::`` listens on."""
    mapped = (
        f"::ffff:{network.network_address}/{96 + network.prefixlen}"
        for network in map(ipaddress.ip_network, networks)
        if network.version == 4
    )
    return [*networks, *mapped]
