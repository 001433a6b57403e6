"""What a draft does waits, in order."""

from __future__ import annotations

import pytest

from omni_agent.call.confirmation import Confirmation


def test_what_an_action_leads_to_is_done_after_all_that_waited_already() -> None:
    confirmation, done = Confirmation(), list[str]()

    def first() -> None:
        done.append("first")
        confirmation.then(lambda: done.append("what it leads to"))
        assert not confirmation.given

    confirmation.then(first)
    confirmation.then(lambda: done.append("second"))
    confirmation.give()
    assert done == ["first", "second", "what it leads to"]
    assert confirmation.given
    confirmation.then(lambda: done.append("at once"))
    assert done[-1] == "at once"


def test_what_breaks_takes_nothing_from_what_waits_behind_it() -> None:
    confirmation, done = Confirmation(), list[str]()
    confirmation.then(lambda: done.append(str(1 / 0)))
    confirmation.then(lambda: done.append("second"))
    with pytest.raises(ZeroDivisionError):
        confirmation.give()
    assert confirmation.given
    assert done == ["second"]
