"""What a client asks of its call, whatever line it comes over: the union ``Command``."""

from __future__ import annotations

from dataclasses import dataclass

from omni_agent.conversation import Item
from omni_agent.wishes import NO_WISHES, Wishes


@dataclass(frozen=True, slots=True)
class Configure:
    """From the user's next turn on, these wishes are laid over the ones before."""

    wishes: Wishes


@dataclass(frozen=True, slots=True)
class ChoosePersona:
    """The user picked another persona; it takes effect with the next turn.

    wishes: laid over the ones before, as it takes effect.
    """

    name: str
    wishes: Wishes = NO_WISHES


@dataclass(frozen=True, slots=True)
class AddItem:
    """An item joins the conversation: what the user typed, or what came of a client's tool.

    What is typed gets the camera's picture, where the Thinker sees and it has none.
    """

    item: Item


@dataclass(frozen=True, slots=True)
class DeleteItem:
    """An item is gone from the conversation."""

    item_id: str


@dataclass(frozen=True, slots=True)
class Truncate:
    """The client says how much of an utterance was heard. audio_end_ms: from its start.

    One that is being spoken is interrupted.
    """

    item_id: str
    audio_end_ms: int


@dataclass(frozen=True, slots=True)
class ReplyRequest:
    """The client asks for a reply now (for example after giving a tool's result).

    wishes: for this reply alone; how turns end and are answered is the call's. items: what it
    answers, instead of the conversation. private: it joins no conversation, and is told with its
    id only.
    """

    wishes: Wishes = NO_WISHES
    items: tuple[Item, ...] | None = None
    private: bool = False


@dataclass(frozen=True, slots=True)
class Interrupt:
    """The user asked the agent to stop speaking."""


@dataclass(frozen=True, slots=True)
class CommitAudio:
    """Push to talk was released: what was said since it was pressed is a turn.

    Where turns end by themselves it means nothing.
    """


@dataclass(frozen=True, slots=True)
class ClearAudio:
    """What was said and not committed is forgotten."""


@dataclass(frozen=True, slots=True)
class Digit:
    """A key of a telephone: 0-9, *, #, A-D (RFC 4733, section 3.2)."""

    key: str


Command = (
    Configure
    | ChoosePersona
    | AddItem
    | DeleteItem
    | Truncate
    | ReplyRequest
    | Interrupt
    | CommitAudio
    | ClearAudio
    | Digit
)
"""What a transport's ``commands`` yields."""
