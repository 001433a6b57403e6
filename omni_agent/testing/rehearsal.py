"""A whole call on scripted parts: say something, see what the agent says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

from omni_agent import events
from omni_agent.agent import Agent
from omni_agent.call.dressing import Wardrobe
from omni_agent.call.request import CallRequest
from omni_agent.call.session import Session
from omni_agent.commands import AddItem, ReplyRequest
from omni_agent.conversation import Item, Message, user
from omni_agent.errors import OmniAgentError, UnknownPersonaError
from omni_agent.lines.in_process import InProcessTransport
from omni_agent.persona import BY_WORDS, Persona
from omni_agent.personas.outfit import Outfit
from omni_agent.stages import Stages
from omni_agent.talker import Talker
from omni_agent.testing.doubles import (
    ScriptedEars,
    ScriptedTalker,
    ScriptedThinker,
    ScriptedTurnEnd,
)
from omni_agent.text import TextFilter
from omni_agent.thinker import Thinker
from omni_agent.tools.tool import Tool
from omni_agent.transport import Transport
from omni_agent.turn_taking import TurnEnd
from omni_agent.wishes import NO_WISHES, Wishes

E = TypeVar("E", bound=events.Event)

PATIENCE_S = 120.0
"""Virtual seconds after which something that was expected is missing."""
UNDECIDED = 0.5
"""What a scripted end of turn says where none is given: the words decide."""


class FixedWardrobe:
    """Outfits by name that never change by themselves; assign to ``outfits`` to change one."""

    def __init__(self, *outfits: Outfit) -> None:
        self.outfits = {outfit.persona.name: outfit for outfit in outfits}
        self._default = outfits[0].persona.name

    def outfit(self, persona: str | None) -> Outfit:
        try:
            return self.outfits[persona or self._default]
        except KeyError:
            reason = f"there is no persona {persona!r}"
            raise UnknownPersonaError(str(persona), reason, [*self.outfits]) from None

    def problems(self) -> Sequence[OmniAgentError]:
        return ()


class Rehearsal:
    """The user's side of a rehearsed call."""

    def __init__(self, session: Session, line: InProcessTransport, ears: ScriptedEars) -> None:
        self.session, self.line, self.ears = session, line, ears
        self._read = 0

    @property
    def now(self) -> float:
        return asyncio.get_running_loop().time()

    async def user(self, text: str, *, then_silence_ms: int = 800) -> None:
        """The user says this, aloud, and is silent for a while."""
        await self.line.speak(self.ears.say(text), then_silence_ms=then_silence_ms)

    def types(self, text: str) -> None:
        """The user types this and wants a reply."""
        self.line.put(AddItem(user(text)))
        self.line.put(ReplyRequest())

    async def until(self, kind: type[E], where: Callable[[E], bool] = lambda event: True) -> E:
        """The next event of this kind not looked at yet; AssertionError when none comes."""
        deadline = self.now + PATIENCE_S
        while True:
            while self._read < len(self.line.events):
                event = self.line.events[self._read]
                self._read += 1
                if isinstance(event, kind) and where(event):
                    return event
            try:
                async with asyncio.timeout_at(deadline):
                    await self.line.happened()
            except TimeoutError:
                seen = [type(event).__name__ for event in self.line.events]
                raise AssertionError(f"no {kind.__name__} came; events: {seen}") from None

    async def agent(self) -> str:
        """What of the agent's next message (fillers aside) the user hears."""
        said = await self.until(events.UtteranceFinished, lambda e: not self._is_filler(e))
        return said.heard

    def _is_filler(self, finished: events.UtteranceFinished) -> bool:
        return any(
            isinstance(event, events.UtteranceStarted)
            and event.utterance == finished.utterance
            and event.kind == "filler"
            for event in self.line.events
        )

    def seen(self, kind: type[E]) -> list[E]:
        """All events of a kind so far."""
        return [event for event in self.line.events if isinstance(event, kind)]

    @property
    def transcript(self) -> list[tuple[str, str]]:
        """(role, text) of the conversation's messages."""
        return [
            (item.role, item.text)
            for item in self.session.conversation
            if isinstance(item, Message)
        ]


def _outfit(persona: Any, tools: Sequence[Tool], filters: Sequence[TextFilter]) -> Outfit:
    return Outfit(persona, {tool.name: tool for tool in tools}, tuple(filters))


@asynccontextmanager
async def rehearse(
    thinker: Thinker | None = None,
    *,
    talker: Talker | None = None,
    ears: ScriptedEars | None = None,
    turn_ends: Mapping[str, TurnEnd] | None = None,
    persona: Persona | Path | str | None = None,
    personas: Sequence[str | Path | Persona] | None = None,
    plugins: Iterable[Any] = (),
    tools: Sequence[Tool] = (),
    filters: Sequence[TextFilter] = (),
    wardrobe: Wardrobe | None = None,
    caller: str = "",
    idle_s: float = 900.0,
    max_call_s: float | None = None,
    wishes: Wishes = NO_WISHES,
    history: Sequence[Item] = (),
) -> AsyncGenerator[Rehearsal, None]:
    """A call with scripted parts wherever none is given; hung up at the end.

    persona, personas: as for :class:`omni_agent.Agent`. A name or a path, ``personas`` or any
    ``plugins`` make it an agent's call, with what the persona names: of these plugins
    and the installed ones, all of which know that an agent starts and stops; a mere Persona has
    ``tools`` and ``filters`` alone. Raises OmniAgentError as Agent does.
    """
    ears = ears or ScriptedEars()
    line = InProcessTransport()
    persona = persona or Persona(name="test", fillers=())
    plugins, ends = tuple(plugins), dict(turn_ends or {})
    stages = Stages(thinker or ScriptedThinker(), talker or ScriptedTalker(), ears, ends)
    begin: Callable[..., Session]
    async with AsyncExitStack() as closing:
        as_agent = personas is not None or plugins or not isinstance(persona, Persona)
        if wardrobe is None and as_agent:
            agent = Agent(persona, personas=personas, tools=tools, plugins=plugins, stages=stages)
            for end in {known.turn.end for known in agent.wardrobe.known()} - {BY_WORDS}:
                ends.setdefault(end, ScriptedTurnEnd(UNDECIDED))
            begin = (await closing.enter_async_context(agent)).session
        else:
            worn = wardrobe or FixedWardrobe(_outfit(persona, tools, filters))
            begin = partial(Session, stages, wardrobe=worn)
        request = CallRequest(
            caller=caller, wishes=wishes, history=history, idle_s=idle_s, max_call_s=max_call_s
        )
        session = begin(cast("Transport", line), request=request)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(session.run())
            yield Rehearsal(session, line, ears)
            line.hang_up()
