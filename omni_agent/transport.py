"""The Transport contract: the line to one user."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from omni_agent._moved import moved_names
from omni_agent.audio import AudioFrame
from omni_agent.commands import Command
from omni_agent.events import Event


@dataclass(frozen=True, slots=True)
class VideoFrame:
    """One encoded picture (JPEG) from the user's camera or screen. at: monotonic seconds."""

    jpeg: bytes
    width: int
    height: int
    at: float


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


Playback = PlayoutStarted | PlayoutFinished
"""What a transport's ``playback`` yields."""


@dataclass(frozen=True, slots=True)
class Heard:
    """How much of an utterance reached the user's ear: ``ms`` ± ``bound_ms``."""

    ms: float
    bound_ms: float = 0.0


@runtime_checkable
class Transport(Protocol):
    """The line to one user: streams in, speech and events out. It calls nobody: what comes of what
    the call has it do is read from its streams.

    Nothing here raises, on a line that is dead or closed either: its streams end, and what is
    played is lost. An error all the same costs the reply, where ``play`` raised it, else the call.

    Each stream is bounded where it waits, has one reader, is called once, and ends with the
    line; none of them waits for another's reader, as ears may be slow or gone.
    :class:`omni_agent.lines.inbox.Inbox` is made for that.
    """

    def audio(self) -> AsyncIterator[AudioFrame]:
        """What is heard of the user, of any sample rate. Of what waits too long, the oldest
        is lost."""
        ...

    def video(self) -> AsyncIterator[VideoFrame]:
        """What is seen of the user; a picture that nobody took gives way to the next."""
        ...

    def commands(self) -> AsyncIterator[Command]:
        """What the client asks for. Its end is the user's hanging up."""
        ...

    def playback(self) -> AsyncIterator[Playback]:
        """What became of the speech that was played."""
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

    async def aclose(self) -> None:
        """Hang up."""
        ...


if not TYPE_CHECKING:  # who checks types is told of the old names
    __getattr__ = moved_names(__name__)
