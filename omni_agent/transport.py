"""The Transport contract: the line to one user."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from omni_agent.audio import AudioFrame
from omni_agent.events import Event


@dataclass(frozen=True, slots=True)
class VideoFrame:
    """One encoded picture (JPEG) from the user's camera or screen. at: monotonic seconds."""

    jpeg: bytes
    width: int
    height: int
    at: float


@dataclass(frozen=True, slots=True)
class UserText:
    """The user typed instead of speaking."""

    text: str
    item_id: str | None = None


@dataclass(frozen=True, slots=True)
class Interrupt:
    """The user asked the agent to stop speaking."""


@dataclass(frozen=True, slots=True)
class Truncate:
    """The client says how much of an utterance was heard. audio_end_ms: from its start."""

    item_id: str
    audio_end_ms: int


@dataclass(frozen=True, slots=True)
class ReplyRequest:
    """The client asks for a reply now (for example after giving a tool's result)."""


@dataclass(frozen=True, slots=True)
class ChoosePersona:
    """The user picked another persona; it takes effect with the next turn."""

    name: str


@dataclass(frozen=True, slots=True)
class PlayoutStarted:
    """The first audio of an utterance left for the user. at: loop time, seconds."""

    utterance: str
    at: float


@dataclass(frozen=True, slots=True)
class PlayoutFinished:
    """The last audio of an utterance left for the user. at: loop time, seconds."""

    utterance: str
    at: float


Incoming = (
    AudioFrame
    | VideoFrame
    | UserText
    | Interrupt
    | Truncate
    | ReplyRequest
    | ChoosePersona
    | PlayoutStarted
    | PlayoutFinished
)


@dataclass(frozen=True, slots=True)
class Heard:
    """How much of an utterance reached the user's ear: ``ms`` ± ``bound_ms``."""

    ms: float
    bound_ms: float = 0.0


@runtime_checkable
class Transport(Protocol):
    """The line to one user. One bounded queue, at its edge; nothing calls upstream."""

    def frames(self) -> AsyncIterator[Incoming]:
        """What comes from the user, until they hang up. Call once."""
        ...

    async def play(self, utterance: str, frame: AudioFrame) -> None:
        """Queue speech; waits while enough of it is queued already. Any sample rate."""
        ...

    def finish(self, utterance: str) -> None:
        """No more audio for this utterance; PlayoutFinished follows when it is played out."""
        ...

    def hold(self) -> None:
        """Fall silent at once, keeping what is queued (the user may be interrupting)."""
        ...

    def resume(self) -> None:
        """Go on where ``hold`` stopped."""
        ...

    def flush(self) -> float:
        """Drop what is queued, with a short fade; returns the dropped milliseconds.

        Ends a hold. Every utterance in the queue is over: no PlayoutFinished follows.
        """
        ...

    def heard(self, utterance: str) -> Heard:
        """How much of an utterance was heard; also valid after ``flush``."""
        ...

    def notify(self, event: Event) -> None:
        """Tell the client of an event. Never blocks, never raises."""
        ...

    async def aclose(self) -> None: ...
