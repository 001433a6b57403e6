"""The Talker contract: text in as it is thought, speech out as it is made."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from omni_agent.audio import AudioFrame


@dataclass(frozen=True, slots=True)
class Voice:
    """How to say it.

    prompt: the Talker's own system prompt (a persona's ``# Talker`` section).
    speaker: an engine's voice name; None is the engine's default.
    language: BCP 47 tag. speed: 1.0 is the voice's natural tempo.
    pause_ms: silence between sentences, added to the voice's own.
    Either left None lets the engine take it from the prompt ("unhurried", "brisk").
    features: the turn's feature handle, for a Talker that reads a Thinker's states.
    """

    prompt: str = ""
    speaker: str | None = None
    language: str = "en"
    speed: float | None = None
    pause_ms: int | None = None
    features: Any = None


@dataclass(frozen=True, slots=True)
class Speech:
    """A piece of speech and how far into the text it reaches.

    text_end: characters of the text given to ``speak`` that have been voiced
    once this piece has been played to its end.
    """

    audio: AudioFrame
    text_end: int


@runtime_checkable
class Talker(Protocol):
    """Speaks a stream of text.

    ``speak`` stalls when the text stalls, ends when the text ends, and stops
    using the model soon after it is closed. It raises EngineError when it
    cannot go on.
    """

    @property
    def sample_rate(self) -> int:
        """Of the speech, Hz."""
        ...

    def speak(self, text: AsyncIterator[str], voice: Voice) -> AsyncIterator[Speech]:
        """Speech in order, each piece with how far into ``text`` it reaches."""
        ...

    async def prepare(self, voice: Voice) -> None:
        """Read as much of the conversation as is known; called while the user still speaks.

        ``voice.features`` is what ``Thinker.prepare`` returned; it is not called when
        that returned None. Optional work, under the same terms as ``Thinker.prepare``:
        a later ``speak`` gets other features, which usually go on from these.
        """
        ...

    async def aclose(self) -> None:
        """Give the model up; what is being spoken ends."""
        ...


@runtime_checkable
class PickyTalker(Protocol):
    """A Talker that knows before it speaks which voices it has."""

    @property
    def voices(self) -> Collection[str]:
        """Names it understands, in lower case; whether each is installed is another matter."""
        ...

    def objections(self, voice: Voice) -> Sequence[str]:
        """What of ``voice`` it cannot do, what it does instead, and the remedy: a line for each."""
        ...


class MuteTalker:
    """For conversations that are read: each piece of text is a moment of no length."""

    sample_rate = 24_000

    async def speak(self, text: AsyncIterator[str], voice: Voice) -> AsyncIterator[Speech]:
        end = 0
        async for piece in text:
            end += len(piece)
            yield Speech(AudioFrame.silence(0.0, self.sample_rate), end)

    async def prepare(self, voice: Voice) -> None:
        pass

    async def aclose(self) -> None:
        pass
