"""What was heard of one caller, in the order it is told in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from omni_agent.audio import AudioFrame
from omni_agent.ears import Transcript
from omni_agent.errors import EngineError


@dataclass(slots=True, eq=False)
class UserTurn:
    """One stretch of user speech. Times: ``_ms`` in the incoming audio, else loop seconds.

    audio: all that was said, 16 kHz, once the user is silent; None while they speak. began_ms,
    began_at: of a turn that the client ends, where its audio begins until a voice is found in it.
    """

    item_id: str
    began_ms: int
    began_at: float
    ended_ms: int = 0
    speech_end: float = 0.0
    end_of_turn: float = 0.0
    audio: AudioFrame | None = None


@dataclass(frozen=True, slots=True)
class TurnBegan:
    turn: UserTurn


@dataclass(frozen=True, slots=True)
class SpokeLong:
    """The turn has lasted longer than a listening noise does; the audio of it, 16 kHz."""

    turn: UserTurn
    audio: AudioFrame


@dataclass(frozen=True, slots=True)
class WordsSoFar:
    turn: UserTurn
    text: str


@dataclass(frozen=True, slots=True)
class SpeechSoFar:
    """The user goes on speaking; this is the audio of it, 16 kHz, from the turn's beginning."""

    turn: UserTurn
    audio: AudioFrame


@dataclass(frozen=True, slots=True)
class Paused:
    """The user fell silent, perhaps for good: ``turn.audio`` is set. LikelyOver follows."""

    turn: UserTurn


@dataclass(frozen=True, slots=True)
class LikelyOver:
    """The words of a paused turn, if nothing follows: without text when it was noise, None when
    nobody knows them."""

    turn: UserTurn
    transcript: Transcript | None


@dataclass(frozen=True, slots=True)
class WentOn:
    """… and something follows."""

    turn: UserTurn


@dataclass(frozen=True, slots=True)
class EndOfTurn:
    """The silence was long enough. TurnOver follows with the words."""

    turn: UserTurn


@dataclass(frozen=True, slots=True)
class TurnOver:
    """A turn with its words: without text when it was noise, None when nobody knows them."""

    turn: UserTurn
    transcript: Transcript | None


@dataclass(frozen=True, slots=True)
class HearingFailed:
    """The ears failed, or the learned end of turn did, and the words decide. source: which."""

    error: EngineError
    source: Literal["ears", "turn_end"] = "ears"


HeardEvent = (
    TurnBegan
    | SpokeLong
    | WordsSoFar
    | SpeechSoFar
    | Paused
    | LikelyOver
    | WentOn
    | EndOfTurn
    | TurnOver
    | HearingFailed
)
