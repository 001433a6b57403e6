"""The agent loop: one call, its life and its line.

One TaskGroup; one task for what comes over the line, one for what was heard
(``Attention``); at most one reply at a time (``Replies``). Stages never know of each
other, and everything observable is an event.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, aclosing
from typing import Any, TypeVar

from omni_agent import events
from omni_agent.call.attention import Attention
from omni_agent.call.counsel import NO_COUNSEL, Counsel
from omni_agent.call.dressing import Dressing, Wardrobe
from omni_agent.call.orders import Orders
from omni_agent.call.replies import Replies
from omni_agent.call.reply_requests import ReplyRequests
from omni_agent.call.request import CallRequest
from omni_agent.call.state import Call
from omni_agent.conversation import Conversation, Item, Message
from omni_agent.hearing.account import Account
from omni_agent.hearing.listener import Listener
from omni_agent.hearing.policy import TurnPolicy
from omni_agent.hearing.push_to_talk import PushToTalk
from omni_agent.hearing.turns import TurnTiming
from omni_agent.stages import Stages
from omni_agent.streams import closing, heeding
from omni_agent.tools.context import After
from omni_agent.tools.ledger import Ledger
from omni_agent.transport import Transport

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


class _Over(Exception):
    """Ends the session's TaskGroup."""


class Session:
    """One call, from the first event to the last.

    ``run`` returns when the user hangs up, says goodbye, is silent for too long, or ``end`` is
    called. Cancelling it ends the call at once, with the reason ``shutdown``; what was heard by
    then is kept. request: None is the default persona's call. counsel: asked beside every turn
    and before every tool call. observers: told of every event.

    Raises OmniAgentError for a persona that there is none of, or that the wishes do not go with.
    """

    def __init__(
        self,
        stages: Stages,
        transport: Transport,
        wardrobe: Wardrobe,
        request: CallRequest | None = None,
        *,
        counsel: Counsel = NO_COUNSEL,
        observers: Sequence[Observer] = (),
    ) -> None:
        self._request = request = request or CallRequest()
        self.id, self._observers = request.session_id, tuple(observers)
        self._failing: set[tuple[int, type[events.Event]]] = set()
        outfit = wardrobe.outfit(request.persona).wishing(request.wishes)
        self._call = Call(
            session_id=self.id,
            caller=request.caller,
            stages=stages,
            transport=transport,
            conversation=Conversation(self._item_changed, request.history),
            ledger=Ledger(),
            outfit=outfit,
            emit=self.emit,
            spawn=self._spawn,
            hand_over=lambda name: self._dressing.choose(name),
            leave=self._leave,
            counsel=counsel,
        )
        self._account = Account(self._listening)
        self._push_to_talk = PushToTalk(stages.ears, self._account)
        self._manual = outfit.manual
        self._dressing = dressing = Dressing(
            self._call, wardrobe, request.persona, request.wishes, self._retime
        )
        self._replies = Replies(self._call, dress=dressing.refresh, changed=self._refresh_activity)
        goodbye = self._user_said_goodbye
        requests = ReplyRequests(self._call, self._replies, goodbye)
        self._attention = Attention(self._call, self._replies, requests, goodbye)
        self._tasks: asyncio.TaskGroup
        self._orders = Orders(
            self._call, self._replies, self._attention, requests, dressing, self._push_to_talk
        )
        self._listener: Listener | None = None
        self._activity: events.Activity = "listening"
        self._reason: events.EndReason = "hangup"
        self._ended = False
        self._last_sign_of_life = 0.0

    @property
    def conversation(self) -> Conversation:
        return self._call.conversation

    @property
    def greets(self) -> bool:
        """True when the agent speaks first: not in a call that goes on from another."""
        return bool(self._call.outfit.persona.greeting) and not self._request.history

    # -- life ------------------------------------------------------------------------

    async def run(self) -> None:
        """The whole call."""
        self._last_sign_of_life = self._call.now()
        persona = self._call.outfit.persona
        self.emit(events.SessionStarted(self._call.now(), self.id, persona.name, self._call.caller))
        try:
            for lost in self._call.ledger.recall(self.conversation, self._call.outfit.tools):
                self.conversation.add(lost)
            await self._converse()
        except BaseExceptionGroup:
            self.end("failed")
            raise
        finally:
            if (running := asyncio.current_task()) is not None and running.cancelling():
                self.end("shutdown")
            await self._close()

    async def _converse(self) -> None:
        greeting = self._call.outfit.persona.greeting if self.greets else ""
        try:
            async with asyncio.TaskGroup() as self._tasks:
                for stream in (self._receive, self._see, self._follow_playback):
                    self._listening(stream())
                self._spawn(self._attend())
                self._spawn(self._watch_idleness())
                if self._request.max_call_s is not None:
                    self._spawn(self._watch_length(self._request.max_call_s))
                self._listen()
                self._listening(self._hear())
                if greeting:
                    self._replies.announce(greeting, "greeting")
                else:
                    self._replies.rest()
                await self._call.over.wait()
                raise _Over
        except* _Over:
            pass

    def _listen(self) -> None:
        stages = self._call.stages
        if stages.ears is not None:
            hears = stages.thinker.hears
            self._listener = Listener(
                stages.ears,
                self._policy(),
                self._account,
                tell_audio=hears,
                items=lambda: self.conversation.items,
            )

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
        async with AsyncExitStack() as steps:  # in reverse order
            steps.push_async_callback(self._call.transport.aclose)
            steps.callback(self._tell_ended)
            if self._listener is not None:
                steps.push_async_callback(self._listener.aclose)
            steps.push_async_callback(self._replies.interrupt)
            await asyncio.gather(self._call.stage_work.aclose(), self._call.scope.aclose())

    def _tell_ended(self) -> None:
        items = tuple(self.conversation.items)
        self.emit(events.SessionEnded(self._call.now(), self._reason, items))

    def end(self, reason: events.EndReason) -> None:
        """End the call now; ``reason`` goes into SessionEnded."""
        if not self._call.over.is_set():
            self._reason = reason
            self._call.over.set()

    async def say_goodbye(self, reason: events.EndReason) -> None:
        """Say the persona's goodbye, let it be heard, and end the call."""
        spoken = await self._replies.conclude(self._call.outfit.persona.goodbye or "")
        if spoken is not None:
            await asyncio.wait([spoken], timeout=GOODBYE_S)
        self.end(reason)

    def _leave(self, after: After) -> None:
        """The agent ends the call."""
        if after == "goodbye":
            self._spawn(self.say_goodbye("agent"))
        else:
            self.end("agent")

    def _user_said_goodbye(self) -> None:
        self._spawn(self.say_goodbye("goodbye"))

    async def _watch_idleness(self) -> None:
        while True:
            left = self._last_sign_of_life + self._request.idle_s - self._call.now()
            if left <= 0:
                return await self.say_goodbye("idle")
            await asyncio.sleep(left)

    async def _watch_length(self, max_call_s: float) -> None:
        await asyncio.sleep(max_call_s)
        await self.say_goodbye("time")

    # -- events ------------------------------------------------------------------------

    def emit(self, event: events.Event) -> None:
        """Tell the client and every observer; an observer's failure stays its own.

        Nothing is told after the end: a tool's thread may still be at work.
        """
        if self._ended:
            return
        self._ended = isinstance(event, events.SessionEnded)
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
        if isinstance(item, Message) and item.retrieved:
            self.emit(events.ContextAdded(self._call.now(), item))
        else:
            self.emit(events.ItemAdded(self._call.now(), item))

    def _refresh_activity(self) -> None:
        activity: events.Activity = "listening"
        if self._call.turn is not None:
            activity = "hearing"
        elif (speaker := self._replies.current) is not None:
            waits = self._replies.questions.stands
            activity = "speaking" if speaker.audible else "listening" if waits else "thinking"
        if activity != self._activity:
            self._activity = activity
            self.emit(events.ActivityChanged(self._call.now(), activity))

    # -- what comes over the line ----------------------------------------------------------

    async def _receive(self) -> None:
        async with aclosing(heeding(self._call.transport.commands())) as commands:
            async for command in commands:
                await self._orders.obey(command)
                self._refresh_activity()
        self.end("hangup")

    async def _hear(self) -> None:
        async with aclosing(heeding(self._call.transport.audio())) as frames:
            async for frame in frames:
                if self._call.outfit.manual:
                    self._push_to_talk.push(frame)
                elif self._listener is not None:
                    await self._listener.push(frame)

    async def _see(self) -> None:
        async with aclosing(heeding(self._call.transport.video())) as pictures:
            async for picture in pictures:
                self._call.sight.take(picture)

    async def _follow_playback(self) -> None:
        async with aclosing(heeding(self._call.transport.playback())) as playback:
            async for news in playback:
                self._replies.playout(news)
                self._refresh_activity()

    async def _attend(self) -> None:
        async with closing(self._account.events()) as everything:
            async for heard in everything:
                await self._attention.consider(heard)
                self._refresh_activity()

    def _policy(self) -> TurnPolicy:
        outfit = self._call.outfit
        timing = TurnTiming(patience_ms=outfit.persona.turn.patience_ms)
        end = self._call.stages.turn_ends.get(outfit.persona.turn.end)
        return TurnPolicy(timing, outfit.persona.language, outfit.manners, end)

    def _retime(self) -> None:
        if self._call.outfit.manual is not self._manual:
            self._manual = self._call.outfit.manual
            self._push_to_talk.clear()
        if self._listener is not None:
            self._listener.follow(self._policy())
