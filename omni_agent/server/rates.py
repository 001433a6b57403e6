"""How often one address may ask."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

MAX_ADDRESSES = 10_000


class Rates:
    """A token bucket for each address. ``now``: monotonic seconds."""

    def __init__(self, per_minute: int, now: Callable[[], float] = time.monotonic) -> None:
        self._per_minute, self._now = per_minute, now
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, address: str) -> float:
        """0 when the address may ask now (that is counted); else the seconds until it may."""
        now, rate = self._now(), self._per_minute / 60
        left, since = self._buckets.pop(address, (float(self._per_minute), now))
        left = min(float(self._per_minute), left + (now - since) * rate)
        allowed = left >= 1
        self._buckets[address] = (left - 1 if allowed else left, now)
        while len(self._buckets) > MAX_ADDRESSES:
            self._buckets.popitem(last=False)
        return 0.0 if allowed else (1 - left) / rate
