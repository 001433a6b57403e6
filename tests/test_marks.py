"""Marks are found in a text that is still growing, and never half of one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omni_agent.marks import DROPPED, ENDS, FENCES, REASONING, Mark, Marks

ALL = {*REASONING, *REASONING.values(), *FENCES, *ENDS, *DROPPED}
MARKS = Marks(ALL)
_PARTS = st.sampled_from([
    *sorted(ALL), "<|", "|>", "<|a|>", "<", "[", "`", "</th", "ink>", "assistant", "json", "a ",
])  # fmt: skip


def _walk(text: str) -> list[Mark | int]:
    """All marks of a text that is complete, and its end."""
    found: list[Mark | int] = []
    at = 0
    while isinstance(mark := MARKS.first(text, at, final=True), Mark):
        found.append(mark)
        at = mark.end
    return [*found, mark]


@given(st.lists(_PARTS, max_size=10).map("".join), st.lists(_PARTS, max_size=4).map("".join))
def test_what_is_certain_of_a_text_stays_true_whatever_follows(text: str, rest: str) -> None:
    certain = MARKS.first(text)
    whole = MARKS.first(text + rest, final=True)
    if isinstance(certain, Mark):
        assert whole == certain
    else:
        assert (whole.start if isinstance(whole, Mark) else whole) >= certain


@given(st.lists(_PARTS, max_size=10).map("".join))
def test_where_one_begins_to_look_changes_nothing(text: str) -> None:
    *marks, end = _walk(text)
    assert end == len(text)
    for mark in marks:
        assert isinstance(mark, Mark)
        assert text.startswith(mark.text, mark.start)
        assert MARKS.first(text, mark.start, final=True) == mark


@pytest.mark.parametrize("mark", sorted(ALL - set(FENCES)))
def test_a_mark_that_has_begun_is_waited_for(mark: str) -> None:
    for end in range(1, len(mark)):
        assert MARKS.first(f"Well, {mark[:end]}") == len("Well, ")
