"""What a caller, or one reply, may have other than the persona has it."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Literal

from omni_agent.thinker import ToolChoice, ToolSchema

Turns = Literal["auto", "manual"]


@dataclass(frozen=True, slots=True)
class Wishes:
    """Laid over a persona; None leaves it as it is.

    instructions: instead of the Thinker prompt. voice, speed, language: as in
    :class:`omni_agent.talker.Voice`; the language is heard, too. tools: those that the client runs
    itself, beside the persona's; ``()`` takes earlier ones away. tool_choice: as in
    :class:`omni_agent.thinker.ThinkRequest`, or ``none`` for no tool at all. max_tokens: of one
    reply. spoken: False has replies written only. turns: ``auto`` ends them by silence,
    ``manual`` when the client commits its audio. answered: whether a turn that is over gets a
    reply by itself. interrupts: whether speech over the agent's makes it stop.

    A session's wishes are taken up between turns; a reply's go for it alone.
    """

    instructions: str | None = None
    voice: str | None = None
    speed: float | None = None
    language: str | None = None
    tools: tuple[ToolSchema, ...] | None = None
    tool_choice: ToolChoice | Literal["none"] | None = None
    max_tokens: int | None = None
    spoken: bool | None = None
    turns: Turns | None = None
    answered: bool | None = None
    interrupts: bool | None = None

    def over(self, others: Wishes) -> Wishes:
        """These where they say something, the others where they do not."""
        told = {f.name: value for f in fields(self) if (value := getattr(self, f.name)) is not None}
        return replace(others, **told)


NO_WISHES = Wishes()
"""Everything as the persona has it."""
