"""A simulated house that a voice agent looks after; it shows on the call page."""

from __future__ import annotations

from collections.abc import Sequence

from omni_agent import Tool, hookimpl
from omni_agent_home.house import House
from omni_agent_home.keys import tools_of


@hookimpl
def register_tools() -> Sequence[Tool]:
    """The tools of a new house: it belongs to one agent and outlives its calls."""
    return tools_of(House())
