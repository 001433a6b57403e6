"""Asking a learned end of turn, which may be anybody's."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from omni_agent.audio import AudioFrame
from omni_agent.conversation import Item
from omni_agent.errors import EngineError
from omni_agent.runtime.scope import answer_within, heed_cancellation
from omni_agent.turn_taking import TurnEnd

ANSWERED_WITHIN_S = 2.0
"""Later than this it matters to no turn."""


async def likelihood(end: TurnEnd, audio: AudioFrame, words: str, items: Sequence[Item]) -> float:
    """The probability that the turn is over, unless nobody wants it any more.

    Raises EngineError whatever goes wrong.
    """
    ask = partial(end.is_over, audio, words, items)
    try:
        told = await answer_within(ask, ANSWERED_WITHIN_S, "the end of turn")
    finally:
        heed_cancellation()
    if not (isinstance(told, int | float) and 0 <= told <= 1):
        raise EngineError(f"the end of turn returned {told!r:.50}, not a probability")
    return float(told)
