"""What goes back with a call is kept within bounds."""

from __future__ import annotations

from omni_agent.engines.remote.keepsakes import Keepsakes


def test_what_was_used_longest_ago_is_forgotten() -> None:
    kept = Keepsakes(remembered=30)
    kept.keep("a", "0123456789")
    kept.keep("b", "0123456789")
    assert kept.of("a") == "0123456789"
    kept.keep("c", "0123456789")
    assert [kept.of(call) is not None for call in "abc"] == [True, False, True]


def test_what_is_too_long_is_not_kept() -> None:
    kept = Keepsakes()
    kept.keep("a", "x" * 200_000)
    assert kept.of("a") is None
