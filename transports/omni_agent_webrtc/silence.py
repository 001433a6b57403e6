"""How long nothing came, by a clock that stands still while nobody could have listened."""

from __future__ import annotations

MAX_STEP_S = 1.0
"""A longer step means that our own event loop was late, which is not the client's fault."""


class Silence:
    """Seconds since a count last changed. Pure: times are handed in."""

    def __init__(self) -> None:
        self._count = -1
        self._at = 0.0
        self._quiet_s = 0.0

    def seconds(self, count: int, now: float) -> float:
        """``count``: signs of life so far. Call it regularly, more than once a second."""
        step, self._at = now - self._at, now
        self._quiet_s = 0.0 if count != self._count else self._quiet_s + min(step, MAX_STEP_S)
        self._count = count
        return self._quiet_s
