"""The agent's side of a call: one reply at a time, and what waits for a silence."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from omni_agent.call.preparation import Preparation
from omni_agent.call.questions import Questions
from omni_agent.call.reply import APOLOGY, Reply
from omni_agent.call.retrieval import Lookup, Retrieval
from omni_agent.call.speaker import Speaker
from omni_agent.call.state import Call
from omni_agent.call.tool_runs import ToolRuns
from omni_agent.call.utterance import Moment, Utterance, moment
from omni_agent.commands import ReplyRequest, Truncate
from omni_agent.conversation import Item, Message, ToolResult
from omni_agent.errors import OmniAgentError, first_of
from omni_agent.events import UtteranceKind
from omni_agent.hearing.heard import UserTurn
from omni_agent.personas.outfit import Outfit
from omni_agent.tools.context import After
from omni_agent.transport import Playback, PlayoutStarted

log = logging.getLogger(__name__)

MAX_ANNOUNCEMENTS = 32
"""That wait for a silence; a tool that says more is not heard with the rest."""

PLAIN = ReplyRequest()
Work = Callable[[], Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True)
class _Draft:
    """A reply to a turn that is only probably over.

    lookup: what it reads beside the turn. read: the conversation's revision that it knows.
    """

    turn: UserTurn
    heard: Message
    lookup: Lookup
    reply: Reply
    task: asyncio.Task[None]
    read: int


class Replies:
    """Says at most one thing at a time.

    dress: takes up the persona as it is now; called between turns. changed: told
    whenever it may have changed who speaks.
    """

    def __init__(
        self, call: Call, *, dress: Callable[[], None], changed: Callable[[], None]
    ) -> None:
        self.current: Speaker | None = None
        """The voice of the reply that the user hears, or is about to hear."""
        self._call, self._dress, self._changed = call, dress, changed
        self._task: asyncio.Task[None] | None = None
        self._draft: _Draft | None = None
        self._recent: deque[Speaker] = deque(maxlen=4)
        self._floor = asyncio.Lock()
        self._announcements: deque[tuple[str, UtteranceKind]] = deque()
        self._flooded = False
        self._owed = self._concluding = False
        self._leaving: After | None = None
        self.questions = Questions(
            last=self._last_heard,
            heard_ms=lambda item: call.transport.heard(item).ms,
            attending=lambda: call.attending,
            ask=self._put_question,
        )
        self._tools = ToolRuns(call, self, self._tool_ended)
        self._preparation, self._retrieval = Preparation(call), Retrieval(call)

    # -- replies to turns ---------------------------------------------------------------

    async def draft(self, turn: UserTurn, heard: Message) -> None:
        """Start to answer a turn that may be over; nothing shows until it certainly is."""
        await self.discard()
        self._draft = self._drafted(turn, heard)

    def _drafted(self, turn: UserTurn, heard: Message) -> _Draft:
        self._dress()
        self._preparation.drop()
        reply = self._new_reply(turn.speech_end, heard)
        if heard.text:
            reply.speaker.mark("transcript")
        lookup = self._retrieval.beside(heard)
        task = self._perform(reply.speaker, partial(reply.think, lookup))
        return _Draft(turn, heard, lookup, reply, task, self._call.conversation.revision)

    async def discard(self, turn: UserTurn | None = None) -> None:
        """Forget the draft, when there is one (and it answers this turn)."""
        draft = self._draft
        if draft is not None and (turn is None or draft.turn is turn):
            self._draft = None
            await self._call.stage_work.end([draft.task])

    def keep_draft(self, turn: UserTurn, heard: Message, *, over: bool) -> Message | None:
        """Words of the turn are known: what its draft heard, if that still answers it. It is made
        anew should something be found for them.

        over: so is the turn. A draft made without what is found for these words does not answer.
        """
        draft = self._draft
        if (
            draft is None
            or draft.turn is not turn
            or draft.read != self._call.conversation.revision
        ):
            return None  # none, or something joined the conversation that it does not know of
        lookup = self._retrieval.beside(heard)
        if draft.lookup is not lookup and (lookup.message or (over and not lookup.done)):
            return None
        if draft.lookup is not lookup and not lookup.done:
            self._call.spawn(self._think_again(draft, heard, lookup))
        draft.reply.speaker.mark("transcript")
        return draft.heard

    async def _think_again(self, draft: _Draft, heard: Message, lookup: Lookup) -> None:
        """Should something be found while the draft waits, make another one that knows of it."""
        if await lookup.found() is not None and self._draft is draft:
            self._draft = self._drafted(draft.turn, heard)
            await self._call.stage_work.end([draft.task])

    def answer_turn(self, turn: UserTurn, heard: Message) -> None:
        """The turn is certainly over: the draft that heard this is the reply, or a new one."""
        draft, self._draft = self._draft, None
        if draft is None:
            draft = self._drafted(turn, heard)
        speaker = draft.reply.speaker
        speaker.mark("end_of_turn", turn.end_of_turn)
        self.current, self._task = speaker, draft.task
        self._confirm(speaker)

    def owe(self) -> None:
        """The conversation is to be answered once nobody speaks."""
        self._owed = True

    # -- other things to say ---------------------------------------------------------------

    def answer(self, request: ReplyRequest = PLAIN) -> None:
        """Answer the conversation as it stands, or what is asked."""
        self._dress()
        self._preparation.drop()
        reply = self._asked_for(request)
        lookup = self._retrieval.beside(reply.heard)
        self._launch(reply.speaker, partial(reply.think, lookup))

    def say(
        self, text: str, kind: UtteranceKind, utterance: Utterance | None = None
    ) -> asyncio.Task[None]:
        """Say this now. utterance: what it is said as; None makes one."""
        speaker = Speaker(self._call, self._call.outfit, since=self._call.now())
        return self._launch(speaker, partial(speaker.say, text, kind, utterance))

    def announce(self, text: str, kind: UtteranceKind = "announcement") -> None:
        """Say this as soon as nobody is speaking; dropped when MAX_ANNOUNCEMENTS wait."""
        if len(self._announcements) < MAX_ANNOUNCEMENTS:
            self._announcements.append((text, kind))
            self.rest()
        elif not self._flooded:
            self._flooded = True
            log.warning(
                "call %s: %d announcements wait for a silence: more of them are dropped",
                self._call.session_id,
                MAX_ANNOUNCEMENTS,
            )

    def say_next(self, text: str) -> None:
        """Say this as soon as what is being said is said, in the reply that is under way."""
        if self.current is None or not self.current.interject(text):
            self.announce(text)

    async def ask(self, question: str) -> bool | None:
        """Ask the user something, and wait for a yes or a no; None when none is understood."""
        if not self._call.outfit.tells("consents"):
            return None
        if self.current is not None:
            self.questions.another(self.current.utterances)
        try:
            return await self.questions.ask(question)
        finally:
            self.rest()

    def _put_question(self) -> None:
        """At rest; or as soon as what is being said is said, in a reply whose tools wait for the
        user: there is no rest before they go on."""
        speaker = self.current
        if speaker is not None and self._tools.wait_for_the_user(speaker.id):
            self.questions.put(speaker.ask)
        self.rest()

    def _last_heard(self) -> Utterance | None:
        """What the user heard last of the agent, but for fillers."""
        said = (u for speaker in self._recent for u in speaker.utterances if u.kind != "filler")
        return next((u for u in reversed([*said]) if u.reached_the_user), None)

    def hang_up(self, after: After) -> None:
        """Once all is said, and what the user says by then is answered."""
        self._leaving = after
        self.rest()

    async def conclude(self, words: str) -> asyncio.Task[None] | None:
        """Say a goodbye now, if there is one; what waits for a silence is not said any more."""
        self._concluding = True
        await self.interrupt()
        return self.say(words, "announcement") if words else None

    def rest(self) -> None:
        """If nothing is going on, do what waited for that."""
        call = self._call
        speaking = self.current is not None or self._draft is not None or self._floor.locked()
        ending = self._concluding or call.over.is_set()
        if not speaking and not call.attending and not ending:
            self._dress()
            if self._owed:
                self.answer()
            elif self.questions.due:
                self.questions.put(lambda words, it: self.say(words, it.kind, it))
            elif self._announcements:
                self.say(*self._announcements.popleft())
            elif self._leaving is not None and not self.questions.pending:
                self._concluding = True
                call.leave(self._leaving)
            else:  # read what was said while nobody waits for an answer
                self._preparation.read()
        self._changed()

    def read_ahead(self, heard: Message) -> None:
        """Read what was heard so far of a turn, while the user speaks."""
        self._preparation.read(heard)

    # -- the life of a reply ------------------------------------------------------------------

    def _asked_for(self, request: ReplyRequest) -> Reply:
        """One with wishes of its own; those that cannot be are told, and left out."""
        call = self._call
        outfit = call.outfit
        try:
            outfit = outfit.wishing(request.wishes)
        except OmniAgentError as error:
            call.report("session", error)
        heard = call.conversation.asked if request.items is None else None
        return self._new_reply(call.now(), heard, outfit, request.items)

    def _new_reply(
        self,
        since: float,
        heard: Message | None,
        outfit: Outfit | None = None,
        items: Sequence[Item] | None = None,
    ) -> Reply:
        """outfit: its own; None is the call's."""
        start, asking = self._tools.start, lambda: self.questions.pending
        outfit = outfit or self._call.outfit
        return Reply(self._call, outfit, start, asking, since=since, heard=heard, items=items)

    def _launch(self, speaker: Speaker, work: Work) -> asyncio.Task[None]:
        self.current = speaker
        self._task = task = self._perform(speaker, work)
        self._confirm(speaker)
        return task

    def _confirm(self, speaker: Speaker) -> None:
        self._owed = False
        self._recent.append(speaker)
        speaker.confirm()
        self._changed()

    def _perform(self, speaker: Speaker, work: Work) -> asyncio.Task[None]:
        return self._call.perform(self._run(speaker, work), f"reply {speaker.id}")

    async def _run(self, speaker: Speaker, work: Work) -> None:
        try:
            await work()
        except Exception as error:  # a filter, a model or a bug of ours: the call goes on
            log.exception("a reply failed")
            if not self._wanted(speaker):
                return
            await speaker.confirmation.wait()
            self._call.report("reply", first_of(error))
            speaker.cut(self._call.transport.flush(), by_user=False)
            if not speaker.apologised:
                self._announcements.appendleft((APOLOGY, "apology"))
        if self.current is speaker:
            self.current = self._task = None
            self.rest()

    def _wanted(self, speaker: Speaker) -> bool:
        """Whether it is still to be heard. ``Task.cancelling`` does not tell: a TaskGroup of
        Python 3.11 whose task fails while it is being left keeps its parent counted as cancelled.
        """
        drafted = self._draft.reply.speaker if self._draft is not None else None
        return speaker in (self.current, drafted)

    async def interrupt(self) -> None:
        """Stop speaking and thinking; the conversation keeps what was heard."""
        async with self.floor():
            pass

    @asynccontextmanager
    async def floor(self) -> AsyncIterator[None]:
        """Interrupt, and let nothing that waited for a silence begin until this is left; it may
        take a while to enter.
        """
        async with self._floor:
            await self._stop()
            yield
        self.rest()

    async def _stop(self) -> None:
        speaker, task = self.current, self._task
        if speaker is None or task is None:
            return
        self.current = self._task = None
        self._call.transport.hold()  # silent at once; what it says may take a while to end
        try:
            await self._call.stage_work.end([task])
        finally:  # the call may end meanwhile: what was heard is kept still
            speaker.cut(self._call.transport.flush(), by_user=True)
            self._tools.interrupt()

    def _tool_ended(self, reply_id: str) -> None:
        if self.current is None or self.current.id != reply_id:
            self.owe()  # the reply that asked was interrupted: tell the user still
            self.rest()

    # -- what the line says of playback --------------------------------------------------------

    def playout(self, news: Playback) -> None:
        """Speech began to be played, or was played to its end."""
        for speaker in self._recent:
            if isinstance(news, PlayoutStarted):
                speaker.playout_started(news.utterance, news.at)
            else:
                speaker.playout_finished(news.utterance, news.at)

    def moment(self) -> Moment:
        """What the user has heard by now."""
        transport = self._call.transport
        utterances = [utterance for speaker in self._recent for utterance in speaker.utterances]
        asks = self._call.outfit.manners.is_question
        return moment(utterances, lambda item: transport.heard(item).ms, self._call.now(), asks)

    def voices(self, item_id: str) -> bool:
        """Whether this message is being spoken, or is about to be."""
        spoken = self.current.utterances if self.current is not None else []
        return any(one.id == item_id and not one.settled for one in spoken)

    def client_answered(self, result: ToolResult) -> None:
        """What came of a tool that the client runs. Raises ProtocolError when none waits for it."""
        self._tools.answered(result)

    def truncate(self, order: Truncate) -> None:
        """The client knows better how much of a message was heard."""
        for speaker in self._recent:
            for utterance in speaker.utterances:
                if utterance.id == order.item_id and utterance.settled:
                    heard = utterance.heard_text(min(order.audio_end_ms, utterance.heard_ms))
                    self._call.conversation.truncate(order.item_id, heard)
