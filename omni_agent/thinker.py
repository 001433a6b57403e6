"""The Thinker contract: a conversation in, a stream of thoughts out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

from omni_agent.conversation import Item

ToolChoice = Literal["auto", "required"]


@dataclass(frozen=True, slots=True)
class ToolSchema:
    """What a Thinker is told of a tool. ``parameters`` is a JSON schema of type object.

    examples: (what a user says, the arguments to call with): demonstrations for
    small models; others ignore them.
    """

    name: str
    description: str
    parameters: Mapping[str, Any]
    examples: tuple[tuple[str, Mapping[str, Any]], ...] = ()


@dataclass(frozen=True, slots=True)
class Sampling:
    """temperature 0 is greedy; max_tokens bounds one reply."""

    temperature: float = 0.7
    top_p: float = 0.95
    max_tokens: int = 200
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class ThinkRequest:
    """Everything a Thinker may know of one reply.

    instructions: the Thinker prompt. items: the conversation so far, the user's
    turn last (or a tool's result). tools: empty forbids tool calls.
    tool_choice: "required" asks for at least one tool call instead of speech; an
    engine that can, guides its decoding to it. Without tools it has no effect.
    speaker: the voice's name, for an engine whose answers are sound already.
    """

    instructions: str
    items: tuple[Item, ...]
    tools: tuple[ToolSchema, ...] = ()
    sampling: Sampling = field(default_factory=Sampling)
    tool_choice: ToolChoice = "auto"
    speaker: str | None = None


@dataclass(frozen=True, slots=True)
class TextDelta:
    """Text to be spoken."""

    text: str


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """Text the user must never hear."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolCallBegun:
    """A tool call is on its way; its arguments are still being generated."""

    name: str


@dataclass(frozen=True, slots=True)
class ToolCallRequest:
    """A complete tool call. ``arguments`` are as parsed: not validated yet."""

    call_id: str
    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class MalformedCall:
    """Output that began as a tool call and cannot be read as one. It fails closed."""

    raw: str
    reason: str


@dataclass(frozen=True, slots=True)
class Features:
    """A handle to hidden states that a Talker of the same engine can use.

    A Thinker yields it before the first TextDelta of that ``think``; the speech of
    that text gets it as ``Voice.features``. A handle is data: it may be used more
    than once, or dropped unused at any time (a draft that is discarded).
    """

    handle: Any


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts of one reply; cached tokens are prompt tokens not computed again."""

    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int


Thought = (
    TextDelta | ReasoningDelta | ToolCallBegun | ToolCallRequest | MalformedCall | Features | Usage
)
"""What a Thinker yields."""


@runtime_checkable
class WatchingThinker(Protocol):
    """A Thinker that sees, and understands clips, too."""

    @property
    def watches_s(self) -> float:
        """How much of what the camera showed last a user's turn brings, as a VideoPart; seconds."""
        ...


@runtime_checkable
class Thinker(Protocol):
    """Thinks of what to say. Closing the iterator of ``think`` stops the model."""

    @property
    def hears(self) -> bool:
        """True when audio parts are understood and no transcript is needed."""
        ...

    @property
    def sees(self) -> bool:
        """True when image parts are understood."""
        ...

    def think(self, request: ThinkRequest) -> AsyncIterator[Thought]:
        """One reply, piece by piece as it is thought. Raises EngineError when it cannot go on."""
        ...

    async def prepare(self, request: ThinkRequest) -> Features | None:
        """Prefill as much of the request as possible; called while the user still speaks.

        The last item is what was heard so far and will grow: words, or for a Thinker
        that hears an AudioPart without a transcript. Optional work: cheap to cancel,
        and a failure costs nothing but the time. The prepares of one call never overlap:
        while one runs only the newest of the later ones waits, and a reply that begins
        to think cancels them. Returns the features of what was read, for
        ``Talker.prepare``, or None.
        """
        ...

    async def aclose(self) -> None:
        """Give the model up; what is being thought ends."""
        ...
