"""The ear contracts: is somebody speaking, and what did they say?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from omni_agent.audio import AudioFrame

EAR_RATE = 16_000
"""Sample rate that ears listen at, Hz."""


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was said; empty text means that nothing intelligible was.

    confidence: mean token probability in [0, 1]. language: BCP 47 tag.
    """

    text: str
    confidence: float = 1.0
    language: str = "en"


class VoiceActivity(Protocol):
    """Speech probabilities of one caller's audio; keeps state between calls."""

    window_ms: int

    async def push(self, frame: AudioFrame) -> Sequence[float]:
        """Probabilities in [0, 1], one for each ``window_ms`` completed by this frame.

        ``frame`` is 16 kHz of any length; remainders are kept for the next call.
        """
        ...

    async def aclose(self) -> None:
        """This caller is gone."""
        ...


@runtime_checkable
class Ears(Protocol):
    """Hears many callers."""

    def voice_activity(self) -> VoiceActivity:
        """A fresh detector for one caller."""
        ...

    async def transcribe(self, audio: AudioFrame, *, language: str = "en") -> Transcript:
        """Transcribe 16 kHz audio. Raises EngineError. Cancelling stops it soon."""
        ...

    async def aclose(self) -> None:
        """Give the models up; what is being transcribed ends."""
        ...


@runtime_checkable
class PickyEars(Protocol):
    """Ears that know before they listen which languages they understand."""

    def objection(self, language: str) -> str:
        """Why they are deaf for a BCP 47 tag, and what would work; empty when they are not."""
        ...
