"""What the server needs of an agent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from omni_agent.call.request import CallRequest
from omni_agent.call.session import Session
from omni_agent.line import Line
from omni_agent.records.transcripts import TranscriptStore
from omni_agent.registry.engines import Lineup
from omni_agent.registry.wardrobe import PersonaWardrobe
from omni_agent.stages import Stages
from omni_agent.transport import Transport
from omni_agent.wishes import Wishes


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


class Host(Protocol):
    """An agent that can hold calls. Properties are read on the event loop and must be quick."""

    @property
    def readiness(self) -> Readiness: ...

    @property
    def personas(self) -> Sequence[PersonaCard]: ...

    @property
    def default_persona(self) -> str: ...

    def shown_name(self, persona: str) -> str:
        """The name that is shown of a persona, which may be named by its file, or in another case;
        what was given where none is offered that is named so."""
        ...

    @property
    def sees(self) -> bool:
        """Whether pictures from the user's camera are understood."""
        ...

    @property
    def engine(self) -> Mapping[str, str]:
        """Engines' names by stage: ``thinker``, ``talker``, ``ears``; only of those there are."""
        ...

    def check_wishes(self, persona: str, wishes: Wishes) -> None:
        """Raises OmniAgentError for wishes that cannot be laid over this persona."""
        ...

    async def serve_call(self, transport: Transport, request: CallRequest) -> None:
        """Run one whole session; returns when the user has hung up or the agent said goodbye.

        When it returns, the server closes the line.
        """
        ...


class Served(Protocol):
    """What a server asks of an ``omni_agent.Agent``."""

    @property
    def transcripts(self) -> TranscriptStore | None: ...

    @property
    def wardrobe(self) -> PersonaWardrobe: ...

    @property
    def lineup(self) -> Lineup: ...

    @property
    def lines(self) -> Sequence[Line]: ...

    @property
    def stages(self) -> Stages: ...

    @property
    def ready(self) -> bool: ...

    @property
    def progress(self) -> str: ...

    async def start(self) -> None: ...

    async def aclose(self) -> None: ...

    def session(self, transport: Transport, request: CallRequest) -> Session: ...
