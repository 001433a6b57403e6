"""One reply: Thinker → filters → Talker → transport, with tool calls in between.

A reply may start before the user's turn is certainly over. Until ``confirm`` it
thinks and synthesises, but nothing it does can be seen, heard or undone: events,
conversation items and tool calls wait in order for the confirmation.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from omni_agent import events
from omni_agent.call import Call
from omni_agent.conversation import Message, TextPart, ToolCall, new_id
from omni_agent.errors import EngineError
from omni_agent.ledger import Outcome
from omni_agent.markdown import no_markdown, sayable
from omni_agent.scope import kin
from omni_agent.streams import Channel, chain, first_words, heeding, one
from omni_agent.talker import Voice
from omni_agent.text import TextFilter, compose
from omni_agent.thinker import (
    Features,
    MalformedCall,
    TextDelta,
    ThinkRequest,
    ToolCallBegun,
    ToolCallRequest,
    Usage,
)
from omni_agent.utterance import Kind, Utterance

log = logging.getLogger(__name__)

MAX_ROUNDS = 4
"""Thinker runs in one reply; the last one may not call tools, so a reply always ends."""
APOLOGY = "Sorry, something went wrong on my side. Could you say that again?"
CALL_APOLOGY = "Sorry, I could not do that."
CALL_FAULT = (
    "Your last tool call could not be read: {reason}. Make it again, exactly as the tool's "
    "parameters say, or tell the user that you cannot do it."
)
UNSAID = "Sorry, I have no words for what came of that."
"""After tools that ran: who is asked to say it again has it done again."""
UNTOLD = "You have said nothing since the tool's result: tell the user now what came of it."
MAX_REASON = 300
"""Characters of it; some of them may be the model's own."""

THINKING_S = 5.0
"""Silence of a Thinker, once the turn is over, after which a filler is said."""
FILLER_GROWTH = 1.5
"""Each silence between two fillers is so much longer than the last: a minute has six of them."""

Work = Callable[[], Sequence["asyncio.Future[Any]"]]
"""What is waited for, as it is now."""
ToolStarter = Callable[[str, ToolCallRequest], "asyncio.Task[Outcome] | None"]


class Reply:
    """Answers once. ``start_tool`` runs a call in the session, beyond this reply's life."""

    def __init__(
        self, call: Call, start_tool: ToolStarter, *, since: float, heard: Message | None = None
    ) -> None:
        self.id = new_id("resp")
        self.utterances: list[Utterance] = []
        self.heard = heard
        self._call, self._start_tool = call, start_tool
        self._since = since
        self._marks: dict[str, float] = {}
        self._confirmed = asyncio.Event()
        self._waiting: list[Callable[[], None]] = []
        self._voicing = asyncio.Lock()
        self._tools: list[asyncio.Task[Outcome]] = []
        self._answering = False
        self._decided: asyncio.Future[None]
        self._filling: asyncio.Task[None] | None = None
        self._written = ""  # by the latest round
        self._fault = ""
        self._retried = self._untold = self._used_tools = False
        self._features: Any = None  # of the latest round that gave any

    # -- what waits for the turn to be certain ---------------------------------

    def confirm(self) -> None:
        """The turn is over: do all that waited, in order, and go on unhindered."""
        self._confirmed.set()
        self._emit(events.ReplyStarted(self._call.now(), self.id), first=True)
        for action in self._waiting:
            action()
        self._waiting.clear()

    async def confirmation(self) -> None:
        """Wait until the turn is certainly over."""
        await self._confirmed.wait()

    @property
    def confirmed(self) -> bool:
        return self._confirmed.is_set()

    def _when_confirmed(self, action: Callable[[], None]) -> None:
        if self.confirmed:
            action()
        else:
            self._waiting.append(action)

    def _emit(self, event: events.Event, *, first: bool = False) -> None:
        if first:
            self._call.emit(event)
        else:
            self._when_confirmed(lambda: self._call.emit(event))

    def mark(self, name: str, at: float | None = None) -> None:
        """Note the first time something happened, for the waterfall."""
        self._marks.setdefault(name, at if at is not None else self._call.now())

    # -- the run ----------------------------------------------------------------

    async def think(self) -> None:
        """Think, use tools and speak until nothing is left to say; wait until it was played."""
        async with asyncio.TaskGroup() as tasks:
            for turn in range(MAX_ROUNDS):
                if not await self._round(tasks, with_tools=turn < MAX_ROUNDS - 1):
                    if self._answering or self._written.strip() or not self._untold:
                        break
                    self._untold, self._fault = False, UNTOLD
                await self._confirmed.wait()
                if self._tools:
                    await asyncio.wait(self._tools)
                    self._tools, self._untold = [], True
                    self._used_tools = True
                    self.mark("tool_done")
            if not self._answering and not await self._show():
                await self._say(tasks, UNSAID if self._used_tools else APOLOGY, "answer")
        self._finish()

    async def say(self, text: str, kind: Kind) -> None:
        """Speak a given text instead of thinking."""
        async with asyncio.TaskGroup() as tasks:
            await self._say(tasks, text, kind)
        self._finish()

    def _finish(self) -> None:
        self._emit_waterfall()
        self._emit(events.ReplyFinished(self._call.now(), self.id, interrupted=False))

    def _emit_waterfall(self) -> None:
        marks = {name: round(1000 * (at - self._since), 1) for name, at in self._marks.items()}
        ordered = dict(sorted(marks.items(), key=lambda mark: mark[1]))
        self._emit(events.Waterfall(self._call.now(), self.id, ordered))

    async def _round(self, tasks: asyncio.TaskGroup, *, with_tools: bool) -> bool:
        """One Thinker run; True when there is to be another."""
        text = Channel()
        self._answering, self._written = False, ""
        self._decided = decided = asyncio.get_running_loop().create_future()
        self._fill(tasks, lambda: [decided], 1000 * THINKING_S)
        try:
            async with asyncio.TaskGroup() as pair:
                note, self._fault = self._fault, ""
                request = self._call.request(self.heard, with_tools=with_tools, note=note)
                thinking = kin(pair.create_task(self._think(tasks, request, text)))
                await self._voice(tasks, aiter(text), "answer")
        finally:
            self._decide()
        return thinking.result()

    def _decide(self) -> None:
        """This round has words or a tool call, or it is over: nobody waits for the Thinker now."""
        if not self._decided.done():
            self._decided.set_result(None)

    async def _think(self, tasks: asyncio.TaskGroup, request: ThinkRequest, text: Channel) -> bool:
        calls, said, run, malformed = 0, "", new_id("run"), ""
        try:
            async with aclosing(heeding(self._call.stages.thinker.think(request))) as thoughts:
                async for thought in thoughts:
                    if not isinstance(thought, Usage):
                        self.mark("first_thought")
                    match thought:
                        case TextDelta():
                            said += thought.text
                            self._written += thought.text
                            text.put(thought.text)
                        case Features():
                            self._features = thought.handle
                        case ToolCallBegun():
                            self.mark("tool_decided")
                        case ToolCallRequest():
                            self.mark("tool_decided")
                            calls += self._begin_tool(thought, run)
                            self._decide()
                            self._fill_for_tools(tasks)
                        case MalformedCall():
                            log.error("malformed tool call (%s): %r", thought.reason, thought.raw)
                            malformed = thought.reason or "it is malformed"
                        case _:
                            pass
            if malformed and (calls or self._retried or not request.tools):
                text.put(_after(said, CALL_APOLOGY))
            elif malformed:  # once, it is told why instead
                self._retried = True
                self._fault = CALL_FAULT.format(reason=malformed[:MAX_REASON])
                return True
        except EngineError as error:
            self._failed("thinker", error)
            text.put(_after(said, APOLOGY))
        finally:
            text.close()
        return calls > 0

    def _begin_tool(self, request: ToolCallRequest, run: str) -> int:
        """Enter a call; 1 when it is new. It starts when the turn is confirmed."""
        if not self._call.ledger.open(request):
            return 0

        def start() -> None:
            arguments = dict(request.arguments)
            made = ToolCall(request.call_id, request.name, arguments, run=run)
            self._call.conversation.add(made)
            task = self._start_tool(self.id, request)
            if task is not None:
                self._tools.append(task)

        self._when_confirmed(start)
        return 1

    def _failed(self, source: str, error: EngineError) -> None:
        log.error("%s failed: %s", source, error)
        self._emit(events.ErrorOccurred.of(self._call.now(), source, error))

    # -- fillers ------------------------------------------------------------------

    def _fill_for_tools(self, tasks: asyncio.TaskGroup) -> None:
        if self._filling is None or self._filling.done():
            turn = self._call.outfit.persona.turn
            said = self.utterances or self._written.strip()
            pause_ms = turn.filler_again_ms if said else turn.filler_after_ms
            self._filling = self._fill(tasks, lambda: self._tools, pause_ms)

    def _fill(
        self, tasks: asyncio.TaskGroup, work: Work, pause_ms: float
    ) -> asyncio.Task[None] | None:
        """Work is about to be waited for: a tool's, or a Thinker's."""
        if not self._call.outfit.persona.fillers:
            return None
        return kin(tasks.create_task(self._say_fillers(tasks, work, pause_ms)))

    async def _say_fillers(self, tasks: asyncio.TaskGroup, work: Work, pause_ms: float) -> None:
        """While it goes on in silence, say so: after a first pause, then at growing intervals."""
        await self._confirmed.wait()
        while await self._goes_on_in_silence(work, pause_ms / 1000):
            if self._quiet and not self._call.attending:
                filler = Utterance(new_id("item"), "filler")
                await self._speak(tasks, filler, one(self._call.next_filler()))
                again_ms = self._call.outfit.persona.turn.filler_again_ms
                pause_ms = max(again_ms, FILLER_GROWTH * pause_ms)

    async def _goes_on_in_silence(self, work: Work, seconds: float) -> bool:
        """Once all is said, wait so long; True when some of the work still goes on then."""
        for utterance in self.utterances:
            await utterance.played.wait()
        running = [part for part in work() if not part.done()]
        if running:
            _, pending = await asyncio.wait(running, timeout=max(seconds, 0.1))
            running = list(pending)
        return bool(running)

    @property
    def _quiet(self) -> bool:
        return all(utterance.played.is_set() for utterance in self.utterances)

    # -- voicing --------------------------------------------------------------------

    async def _say(self, tasks: asyncio.TaskGroup, text: str, kind: Kind) -> None:
        await self._voice(tasks, one(text), kind)

    async def _voice(self, tasks: asyncio.TaskGroup, text: AsyncIterator[str], kind: Kind) -> None:
        """Filter and speak one message; nothing at all when no text comes."""
        # An apology is our own words, and it may be a filter that failed.
        filters = () if kind == "apology" else self._call.outfit.filters
        async with aclosing(heeding(compose(text, (sayable, *filters)))) as stream:
            first = await first_words(stream)
            if not first:
                return
            if kind == "answer":
                self._decide()
            self.mark("first_text")
            self._answering = True
            utterance = Utterance(new_id("item"), kind)
            self._when_confirmed(lambda: self._introduce(utterance))
            await self._speak(tasks, utterance, chain(first, stream))

    async def _show(self) -> bool:
        """An answer with nothing in it that can be said, such as an emoji, is only shown.

        False when there is none. One that a filter of the persona withholds is not shown either.
        """
        if not await self._filtered():
            return False
        filters = self._call.outfit.filters
        text = await self._filtered(*(each for each in filters if each is not no_markdown))
        await self._confirmed.wait()
        if text:
            shown = Utterance(new_id("item"), "answer", text)
            self._introduce(shown)
            self._emit(events.UtteranceStarted(self._call.now(), self.id, shown.id, shown.kind))
            self._emit(events.SpokenText(self._call.now(), shown.id, text))
            self._settle(shown, text, interrupted=False)
        else:
            log.warning("call %s: the filters left nothing of an answer", self._call.session_id)
        return True

    async def _filtered(self, *filters: TextFilter) -> str:
        """What was written, as far as these let it pass."""
        async with aclosing(heeding(compose(one(self._written), (sayable, *filters)))) as stream:
            return "".join([piece async for piece in stream]).strip()

    def _introduce(self, utterance: Utterance) -> None:
        self._call.conversation.add(Message("assistant", (), utterance.id))

    async def _speak(
        self, tasks: asyncio.TaskGroup, utterance: Utterance, text: AsyncIterator[str]
    ) -> None:
        call = self._call
        self._emit(events.UtteranceStarted(self._call.now(), self.id, utterance.id, utterance.kind))
        self.utterances.append(utterance)
        async with self._voicing:
            voice = self._voice_of(utterance)
            speech = call.stages.talker.speak(self._note(utterance, text), voice)
            try:
                async with aclosing(heeding(speech)) as pieces:
                    async for piece in pieces:
                        self.mark("first_frame")
                        await self._confirmed.wait()
                        utterance.extend(piece)
                        await call.transport.play(utterance.id, piece.audio)
            except EngineError as error:
                utterance.failed = True
                self._failed("talker", error)
            await self._confirmed.wait()
            call.transport.finish(utterance.id)
            if not utterance.marks:
                utterance.played.set()  # nothing could be voiced: there is nothing to wait for
        kin(tasks.create_task(self._settle_when_played(utterance)))

    def _voice_of(self, utterance: Utterance) -> Voice:
        """Only what was thought of has a Thinker's states behind it."""
        features = self._features if utterance.kind == "answer" else None
        return replace(self._call.outfit.voice, features=features)

    async def _note(self, utterance: Utterance, text: AsyncIterator[str]) -> AsyncIterator[str]:
        async for piece in text:
            utterance.text += piece
            self._emit(events.SpokenText(self._call.now(), utterance.id, piece))
            yield piece

    async def _settle_when_played(self, utterance: Utterance) -> None:
        await utterance.played.wait()
        self._settle(utterance, utterance.played_text, interrupted=False)

    def _settle(self, utterance: Utterance, heard: str, *, interrupted: bool) -> None:
        """Commit what was heard, once."""
        if utterance.settled:
            return
        utterance.settled = True
        utterance.silent_since = utterance.silent_since or self._call.now()
        if utterance.kind != "filler":
            parts = (TextPart(heard),) if heard else ()
            message = Message("assistant", parts, utterance.id, interrupted=interrupted)
            self._call.conversation.add(message)
        ms = utterance.ms
        if interrupted:
            ms = min(ms, self._call.transport.heard(utterance.id).ms)
        self._call.emit(
            events.UtteranceFinished(
                self._call.now(),
                self.id,
                utterance.id,
                utterance.text,
                heard,
                round(ms),
                interrupted,
            )
        )

    # -- what the session tells ---------------------------------------------------------

    def playout_started(self, utterance_id: str, at: float) -> None:
        utterance = self._find(utterance_id)
        if utterance is None:
            return
        utterance.audible = True
        self.mark("on_the_wire", at)
        if utterance.kind != "filler":
            self.mark("answer_on_the_wire", at)
        self._call.emit(events.PlaybackStarted(at, utterance_id))

    def playout_finished(self, utterance_id: str, at: float) -> None:
        utterance = self._find(utterance_id)
        if utterance is not None:
            utterance.silent_since = at
            utterance.played.set()

    def cut(self, dropped_ms: float, *, by_user: bool) -> None:
        """After the run ended early and the transport was flushed: keep what was heard."""
        for utterance in self.utterances:
            if not utterance.settled:
                heard = self._call.transport.heard(utterance.id)
                complete = utterance.played.is_set()
                text = utterance.played_text if complete else utterance.heard_text(heard.ms)
                self._settle(utterance, text, interrupted=not complete)
        if by_user:
            self._call.emit(events.Interrupted(self._call.now(), self.id, dropped_ms))
        self._emit_waterfall()
        self._call.emit(events.ReplyFinished(self._call.now(), self.id, interrupted=True))

    @property
    def audible(self) -> bool:
        """True while speech of this reply is being played."""
        return any(u.audible and not u.played.is_set() for u in self.utterances)

    @property
    def apologised(self) -> bool:
        """True when this reply was itself the apology for a failed one."""
        return any(utterance.kind == "apology" for utterance in self.utterances)

    def _find(self, utterance_id: str) -> Utterance | None:
        return next((u for u in self.utterances if u.id == utterance_id), None)


def _after(said: str, apology: str) -> str:
    """An apology that goes on from words that may have broken off anywhere."""
    if not said:
        return apology
    return f"{'' if said.rstrip()[-1:] in '.!?…' else '…'} {apology}"
