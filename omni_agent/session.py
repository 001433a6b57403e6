"""The agent loop: one call, its life and its line.

One TaskGroup; one task for what comes over the line, one for what was heard
(``Attention``); at most one reply at a time (``Replies``). Stages never know of each
other, and everything observable is an event.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from typing import Any, Protocol, TypeVar

from omni_agent import events
from omni_agent.attention import Attention
from omni_agent.audio import AudioFrame
from omni_agent.call import Call, Outfit, Stages
from omni_agent.conversation import Conversation, Item, Message, Part, TextPart, new_id
from omni_agent.errors import OmniAgentError
from omni_agent.ledger import Ledger
from omni_agent.listening import Earshot, Listener
from omni_agent.replies import Replies
from omni_agent.transport import (
    ChoosePersona,
    Incoming,
    Interrupt,
    PlayoutFinished,
    PlayoutStarted,
    ReplyRequest,
    Transport,
    Truncate,
    UserText,
    VideoFrame,
)
from omni_agent.turns import TurnTiming

log = logging.getLogger(__name__)

T = TypeVar("T")
Observer = Callable[[str, events.Event], None]
GOODBYE_S = 6.0
"""A goodbye that takes longer than this is cut."""
# After these the idle user is waited for anew.
_SIGNS_OF_LIFE = (
    events.SpeechStarted,
    events.UserTranscript,
    events.ItemAdded,
    events.ReplyStarted,
    events.ReplyFinished,
)


class Wardrobe(Protocol):
    """Where outfits come from; looked at between turns, so it must be quick."""

    def outfit(self, persona: str | None) -> Outfit:
        """The outfit of a persona as its file is now (None: the default).

        The same object as long as nothing changed. Raises OmniAgentError when
        there is no such persona; a file that broke keeps its last good version.
        """
        ...

    def problems(self) -> Sequence[OmniAgentError]:
        """What went wrong with persona files since the last look."""
        ...

    def retrieve(self, session_id: str, user_text: str) -> str:
        """Text that plugins want the Thinker to read beside this turn."""
        ...


class _Over(Exception):
    """Ends the session's TaskGroup."""


class Session:
    """One call, from the first event to the last.

    ``run`` returns when the user hangs up, says goodbye, is silent for
    ``idle_s`` seconds, or ``end`` is called. Cancelling it ends the call at
    once, with the reason ``shutdown``; what was heard by then is kept. call_id: its
    name everywhere; None makes one. caller: whose call it is, for tools; empty when
    nobody knows.
    """

    def __init__(
        self,
        stages: Stages,
        transport: Transport,
        wardrobe: Wardrobe,
        *,
        persona: str | None = None,
        call_id: str | None = None,
        caller: str = "",
        observers: Sequence[Observer] = (),
        idle_s: float = 900.0,
        max_call_s: float | None = None,
    ) -> None:
        self.id = call_id or new_id("call")
        self._wardrobe, self._persona = wardrobe, persona
        self._observers, self._idle_s = tuple(observers), idle_s
        self._max_call_s = max_call_s
        self._failing: set[tuple[int, type[events.Event]]] = set()
        outfit = wardrobe.outfit(persona)
        self._call = Call(
            session_id=self.id,
            caller=caller,
            stages=stages,
            transport=transport,
            conversation=Conversation(self._item_changed),
            ledger=Ledger(outfit.tools),
            outfit=outfit,
            emit=self.emit,
            spawn=self._spawn,
            retrieve=lambda text: wardrobe.retrieve(self.id, text),
        )
        self._replies = Replies(self._call, dress=self._dress, changed=self._refresh_activity)
        self._attention = Attention(self._call, self._replies, self._user_said_goodbye)
        self._tasks: asyncio.TaskGroup
        self._listener: Listener | None = None
        self._earshot = Earshot()
        self._activity: events.Activity = "listening"
        self._reason = "hangup"
        self._last_sign_of_life = 0.0

    @property
    def conversation(self) -> Conversation:
        return self._call.conversation

    @property
    def greets(self) -> bool:
        """True when the agent speaks first."""
        return bool(self._call.outfit.persona.greeting)

    # -- life ------------------------------------------------------------------------

    async def run(self) -> None:
        """The whole call."""
        self._last_sign_of_life = self._call.now()
        persona = self._call.outfit.persona
        self.emit(events.SessionStarted(self._call.now(), self.id, persona.name, self._call.caller))
        try:
            await self._converse()
        except BaseExceptionGroup:
            self.end("failed")
            raise
        finally:
            if (running := asyncio.current_task()) is not None and running.cancelling():
                self.end("shutdown")
            await self._close()

    async def _converse(self) -> None:
        greeting = self._call.outfit.persona.greeting
        try:
            async with asyncio.TaskGroup() as self._tasks:
                self._spawn(self._receive())
                self._spawn(self._watch_idleness())
                if self._max_call_s is not None:
                    self._spawn(self._watch_length(self._max_call_s))
                self._listen()
                if greeting:
                    self._replies.announce(greeting, "greeting")
                await self._call.over.wait()
                raise _Over
        except* _Over:
            pass

    def _listen(self) -> None:
        stages, language = self._call.stages, self._call.outfit.persona.language
        if stages.ears is not None:
            hears = stages.thinker.hears
            self._listener = Listener(
                stages.ears, self._timing(), language, self._listening, tell_audio=hears
            )
            self._listening(self._hear(self._listener))
            self._spawn(self._attend(self._listener))

    def _spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """A task of this call; when the call is ending already, whoever asks ends with it."""
        try:
            return self._tasks.create_task(work)
        except RuntimeError:
            work.close()
            raise asyncio.CancelledError from None

    def _listening(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        return self._call.perform(work, "listening")

    async def _close(self) -> None:
        """Take each step, whatever the ones before raise: ears and lines are others' code."""
        async with AsyncExitStack() as closing:  # in reverse order
            closing.push_async_callback(self._call.transport.aclose)
            closing.callback(self._tell_ended)
            if self._listener is not None:
                closing.push_async_callback(self._listener.aclose)
            closing.push_async_callback(self._replies.interrupt)
            await asyncio.gather(self._call.stage_work.aclose(), self._call.scope.aclose())

    def _tell_ended(self) -> None:
        self.emit(events.SessionEnded(self._call.now(), self._reason))

    def end(self, reason: str) -> None:
        """End the call now; ``reason`` goes into SessionEnded."""
        if not self._call.over.is_set():
            self._reason = reason
            self._call.over.set()

    async def say_goodbye(self, reason: str) -> None:
        """Say the persona's goodbye, let it be heard, and end the call."""
        await self._replies.interrupt()
        words = self._call.outfit.persona.goodbye
        if words:
            spoken = self._replies.conclude(words)
            await asyncio.wait([spoken], timeout=GOODBYE_S)
        self.end(reason)

    def _user_said_goodbye(self) -> None:
        self._spawn(self.say_goodbye("goodbye"))

    async def _watch_idleness(self) -> None:
        while True:
            left = self._last_sign_of_life + self._idle_s - self._call.now()
            if left <= 0:
                return await self.say_goodbye("idle")
            await asyncio.sleep(left)

    async def _watch_length(self, max_call_s: float) -> None:
        await asyncio.sleep(max_call_s)
        await self.say_goodbye("time")

    # -- events ------------------------------------------------------------------------

    def emit(self, event: events.Event) -> None:
        """Tell the client and every observer; an observer's failure stays its own."""
        if isinstance(event, _SIGNS_OF_LIFE):
            self._last_sign_of_life = event.at
        self._call.transport.notify(event)
        for place, observer in enumerate(self._observers):
            try:
                observer(self.id, event)
            except Exception:
                if (place, type(event)) not in self._failing:  # it may fail on every one of them
                    self._failing.add((place, type(event)))
                    log.exception("an observer failed on %s", type(event).__name__)

    def _item_changed(self, item: Item) -> None:
        self.emit(events.ItemAdded(self._call.now(), item))

    def _refresh_activity(self) -> None:
        activity: events.Activity = "listening"
        if self._call.turn is not None:
            activity = "hearing"
        elif self._replies.current is not None:
            activity = "speaking" if self._replies.current.audible else "thinking"
        if activity != self._activity:
            self._activity = activity
            self.emit(events.ActivityChanged(self._call.now(), activity))

    # -- what comes over the line ----------------------------------------------------------

    async def _receive(self) -> None:
        async for incoming in self._call.transport.frames():
            if not isinstance(incoming, AudioFrame):
                await self._obey(incoming)
            elif self._listener is not None:
                self._earshot.put(incoming)
        self.end("hangup")

    async def _hear(self, listener: Listener) -> None:
        """Apart from ``_receive``, so that what is typed or pressed never waits for ears."""
        while True:
            await listener.push(await self._earshot.get())

    async def _obey(self, incoming: Incoming) -> None:
        match incoming:
            case PlayoutStarted() | PlayoutFinished():
                self._replies.playout(incoming)
            case VideoFrame():
                self._call.picture = incoming
            case UserText():
                parts: tuple[Part, ...] = (TextPart(incoming.text), *self._call.pictures())
                message = Message("user", parts, incoming.item_id or new_id("item"))
                self.conversation.add(message)
            case ReplyRequest():
                await self._attention.answer_typed()
            case Interrupt():
                await self._replies.interrupt()
                self._replies.rest()
            case Truncate():
                self._replies.truncate(incoming)
            case ChoosePersona():
                self._choose_persona(incoming.name)
            case _:
                pass
        self._refresh_activity()

    async def _attend(self, listener: Listener) -> None:
        async for heard in listener.events():
            await self._attention.consider(heard)
            self._refresh_activity()

    # -- persona -----------------------------------------------------------------------------------

    def _timing(self) -> TurnTiming:
        return TurnTiming(patience_ms=self._call.outfit.persona.turn.patience_ms)

    def _choose_persona(self, name: str) -> None:
        try:
            self._wardrobe.outfit(name)
        except OmniAgentError as error:
            self._call.report("persona", error)
            return
        self._persona = name
        self._replies.rest()

    def _dress(self) -> None:
        """Take up the persona as its file is now, between turns; one that is gone is worn on."""
        try:
            outfit = self._wardrobe.outfit(self._persona)
        except OmniAgentError as error:
            self._call.report("persona", error)
            return
        for problem in self._wardrobe.problems():
            self._call.report("persona", problem)
        if outfit is self._call.outfit:
            return
        self._call.outfit = outfit
        self._call.ledger.use(outfit.tools)
        if self._listener is not None:
            self._listener.retime(self._timing(), outfit.persona.language)
        self.emit(events.PersonaChanged(self._call.now(), outfit.persona.name))
