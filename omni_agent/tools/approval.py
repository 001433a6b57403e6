"""Whether a tool call may run: what plugins say before it does."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Allow:
    """It may."""


@dataclass(frozen=True, slots=True)
class Deny:
    """It may not; the Thinker reads why."""

    reason: str


@dataclass(frozen=True, slots=True)
class Ask:
    """The user is asked, and only a yes lets it run."""

    question: str


Verdict = Allow | Deny | Ask

ALLOWED = Allow()
UNCHECKED = Deny("A check of this call failed, so it was not done.")
"""Where a plugin that judges calls fails itself."""


def strictest(verdicts: Iterable[Verdict]) -> Verdict:
    """A no before a question, and that before a yes; of equals, the first."""
    told = list(verdicts)
    for kind in (Deny, Ask):
        if first := next((one for one in told if isinstance(one, kind)), None):
            return first
    return ALLOWED
