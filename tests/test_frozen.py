"""JSON values that are kept cannot be changed; copies of them can."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omni_agent.frozen import frozen

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
ARGUMENTS = {"to": ["ann", {"cc": []}], "n": 1}


@given(JSON)
def test_it_reads_as_what_it_was_made_of(value: Any) -> None:
    assert frozen(value) == value
    assert json.dumps(frozen(value)) == json.dumps(value)


@pytest.mark.parametrize(
    "change",
    [
        lambda kept: kept.update(n=2),
        lambda kept: kept.__setitem__("n", 2),
        lambda kept: kept.pop("n"),
        lambda kept: kept.popitem(),
        lambda kept: kept.setdefault("m", 2),
        lambda kept: kept.__ior__({"n": 2}),
        lambda kept: kept.__delitem__("n"),
        lambda kept: kept.clear(),
        lambda kept: kept["to"].append("bob"),
        lambda kept: kept["to"].extend(["bob"]),
        lambda kept: kept["to"].insert(0, "bob"),
        lambda kept: kept["to"].reverse(),
        lambda kept: kept["to"].__setitem__(0, "bob"),
        lambda kept: kept["to"].__iadd__(["bob"]),
        lambda kept: kept["to"].__imul__(2),
        lambda kept: kept["to"].__delitem__(0),
        lambda kept: kept["to"][1].update(cc=["bob"]),
        lambda kept: kept["to"][1]["cc"].append("bob"),
    ],
)
def test_what_would_change_it_raises(change: Callable[[Any], Any]) -> None:
    kept = frozen(ARGUMENTS)
    with pytest.raises(TypeError, match="change a copy"):
        change(kept)
    assert kept == ARGUMENTS


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda kept: pickle.loads(pickle.dumps(kept))])
def test_a_copy_of_it_is_ordinary(copied: Callable[[Any], Any]) -> None:
    other = copied(kept := frozen(ARGUMENTS))
    other["to"][1]["cc"].append("bob")
    assert (type(other), type(other["to"])) == (dict, list)
    assert kept == ARGUMENTS
