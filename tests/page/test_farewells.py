"""What the page says of a call's end."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import get_args

import pytest

from omni_agent.events import EndReason

PROBLEMS = (files("omni_agent.server") / "page" / "problems.js").read_text()


@pytest.mark.parametrize("reason", get_args(EndReason))
def test_the_page_knows_every_reason_for_which_a_call_ends(reason: str) -> None:
    farewells = PROBLEMS.partition("const FAREWELLS = {")[2].partition("\n};")[0]
    told = set(re.findall(r"^  (\w+): \[", farewells, re.MULTILINE))
    expected = set(
        re.findall(r'"(\w+)"', PROBLEMS.partition("const EXPECTED =")[2].partition(";")[0])
    )
    assert not told & expected
    assert reason in told | expected
