"""Everything observable about a call, as frozen dataclasses: the union ``Event``.

``at`` is the event loop's monotonic time in seconds. Events are facts: they are
emitted after the thing happened, in order, and nothing reacts upstream to them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from omni_agent.conversation import Item
from omni_agent.errors import detail, public

Activity = Literal["listening", "hearing", "thinking", "speaking"]


@dataclass(frozen=True, slots=True)
class SessionStarted:
    """caller: whose call it is; empty when nobody knows."""

    at: float
    session_id: str
    persona: str
    caller: str = ""


@dataclass(frozen=True, slots=True)
class SessionEnded:
    """reason: ``hangup``, ``goodbye``, ``idle``, ``time`` (the call's longest), ``shutdown``, or
    ``failed``: something of ours broke."""

    at: float
    reason: str


@dataclass(frozen=True, slots=True)
class ActivityChanged:
    """What the agent is doing now."""

    at: float
    activity: Activity


@dataclass(frozen=True, slots=True)
class PersonaChanged:
    """Another persona, or a new version of its file, is in force from now on."""

    at: float
    persona: str


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """The user began to speak. audio_ms: position in the incoming audio."""

    at: float
    item_id: str
    audio_ms: int


@dataclass(frozen=True, slots=True)
class SpeechStopped:
    """The user's turn is over. audio_ms: where the speech ended in the incoming audio."""

    at: float
    item_id: str
    audio_ms: int


@dataclass(frozen=True, slots=True)
class UserTranscript:
    """What the user said so far (``final`` False) or all of it; each replaces the last."""

    at: float
    item_id: str
    text: str
    final: bool


@dataclass(frozen=True, slots=True)
class BackchannelIgnored:
    """What was heard is no turn: a listening noise ("mm-hm"), or the agent's own words.

    The transcript of ``item_id`` still follows; it does not join the conversation.
    """

    at: float
    item_id: str
    text: str


@dataclass(frozen=True, slots=True)
class ItemAdded:
    """An item joined the conversation, or was replaced under the same id."""

    at: float
    item: Item


@dataclass(frozen=True, slots=True)
class ReplyStarted:
    at: float
    reply_id: str


@dataclass(frozen=True, slots=True)
class UtteranceStarted:
    """The agent begins to voice one message. kind ``filler`` never joins the conversation."""

    at: float
    reply_id: str
    utterance: str
    kind: Literal["answer", "filler", "greeting", "announcement", "apology"]


@dataclass(frozen=True, slots=True)
class SpokenText:
    """Text on its way to the Talker, after all filters."""

    at: float
    utterance: str
    text: str


@dataclass(frozen=True, slots=True)
class PlaybackStarted:
    """The first audio of an utterance left for the user."""

    at: float
    utterance: str


@dataclass(frozen=True, slots=True)
class UtteranceFinished:
    """text: all that was to be said; heard: what of it the user heard."""

    at: float
    reply_id: str
    utterance: str
    text: str
    heard: str
    heard_ms: int
    interrupted: bool


@dataclass(frozen=True, slots=True)
class ToolStarted:
    at: float
    reply_id: str
    call_id: str
    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ToolProgress:
    at: float
    call_id: str
    text: str


@dataclass(frozen=True, slots=True)
class ToolFinished:
    """ok False: ``output`` says why, in words for callers. ms: how long it ran."""

    at: float
    call_id: str
    name: str
    output: str
    ok: bool
    ms: float


@dataclass(frozen=True, slots=True)
class PanelShown:
    """A tool's state for the page: see :class:`omni_agent.tools.Panel`."""

    at: float
    panel: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The user barged in (or pressed stop). dropped_ms: speech that was never played."""

    at: float
    reply_id: str
    dropped_ms: float


@dataclass(frozen=True, slots=True)
class ReplyFinished:
    at: float
    reply_id: str
    interrupted: bool


@dataclass(frozen=True, slots=True)
class Waterfall:
    """Where one turn's time went: milliseconds since the end of the user's speech.

    Keys, in order, each absent when it did not happen: ``end_of_turn``,
    ``transcript``, ``first_thought``, ``tool_decided``, ``tool_done``,
    ``first_text``, ``first_frame``, ``on_the_wire`` (first audio of any kind),
    ``answer_on_the_wire`` (first audio that is not a filler).
    """

    at: float
    reply_id: str
    marks: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class ErrorOccurred:
    """Something failed and the call goes on.

    message: fit for the caller's eyes. detail: for those who run or develop the agent; it
    may name addresses, paths and what servers said, and reaches no caller.
    """

    at: float
    source: str
    message: str
    detail: str = ""

    @classmethod
    def of(cls, at: float, source: str, error: BaseException) -> ErrorOccurred:
        return cls(at, source, public(error), detail(error))


Event = (
    SessionStarted
    | SessionEnded
    | ActivityChanged
    | PersonaChanged
    | SpeechStarted
    | SpeechStopped
    | UserTranscript
    | BackchannelIgnored
    | ItemAdded
    | ReplyStarted
    | UtteranceStarted
    | SpokenText
    | PlaybackStarted
    | UtteranceFinished
    | ToolStarted
    | ToolProgress
    | ToolFinished
    | PanelShown
    | Interrupted
    | ReplyFinished
    | Waterfall
    | ErrorOccurred
)
