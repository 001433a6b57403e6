"""What others have to say in a call: what they find for a turn, and whether a tool call may run."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Protocol

from omni_agent.conversation import Part
from omni_agent.hookspecs import Turn
from omni_agent.thinker import ToolCallRequest
from omni_agent.tools.approval import ALLOWED, Verdict


class Counsel(Protocol):
    """Asked on the event loop; whoever is behind it is contained, and in time."""

    def retrieve(self, turn: Turn) -> Awaitable[Sequence[Part]] | None:
        """Looks up what the Thinker is to read beside a user's turn.

        None at once where nobody looks anything up.
        """
        ...

    def judge(self, tool_call: ToolCallRequest, session_id: str, caller: str) -> Verdict:
        """Whether a tool call may run."""
        ...


class NoCounsel:
    """Finds nothing, and lets everything run."""

    def retrieve(self, turn: Turn) -> Awaitable[Sequence[Part]] | None:
        return None

    def judge(self, tool_call: ToolCallRequest, session_id: str, caller: str) -> Verdict:
        return ALLOWED


NO_COUNSEL = NoCounsel()
