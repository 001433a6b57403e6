"""How much audio a client may send: as much as it can have recorded."""

from __future__ import annotations

AHEAD_S = 2.0
"""Audio that may come at once, after a hold-up of the line."""
FASTEST = 1.05
"""Of real time, in the long run: a client's clock may be fast, but not faster."""


class Credit:
    """Samples that may be taken in, as time passes. Pure: times are handed in. rate: Hz."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._left, self._at = AHEAD_S * rate, 0.0
        """Samples that may be taken in, as of this time."""

    def take(self, samples: int, now: float) -> bool:
        """Whether so many may be taken in: all of them, or none. now: seconds, monotonic."""
        earned = (now - self._at) * FASTEST * self._rate
        self._left, self._at = min(AHEAD_S * self._rate, self._left + earned), now
        if samples > self._left:
            return False
        self._left -= samples
        return True
