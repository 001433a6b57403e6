"""What the parts of one call share: the stages, the line, the conversation, the outfit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any, TypeVar

from omni_agent.call.counsel import NO_COUNSEL, Counsel
from omni_agent.call.sight import Sight
from omni_agent.conversation import Conversation, Item, Message, Part, TextPart, as_read
from omni_agent.events import ErrorOccurred, Event
from omni_agent.hearing.account import Spawn
from omni_agent.hearing.heard import UserTurn
from omni_agent.personas.outfit import Outfit
from omni_agent.runtime.scope import Scope
from omni_agent.stages import Stages
from omni_agent.thinker import ThinkRequest
from omni_agent.tools.context import After
from omni_agent.tools.ledger import Ledger
from omni_agent.transport import Transport

T = TypeVar("T")


@dataclass(slots=True)
class Call:
    """One call's shared state. ``outfit`` changes between turns only.

    caller: whose call it is; empty when nobody knows. spawn: makes a task that ends with the
    call. scope: tasks of tools, which may refuse to end; stage_work: those of stages. counsel:
    asked beside a user's turn and before a tool call. hand_over: has another persona answer from
    the next turn on; raises OmniAgentError when there is none of that name. leave: ends the call.
    over: set when the call is to end. turn: what the user is saying; None while they are silent.
    awaited: turns that are over and whose words are not known yet. sight: what the camera shows.
    """

    session_id: str
    stages: Stages
    transport: Transport
    conversation: Conversation
    ledger: Ledger
    outfit: Outfit
    emit: Callable[[Event], None]
    spawn: Spawn
    counsel: Counsel = NO_COUNSEL
    hand_over: Callable[[str], None] = lambda persona: None
    leave: Callable[[After], None] = lambda after: None
    caller: str = ""
    scope: Scope = field(default_factory=Scope)
    stage_work: Scope = field(default_factory=Scope)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    turn: UserTurn | None = None
    awaited: set[UserTurn] = field(default_factory=set)
    sight: Sight = field(init=False)
    _fillers_said: dict[str, int] = field(default_factory=dict)
    _count: Iterator[int] = field(default_factory=count)

    def __post_init__(self) -> None:
        self.sight = Sight(self.stages.thinker)

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

    def is_farewell(self, text: str) -> bool:
        """Whether the user says goodbye with it, to a persona that knows of goodbyes."""
        outfit = self.outfit
        said = outfit.persona.goodbye and outfit.manners.is_farewell(text, self.conversation.told)
        return bool(said)

    def report(self, source: str, error: BaseException) -> None:
        """Tell the client and every observer that something failed and the call goes on."""
        self.emit(ErrorOccurred.of(self.now(), source, error))

    def next_filler(self) -> str:
        """The persona's filler that was not said for longest."""
        said = self._fillers_said
        filler = min(self.outfit.persona.fillers, key=lambda text: said.get(text, -1))
        said[filler] = next(self._count)
        return filler

    def pictures(self) -> tuple[Part, ...]:
        """What the camera shows, for a Thinker that sees."""
        return self.sight.parts(self.now())

    def as_seen(self, item: Item) -> Item:
        """What the user typed, with what the camera shows beside it."""
        if not isinstance(item, Message) or item.role != "user":
            return item
        if not all(isinstance(part, TextPart) for part in item.parts):
            return item
        return replace(item, parts=(*item.parts, *self.pictures()))

    def request(
        self,
        heard: Message | None = None,
        *,
        outfit: Outfit | None = None,
        found: Message | None = None,
        with_tools: bool = True,
        note: str = "",
    ) -> ThinkRequest:
        """What the Thinker is asked now.

        heard: the turn it answers, committed or not yet. outfit: the reply's own; None is the
        call's. found: what was found for that turn, committed with it. note: read after the
        instructions.
        """
        outfit = outfit or self.outfit
        items: tuple[Item, ...] = tuple(as_read(self.conversation.items))
        instructions = outfit.persona.thinker
        if heard is not None and self.conversation.get(heard.id) is None:
            items = (*items, heard) if found is None else (*items, found, heard)
        if note:
            instructions = f"{instructions}\n\n{note}"
        return ThinkRequest(
            instructions,
            items,
            outfit.schemas if with_tools else (),
            outfit.sampling,
            tool_choice=outfit.tool_choice,
            speaker=outfit.persona.voice,
        )


async def _failure_of(task: asyncio.Task[Any]) -> None:
    """Raises what the task raises; does not wait for it when cancelled itself."""
    await asyncio.wait([task])
    if not task.cancelled():
        task.result()
