"""What one call's client may still send."""

from __future__ import annotations

import time

from omni_agent.errors import ProtocolError
from omni_agent.server.limits import MessageLimits
from omni_agent.server.rates import Bucket, Clock

TOLD_PER_MINUTE = 30
"""Refusals a client is told of; the others it can infer."""


class OverLimit(ProtocolError):
    """A message beyond a limit. ``limit`` is the name of the one, in MessageLimits."""

    def __init__(self, limit: str, reason: str) -> None:
        self.limit = limit
        super().__init__(reason)


class Allowance:
    """The buckets of one call. ``now``: monotonic seconds.

    A method that says no raises OverLimit, and what it refuses is to be left undone.
    """

    def __init__(self, limits: MessageLimits, now: Clock = time.monotonic) -> None:
        self.limits = limits
        self._buckets = {
            name: Bucket(getattr(limits, name), now)
            for name in (
                "per_minute",
                "characters_per_minute",
                "texts_per_minute",
                "replies_per_minute",
                "updates_per_minute",
            )
        }
        self._overrun = Bucket(limits.overrun, now)
        self._told = Bucket(TOLD_PER_MINUTE, now)
        self._typed = 0
        self.exhausted = False
        """The client goes on sending far too much: its call is to end."""

    def message(self, text: str) -> None:
        """A message came, whatever it says."""
        try:
            if len(text) > self.limits.characters:
                raise OverLimit("characters", f"over {self.limits.characters} characters long")
            self.spend("per_minute")
            self.spend("characters_per_minute", len(text))
        except OverLimit:
            self.exhausted = not self._overrun.take()
            raise

    def text(self, characters: int) -> None:
        """The client typed so much to be answered."""
        self.spend("texts_per_minute")
        if self._typed + characters > self.limits.text_characters:
            most = self.limits.text_characters
            raise OverLimit("text_characters", f"one call takes {most} typed characters")
        self._typed += characters

    def spend(self, limit: str, amount: float = 1.0) -> None:
        """Use up some of a limit that is a rate."""
        if not self._buckets[limit].take(amount):
            most = getattr(self.limits, limit)
            raise OverLimit(limit, f"too much at once: {limit.replace('_', ' ')}, {most} at most")

    def may_tell(self) -> bool:
        """Whether a refusal may be told, so that a flood is not answered with one."""
        return self._told.take()
