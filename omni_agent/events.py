"""Everything observable about a call, as frozen dataclasses: the union ``Event``.

``at`` is the event loop's monotonic time in seconds. Events are facts: they are
emitted after the thing happened, in order, and nothing reacts upstream to them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from omni_agent.conversation import Item, Message
from omni_agent.errors import detail, public

Activity = Literal["listening", "hearing", "thinking", "speaking"]
EndReason = Literal["hangup", "goodbye", "agent", "idle", "time", "shutdown", "failed"]
"""Why a call ended: the user hung up, or said goodbye; a tool of the agent hung up; nobody spoke;
it was the longest; the server stopped; something of ours broke."""
UtteranceKind = Literal["answer", "filler", "greeting", "announcement", "apology", "aside"]
"""What a message of the agent's is for; an ``aside`` is the answer to a private request."""


@dataclass(frozen=True, slots=True)
class SessionStarted:
    """caller: whose call it is; empty when nobody knows."""

    at: float
    session_id: str
    persona: str
    caller: str = ""


@dataclass(frozen=True, slots=True)
class SessionEnded:
    """The call is over. items: its conversation, as it was then."""

    at: float
    reason: EndReason
    items: tuple[Item, ...] = field(default=(), repr=False)


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
class AudioCommitted:
    """The client ended the user's turn itself (push to talk). duration_ms: of its audio."""

    at: float
    item_id: str
    duration_ms: int


@dataclass(frozen=True, slots=True)
class KeyPressed:
    """The user pressed a key of their telephone: 0-9, *, #, A-D."""

    at: float
    key: str


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
class ItemRemoved:
    """The client deleted an item of the conversation."""

    at: float
    item_id: str


@dataclass(frozen=True, slots=True)
class ContextAdded:
    """What plugins found for a user's turn joined the conversation before it, for the Thinker
    alone: no client is told of it, and no transcript keeps it."""

    at: float
    item: Message


@dataclass(frozen=True, slots=True)
class ReplyStarted:
    """A reply that counts begins: the turn it answers is certainly over."""

    at: float
    reply_id: str


@dataclass(frozen=True, slots=True)
class UtteranceStarted:
    """The agent begins to voice one message, or to write an ``aside``. Neither that nor a
    ``filler`` ever joins the conversation."""

    at: float
    reply_id: str
    utterance: str
    kind: UtteranceKind


@dataclass(frozen=True, slots=True)
class SpokenText:
    """Text on its way to the Talker, or of an aside to the client, after all filters."""

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
    """The agent calls a tool, with the arguments that the Thinker gave. Whether there is such a
    tool, they fit, and it may run is seen then; the client learns of one of its own when it may.
    A ToolFinished follows, but for a result that the client never sends."""

    at: float
    reply_id: str
    call_id: str
    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ToolWaiting:
    """A tool call waits for a yes or a no of the user's: before it runs (and the client is told
    of one of its own), or as it asks while it runs. ``question`` is what they are asked."""

    at: float
    call_id: str
    question: str


@dataclass(frozen=True, slots=True)
class ToolAnswered:
    """What a tool call waited for has come: a yes, where agreed; else a no, or nothing."""

    at: float
    call_id: str
    agreed: bool


@dataclass(frozen=True, slots=True)
class ToolProgress:
    """A tool tells how far it is, in words for the screen."""

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
    """A reply was heard to its end, or interrupted."""

    at: float
    reply_id: str
    interrupted: bool


@dataclass(frozen=True, slots=True)
class Waterfall:
    """Where one turn's time went: milliseconds since the end of the user's speech.

    Keys, in order, each absent when it did not happen: ``end_of_turn``,
    ``transcript``, ``context`` (what plugins found is known), ``first_thought``,
    ``tool_decided``, ``tool_done``, ``first_text``, ``first_frame``,
    ``on_the_wire`` (first audio of any kind), ``answer_on_the_wire`` (first audio that is not
    a filler).
    """

    at: float
    reply_id: str
    marks: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class TokensUsed:
    """What one run of the Thinker for a reply came to, where its engine counts; a draft that was
    discarded is not told. cached_tokens: those of the prompt that were not computed again."""

    at: float
    reply_id: str
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int


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
        """What happened, told twice: for callers, and for those who run the agent."""
        return cls(at, source, public(error), detail(error))


Event = (
    SessionStarted
    | SessionEnded
    | ActivityChanged
    | PersonaChanged
    | SpeechStarted
    | SpeechStopped
    | AudioCommitted
    | KeyPressed
    | UserTranscript
    | BackchannelIgnored
    | ItemAdded
    | ItemRemoved
    | ContextAdded
    | ReplyStarted
    | UtteranceStarted
    | SpokenText
    | PlaybackStarted
    | UtteranceFinished
    | ToolStarted
    | ToolWaiting
    | ToolAnswered
    | ToolProgress
    | ToolFinished
    | PanelShown
    | Interrupted
    | ReplyFinished
    | Waterfall
    | TokensUsed
    | ErrorOccurred
)
"""What observers, pages, records and tests are told."""
