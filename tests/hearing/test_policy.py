"""How long a silence must be that ends a turn."""

from __future__ import annotations

import pytest

from omni_agent.hearing.manners import manners_in
from omni_agent.hearing.policy import TurnPolicy
from omni_agent.hearing.turns import TurnTiming

WHOLE, HANGING = "Set a timer for ten minutes.", "Set a timer for"


@pytest.mark.parametrize(
    ("words", "likelihood", "patience_ms"),
    [
        (WHOLE, None, 500),
        (HANGING, None, 1200),
        (WHOLE, 1.0, 250),
        (WHOLE, 0.5, 250),
        (WHOLE, 0.4, 500),
        (WHOLE, 0.0, 1200),
        (HANGING, 1.0, 1200),
        (None, None, 500),
        (None, 1.0, 500),
        (None, 0.1, 1200),
        ("", 1.0, 500),
    ],
)
def test_the_words_and_the_sound_say_how_long_to_wait(
    words: str | None, likelihood: float | None, patience_ms: int
) -> None:
    assert TurnPolicy(TurnTiming(patience_ms=500)).patience_ms(words, likelihood) == patience_ms


def test_who_has_little_patience_is_not_given_more_by_a_sound_that_is_over() -> None:
    assert TurnPolicy(TurnTiming(patience_ms=200)).patience_ms(WHOLE, 1.0) == 200


def test_what_hangs_is_known_in_the_language_that_is_spoken() -> None:
    german = TurnPolicy(TurnTiming(patience_ms=500), "de", manners_in("de-AT"))
    assert german.patience_ms("Stell einen Wecker für") == 1200
    assert german.patience_ms(HANGING) == 500
