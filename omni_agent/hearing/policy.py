"""How a caller's turns are heard and when they are over, as the persona has it."""

from __future__ import annotations

from dataclasses import dataclass, field

from omni_agent.hearing.manners import manners_in
from omni_agent.hearing.turns import TurnTiming
from omni_agent.turn_taking import Manners, TurnEnd

UNFINISHED_EXTRA_MS = 700
"""More patience when the words ask for more ("set a timer for"), or the voice does."""
OVER_MS = 250
"""Silence that ends a turn which is over by its words and by its sound."""
OVER, UNFINISHED = 0.5, 0.3
"""Probabilities of a learned end of turn, from which and below which it is believed. Of whole
sentences in synthetic voices, 250 ms of silence after them, smart-turn gives 92 % more than 0.5 and
4 % less than 0.3; of those that hang 48 % less than 0.3, and the words tell most of the others."""


@dataclass(frozen=True, slots=True)
class TurnPolicy:
    """timing: patience and thresholds. language: a BCP 47 tag; manners: what its words mean.

    end: a learned end of turn beside them; None goes by the words alone.
    """

    timing: TurnTiming = field(default_factory=TurnTiming)
    language: str = "en"
    manners: Manners = field(default_factory=lambda: manners_in("en"))
    end: TurnEnd | None = None

    def patience_ms(self, words: str | None, likelihood: float | None = None) -> int:
        """Silence that ends a turn with these words; None while they are not known.

        likelihood: that it is over, by its sound; None while nobody says.
        """
        patience_ms = self.timing.patience_ms
        hangs = likelihood is not None and likelihood < UNFINISHED
        if hangs or (words and self.manners.is_unfinished(words)):
            return patience_ms + UNFINISHED_EXTRA_MS
        if words and likelihood is not None and likelihood >= OVER:
            return min(patience_ms, OVER_MS)
        return patience_ms
