"""What the parts of one call share: the stages, the line, the conversation, the outfit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Protocol, TypeVar, runtime_checkable

from omni_agent.conversation import Conversation, ImagePart, Item, Message, as_read
from omni_agent.ears import Ears
from omni_agent.events import ErrorOccurred, Event
from omni_agent.ledger import Ledger
from omni_agent.listening import Spawn, UserTurn
from omni_agent.persona import Persona
from omni_agent.scope import Scope
from omni_agent.talker import Talker, Voice
from omni_agent.text import TextFilter
from omni_agent.thinker import Sampling, Thinker, ThinkRequest, ToolSchema
from omni_agent.tools import Tool
from omni_agent.transport import Transport, VideoFrame

T = TypeVar("T")

PICTURE_AGE_S = 5.0
"""An older camera frame is not shown to the Thinker."""


@runtime_checkable
class Supervised(Protocol):
    """A stage whose models may have to be started again while it lives."""

    @property
    def trouble(self) -> str:
        """Why it does not work just now, on one line; empty when it does. It passes by itself."""
        ...


@dataclass(frozen=True, slots=True)
class Stages:
    """The models of a call. Without ears the agent can only be typed to."""

    thinker: Thinker
    talker: Talker
    ears: Ears | None = None

    @property
    def trouble(self) -> str:
        """What keeps some stage from working just now; empty when all of them do."""
        stages: tuple[object, ...] = (self.ears, self.thinker, self.talker)
        troubles = (stage.trouble for stage in stages if isinstance(stage, Supervised))
        return "; ".join(filter(None, troubles))

    async def aclose(self) -> None:
        """Stop the models, whatever some of them raise on the way."""
        closing = [self.thinker.aclose(), self.talker.aclose()]
        if self.ears is not None:
            closing.append(self.ears.aclose())
        await asyncio.gather(*closing, return_exceptions=True)


@dataclass(frozen=True, slots=True)
class Outfit:
    """A persona with the tools and filters its names stand for."""

    persona: Persona
    tools: Mapping[str, Tool]
    filters: tuple[TextFilter, ...]

    @property
    def schemas(self) -> tuple[ToolSchema, ...]:
        return tuple(tool.schema for tool in self.tools.values())

    @property
    def sampling(self) -> Sampling:
        options = self.persona.sampling
        return Sampling(options.temperature, options.top_p, options.max_tokens)

    @property
    def voice(self) -> Voice:
        persona = self.persona
        return Voice(
            prompt=persona.talker,
            speaker=persona.voice,
            language=persona.language,
            speed=persona.speech.speed,
            pause_ms=persona.speech.pause_ms,
        )


@dataclass(slots=True)
class Call:
    """One call's shared state. ``outfit`` changes between turns only.

    caller: whose call it is; empty when nobody knows. spawn: makes a task that ends with the
    call. scope: tasks of tools, which may refuse to end; stage_work: those of stages.
    retrieve: text that plugins want the Thinker to read beside a user's words. over: set when
    the call is to end. turn: what the user is saying; None while they are silent. awaited: turns
    that are over and whose words are not known yet. picture: the latest camera frame.
    """

    session_id: str
    stages: Stages
    transport: Transport
    conversation: Conversation
    ledger: Ledger
    outfit: Outfit
    emit: Callable[[Event], None]
    spawn: Spawn
    retrieve: Callable[[str], str]
    caller: str = ""
    scope: Scope = field(default_factory=Scope)
    stage_work: Scope = field(default_factory=Scope)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    turn: UserTurn | None = None
    awaited: set[UserTurn] = field(default_factory=set)
    picture: VideoFrame | None = None
    _fillers_said: dict[str, int] = field(default_factory=dict)
    _count: Iterator[int] = field(default_factory=count)

    @staticmethod
    def now() -> float:
        """The loop's time, seconds."""
        return asyncio.get_running_loop().time()

    @property
    def attending(self) -> bool:
        """True while the user speaks, or has just spoken: nobody else begins."""
        return self.turn is not None or bool(self.awaited)

    def perform(self, work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        """A task of ``stage_work``; what it raises ends the call."""
        task = self.stage_work.spawn(work, name)
        self.spawn(_failure_of(task))
        return task

    def report(self, source: str, error: BaseException) -> None:
        """Tell the client and every observer that something failed and the call goes on."""
        self.emit(ErrorOccurred.of(self.now(), source, error))

    def next_filler(self) -> str:
        """The persona's filler that was not said for longest."""
        said = self._fillers_said
        filler = min(self.outfit.persona.fillers, key=lambda text: said.get(text, -1))
        said[filler] = next(self._count)
        return filler

    def pictures(self) -> tuple[ImagePart, ...]:
        """The latest camera frame, for a Thinker that sees."""
        frame = self.picture
        if frame is None or not self.stages.thinker.sees:
            return ()
        fresh = self.now() - frame.at < PICTURE_AGE_S
        return (ImagePart(frame.jpeg, "image/jpeg"),) if fresh else ()

    def request(
        self, heard: Message | None = None, *, with_tools: bool = True, note: str = ""
    ) -> ThinkRequest:
        """What the Thinker is asked now.

        heard: the turn it answers, committed or not yet. note: read after the instructions.
        """
        items: tuple[Item, ...] = tuple(as_read(self.conversation.items))
        instructions = self.outfit.persona.thinker
        if heard is not None:
            if self.conversation.get(heard.id) is None:
                items = (*items, heard)
            if heard.text and (extra := self.retrieve(heard.text)):
                instructions = f"{instructions}\n\n{extra}"
        if note:
            instructions = f"{instructions}\n\n{note}"
        tools = self.outfit.schemas if with_tools else ()
        speaker = self.outfit.persona.voice
        return ThinkRequest(instructions, items, tools, self.outfit.sampling, speaker=speaker)


async def _failure_of(task: asyncio.Task[Any]) -> None:
    """Raises what the task raises; does not wait for it when cancelled itself."""
    await asyncio.wait([task])
    if not task.cancelled():
        task.result()
