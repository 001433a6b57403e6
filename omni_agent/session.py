"""The agent loop: the only orchestrator of a call.

One TaskGroup; one task for what comes over the line, one for what was heard; at
most one reply at a time. Stages never know of each other, and everything
observable is an event.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, Protocol, TypeVar

from omni_agent import events
from omni_agent.audio import AudioFrame
from omni_agent.call import Call, Outfit, Stages
from omni_agent.conversation import (
    AudioPart,
    Conversation,
    ImagePart,
    Item,
    Message,
    Part,
    TextPart,
    ToolResult,
    new_id,
)
from omni_agent.ears import Transcript
from omni_agent.errors import OmniAgentError
from omni_agent.ledger import Ledger, Outcome
from omni_agent.listening import (
    EndOfTurn,
    HeardEvent,
    HearingFailed,
    LikelyOver,
    Listener,
    SpokeLong,
    TurnBegan,
    TurnOver,
    UserTurn,
    WentOn,
    WordsSoFar,
)
from omni_agent.reply import APOLOGY, Kind, Reply
from omni_agent.thinker import ToolCallRequest
from omni_agent.tool_context import LiveContext
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
from omni_agent.turns import TurnTiming, is_backchannel, is_echo, is_farewell, is_unfinished

log = logging.getLogger(__name__)

T = TypeVar("T")
Work = Callable[[], Coroutine[Any, Any, None]]
Observer = Callable[[str, events.Event], None]
PICTURE_AGE_S = 5.0
"""An older camera frame is not shown to the Thinker."""
GOODBYE_S = 6.0
"""A goodbye that takes longer than this is cut."""


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


class _Draft:
    """A reply to a turn that is only probably over."""

    def __init__(self, turn: UserTurn, reply: Reply, task: asyncio.Task[None]) -> None:
        self.turn, self.reply, self.task = turn, reply, task

    async def discard(self) -> None:
        self.task.cancel()
        await asyncio.wait([self.task])


class Session:
    """One call, from the first event to the last.

    ``run`` returns when the user hangs up, says goodbye, is silent for
    ``idle_s`` seconds, or ``end`` is called. Cancelling it ends the call at
    once; what was heard by then is kept.
    """

    def __init__(
        self,
        stages: Stages,
        transport: Transport,
        wardrobe: Wardrobe,
        *,
        persona: str | None = None,
        observers: Sequence[Observer] = (),
        idle_s: float = 900.0,
    ) -> None:
        self.id = new_id("sess")
        self._wardrobe, self._persona = wardrobe, persona
        self._observers, self._idle_s = tuple(observers), idle_s
        outfit = wardrobe.outfit(persona)
        self._call = Call(
            session_id=self.id,
            stages=stages,
            transport=transport,
            conversation=Conversation(self._item_changed),
            ledger=Ledger(outfit.tools),
            outfit=outfit,
            emit=self.emit,
            retrieve=lambda text: wardrobe.retrieve(self.id, text),
        )
        self._tasks: asyncio.TaskGroup
        self._listener: Listener | None = None
        self._turn: UserTurn | None = None
        self._over_the_agent: UserTurn | None = None
        self._ignored: UserTurn | None = None
        self._draft: _Draft | None = None
        self._reply: Reply | None = None
        self._reply_task: asyncio.Task[None] | None = None
        self._recent: deque[Reply] = deque(maxlen=4)
        self._interrupting = asyncio.Lock()
        self._tool_tasks: dict[str, asyncio.Task[Outcome]] = {}
        self._announcements: deque[tuple[str, Kind]] = deque()
        self._owes_reply = False
        self._picture: VideoFrame | None = None
        self._tool_state: dict[str, Any] = {}
        self._activity: events.Activity = "listening"
        self._over = asyncio.Event()
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
        self._alive()
        persona = self._call.outfit.persona
        self.emit(events.SessionStarted(self._now(), self.id, persona.name))
        try:
            async with asyncio.TaskGroup() as self._tasks:
                self._spawn(self._receive())
                self._spawn(self._watch_idleness())
                if self._call.stages.ears is not None:
                    self._listener = Listener(
                        self._call.stages.ears, self._timing(), persona.language, self._spawn
                    )
                    self._spawn(self._attend(self._listener))
                if persona.greeting:
                    self._announce(persona.greeting, "greeting")
                await self._over.wait()
                raise _Over
        except* _Over:
            pass
        finally:
            await self._close()

    def _spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """A task of this call; when the call is ending already, whoever asks ends with it."""
        try:
            return self._tasks.create_task(work)
        except RuntimeError:
            work.close()
            raise asyncio.CancelledError from None

    async def _close(self) -> None:
        await self._interrupt()
        if self._listener is not None:
            await self._listener.aclose()
        self.emit(events.SessionEnded(self._now(), self._reason))
        await self._call.transport.aclose()

    def end(self, reason: str) -> None:
        """End the call now; ``reason`` goes into SessionEnded."""
        if not self._over.is_set():
            self._reason = reason
            self._over.set()

    async def say_goodbye(self, reason: str) -> None:
        """Say the persona's goodbye, let it be heard, and end the call."""
        await self._interrupt()
        words = self._call.outfit.persona.goodbye
        if words:
            reply = self._new_reply(self._now())
            spoken = self._launch(reply, partial(reply.say, words, "announcement"))
            await asyncio.wait([spoken], timeout=GOODBYE_S)
        self.end(reason)

    async def _watch_idleness(self) -> None:
        while True:
            left = self._last_sign_of_life + self._idle_s - self._now()
            if left <= 0:
                return await self.say_goodbye("idle")
            await asyncio.sleep(left)

    def _alive(self) -> None:
        self._last_sign_of_life = self._now()

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    # -- events ------------------------------------------------------------------------

    def emit(self, event: events.Event) -> None:
        """Tell the client and every observer; an observer's failure stays its own."""
        self._call.transport.notify(event)
        for observer in self._observers:
            try:
                observer(self.id, event)
            except Exception:
                log.exception("an observer failed on %s", type(event).__name__)

    def _item_changed(self, item: Item) -> None:
        self.emit(events.ItemAdded(self._now(), item))

    def _report(self, source: str, error: BaseException) -> None:
        message = str(error) if isinstance(error, OmniAgentError) else repr(error)
        self.emit(events.ErrorOccurred(self._now(), source, message))

    def _refresh_activity(self) -> None:
        activity: events.Activity = "listening"
        if self._turn is not None:
            activity = "hearing"
        elif self._reply is not None:
            activity = "speaking" if self._reply.audible else "thinking"
        if activity != self._activity:
            self._activity = activity
            self.emit(events.ActivityChanged(self._now(), activity))

    # -- what comes over the line ----------------------------------------------------------

    async def _receive(self) -> None:
        async for incoming in self._call.transport.frames():
            if not isinstance(incoming, AudioFrame):
                await self._obey(incoming)
            elif self._listener is not None:
                await self._listener.push(incoming)
        self.end("hangup")

    async def _obey(self, incoming: Incoming) -> None:
        match incoming:
            case PlayoutStarted():
                for reply in self._recent:
                    reply.playout_started(incoming.utterance, incoming.at)
            case PlayoutFinished():
                for reply in self._recent:
                    reply.playout_finished(incoming.utterance)
            case VideoFrame():
                self._picture = incoming
            case UserText():
                self._alive()
                parts: tuple[Part, ...] = (TextPart(incoming.text), *self._pictures())
                message = Message("user", parts, incoming.item_id or new_id("item"))
                self.conversation.add(message)
            case ReplyRequest():
                await self._interrupt()
                self._answer()
            case Interrupt():
                await self._interrupt()
                self._rest()
            case Truncate():
                self._truncate(incoming)
            case ChoosePersona():
                self._choose_persona(incoming.name)
            case _:
                pass
        self._refresh_activity()

    def _pictures(self) -> tuple[ImagePart, ...]:
        """The latest camera frame, for a Thinker that sees."""
        frame = self._picture
        if frame is None or not self._call.stages.thinker.sees:
            return ()
        return (
            (ImagePart(frame.jpeg, "image/jpeg"),) if self._now() - frame.at < PICTURE_AGE_S else ()
        )

    def _truncate(self, order: Truncate) -> None:
        for reply in self._recent:
            for utterance in reply.utterances:
                if utterance.id == order.item_id and utterance.settled:
                    heard = utterance.heard_text(order.audio_end_ms)
                    self.conversation.truncate(order.item_id, heard)

    # -- what was heard -----------------------------------------------------------------------

    async def _attend(self, listener: Listener) -> None:
        async for heard in listener.events():
            await self._consider(heard)
            self._refresh_activity()

    async def _consider(self, heard: HeardEvent) -> None:
        match heard:
            case TurnBegan(turn):
                await self._turn_began(turn)
            case SpokeLong(turn):
                if self._over_the_agent is turn:
                    await self._yield_to(turn)
            case WordsSoFar(turn, text):
                self.emit(events.UserTranscript(self._now(), turn.item_id, text, final=False))
                self._spawn(self._prepare(self._message(turn, Transcript(text))))
            case LikelyOver(turn, transcript):
                await self._likely_over(turn, transcript)
            case WentOn(turn):
                await self._discard_draft()
                self._ignored = None
            case EndOfTurn(turn):
                self._turn = None if self._turn is turn else self._turn
                self.emit(events.SpeechStopped(self._now(), turn.item_id, turn.ended_ms))
            case TurnOver(turn, transcript):
                await self._turn_over(turn, transcript)
            case HearingFailed(_, error):
                self._report("ears", error)

    async def _turn_began(self, turn: UserTurn) -> None:
        self._turn = turn
        self._alive()
        self.emit(events.SpeechStarted(self._now(), turn.item_id, turn.began_ms))
        if self._reply is not None:
            self._over_the_agent = turn
            self._call.transport.hold()
            if self._call.outfit.persona.turn.backchannels == "interrupt":
                await self._yield_to(turn)

    async def _yield_to(self, turn: UserTurn) -> None:
        """It is a barge-in: stop speaking."""
        self._over_the_agent = None
        await self._interrupt()

    def _is_noise(self, text: str) -> bool:
        """Said over the agent's speech, but not to take the turn."""
        spoken = self._reply.spoken if self._reply is not None else ""
        return is_backchannel(text) or is_echo(text, spoken)

    async def _likely_over(self, turn: UserTurn, transcript: Transcript) -> None:
        text = transcript.text
        self.emit(events.UserTranscript(self._now(), turn.item_id, text, final=False))
        if self._over_the_agent is turn:
            if self._is_noise(text):
                self._ignored = turn
                self._call.transport.resume()
                return
            await self._yield_to(turn)
        if not (is_unfinished(text) or self._is_farewell(text)):
            await self._discard_draft()
            self._draft = self._draft_reply(turn, self._message(turn, transcript))

    def _draft_reply(self, turn: UserTurn, message: Message) -> _Draft:
        """Start to answer; nothing shows until the turn is certainly over."""
        self._dress()
        reply = self._new_reply(turn.speech_end, message)
        reply.mark("transcript")
        return _Draft(turn, reply, self._spawn(self._run(reply, reply.think)))

    async def _discard_draft(self) -> None:
        draft, self._draft = self._draft, None
        if draft is not None:
            await draft.discard()

    def _message(self, turn: UserTurn, transcript: Transcript) -> Message:
        words: Part = TextPart(transcript.text)
        if self._call.stages.thinker.hears and turn.audio is not None:
            words = AudioPart(turn.audio, transcript.text)
        return Message("user", (words, *self._pictures()), turn.item_id)

    def _is_farewell(self, text: str) -> bool:
        return bool(self._call.outfit.persona.goodbye) and is_farewell(text)

    async def _turn_over(self, turn: UserTurn, transcript: Transcript) -> None:
        over_the_agent, self._over_the_agent = self._over_the_agent is turn, None
        if over_the_agent and (not transcript.text or self._ignored is turn):
            self._call.transport.resume()
            if transcript.text:
                self.emit(events.BackchannelIgnored(self._now(), transcript.text))
        self.emit(events.UserTranscript(self._now(), turn.item_id, transcript.text, final=True))
        if not transcript.text or self._ignored is turn:
            self._rest()
            return
        self._alive()
        await self._interrupt()  # a reply that began meanwhile, say to a tool's late result
        draft, self._draft = self._draft, None
        message = self._message(turn, transcript)
        self.conversation.add(message)
        if self._turn is not None:  # the user goes on already: answer it all then
            self._owes_reply = True
            if draft is not None:
                await draft.discard()
        elif self._is_farewell(transcript.text):
            self._spawn(self.say_goodbye("goodbye"))
        else:
            draft = draft if draft is not None else self._draft_reply(turn, message)
            draft.reply.mark("end_of_turn", turn.end_of_turn)
            self._reply, self._reply_task = draft.reply, draft.task
            self._confirm(draft.reply)

    async def _prepare(self, heard: Message | None = None) -> None:
        try:
            await self._call.stages.thinker.prepare(self._call.request(heard))
        except OmniAgentError as error:
            log.warning("the Thinker could not prepare: %s", error)

    # -- replies ------------------------------------------------------------------------------

    def _answer(self) -> None:
        """Answer the conversation as it stands."""
        self._alive()
        self._dress()
        reply = self._new_reply(self._now())
        self._launch(reply, reply.think)

    def _announce(self, text: str, kind: Kind = "announcement") -> None:
        """Say this as soon as nobody is speaking."""
        self._announcements.append((text, kind))
        self._rest()

    def _rest(self) -> None:
        """If nothing is going on, do what waited for that."""
        if self._reply is None and self._turn is None and not self._over.is_set():
            self._dress()
            if self._owes_reply:
                self._answer()
            elif self._announcements:
                reply = self._new_reply(self._now())
                self._launch(reply, partial(reply.say, *self._announcements.popleft()))
            else:  # read what was said while nobody waits for an answer
                self._spawn(self._prepare())
        self._refresh_activity()

    def _new_reply(self, since: float, heard: Message | None = None) -> Reply:
        return Reply(self._call, self._start_tool, since=since, heard=heard)

    def _launch(self, reply: Reply, work: Work) -> asyncio.Task[None]:
        self._reply = reply
        self._reply_task = task = self._spawn(self._run(reply, work))
        self._confirm(reply)
        return task

    def _confirm(self, reply: Reply) -> None:
        self._owes_reply = False
        self._recent.append(reply)
        reply.confirm()
        self._refresh_activity()

    async def _run(self, reply: Reply, work: Work) -> None:
        try:
            await work()
        except Exception as error:  # a filter, a model or a bug of ours: the call goes on
            log.exception("a reply failed")
            await reply.confirmation()
            self._report(
                "reply", error.exceptions[0] if isinstance(error, ExceptionGroup) else error
            )
            reply.cut(self._call.transport.flush(), by_user=False)
            if not reply.apologised:
                self._announcements.appendleft((APOLOGY, "apology"))
        if self._reply is reply:
            self._reply = self._reply_task = None
            self._alive()
            self._rest()

    async def _interrupt(self) -> None:
        """Stop speaking and thinking; the conversation keeps what was heard."""
        async with self._interrupting:
            reply, task = self._reply, self._reply_task
            if reply is None or task is None:
                return
            self._reply = self._reply_task = None
            task.cancel()
            await asyncio.wait([task])
            reply.cut(self._call.transport.flush(), by_user=True)
            for call_id in self._call.ledger.running:
                if self._call.ledger.interruptible(call_id):
                    self._tool_tasks[call_id].cancel()

    # -- tools -----------------------------------------------------------------------------------

    def _start_tool(self, reply_id: str, request: ToolCallRequest) -> asyncio.Task[Outcome]:
        call_id, arguments = request.call_id, dict(request.arguments)
        self.emit(events.ToolStarted(self._now(), reply_id, call_id, request.name, arguments))
        task = self._spawn(self._run_tool(reply_id, request))
        self._tool_tasks[call_id] = task
        return task

    async def _run_tool(self, reply_id: str, request: ToolCallRequest) -> Outcome:
        try:
            outcome = await self._call.ledger.run(request.call_id, self._context)
        except asyncio.CancelledError:
            self._tool_ended(Outcome(request.call_id, request.name, "Cancelled.", False, 0.0))
            raise
        self._tool_ended(outcome)
        if self._reply is None or self._reply.id != reply_id:
            self._owes_reply = True  # the reply that asked was interrupted: tell the user still
            self._rest()
        return outcome

    def _tool_ended(self, outcome: Outcome) -> None:
        self._tool_tasks.pop(outcome.call_id, None)
        self.conversation.add(ToolResult(outcome.call_id, outcome.output, outcome.ok))
        call_id, name, output, ok = outcome.call_id, outcome.name, outcome.output, outcome.ok
        ms = round(outcome.ms, 1)
        self.emit(events.ToolFinished(self._now(), call_id, name, output, ok, ms))

    def _context(self, request: ToolCallRequest) -> LiveContext:
        return LiveContext(
            self.id, request.call_id, self._tool_state, self._spawn, self.emit, self._announce
        )

    # -- persona -----------------------------------------------------------------------------------

    def _timing(self) -> TurnTiming:
        return TurnTiming(patience_ms=self._call.outfit.persona.turn.patience_ms)

    def _choose_persona(self, name: str) -> None:
        try:
            self._wardrobe.outfit(name)
        except OmniAgentError as error:
            self._report("persona", error)
            return
        self._persona = name
        self._rest()

    def _dress(self) -> None:
        """Take up the persona as its file is now, between turns."""
        outfit = self._wardrobe.outfit(self._persona)
        for problem in self._wardrobe.problems():
            self._report("persona", problem)
        if outfit is self._call.outfit:
            return
        self._call.outfit = outfit
        self._call.ledger.use(outfit.tools)
        if self._listener is not None:
            self._listener.retime(self._timing(), outfit.persona.language)
        self.emit(events.PersonaChanged(self._now(), outfit.persona.name))
