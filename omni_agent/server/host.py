"""What the server needs of an agent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from omni_agent.transport import Transport


@dataclass(frozen=True, slots=True)
class PersonaCard:
    """A persona as the page's picker shows it. language: BCP 47 tag. tools: plugin names."""

    name: str
    description: str = ""
    language: str = "en"
    tools: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Readiness:
    """progress: one line on what is going on, or that it failed; fit for the caller's eyes.

    detail: why it failed, for those who run the agent. records: how the keeping of
    transcripts goes (``failing``, ``lost``, ``why``); empty where none are kept.
    """

    ready: bool
    progress: str = ""
    failed: bool = False
    detail: str = ""
    records: Mapping[str, Any] = field(default_factory=dict)

    def shown(self, *, dev: bool) -> str:
        """What callers are told; in development that is why."""
        return (self.detail if dev else "") or self.progress


@dataclass(frozen=True, slots=True)
class CallRequest:
    """A call that was let in. id: the one name it has everywhere (client, log, records).

    persona: None is the default. caller: whose call it is, as the token or the page's cookie
    says; empty when nobody knows. longest_s: then the agent says goodbye and
    hangs up; None is never.
    """

    id: str
    persona: str | None = None
    caller: str = ""
    longest_s: float | None = None


class Host(Protocol):
    """An agent that can hold calls. Properties are read on the event loop and must be quick."""

    @property
    def readiness(self) -> Readiness: ...

    @property
    def personas(self) -> Sequence[PersonaCard]: ...

    @property
    def default_persona(self) -> str: ...

    @property
    def sees(self) -> bool:
        """Whether pictures from the user's camera are understood."""
        ...

    @property
    def engine(self) -> Mapping[str, str]:
        """Model names by stage: ``thinker``, ``talker``, ``ears``."""
        ...

    async def serve_call(self, transport: Transport, request: CallRequest) -> None:
        """Run one whole session; returns when the user has hung up or the agent said goodbye.

        When it returns, the server closes the line.
        """
        ...
