"""The agent's side of a call: one reply at a time, and what waits for a silence."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from omni_agent.call import Call
from omni_agent.conversation import Message
from omni_agent.errors import first_of
from omni_agent.listening import UserTurn
from omni_agent.preparation import Preparation
from omni_agent.reply import APOLOGY, Reply
from omni_agent.tool_runs import ToolRuns
from omni_agent.transport import PlayoutFinished, PlayoutStarted, Truncate
from omni_agent.utterance import Kind, Moment, moment

log = logging.getLogger(__name__)

MAX_ANNOUNCEMENTS = 32
"""That wait for a silence; a tool that says more is not heard with the rest."""

Work = Callable[[], Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True)
class _Draft:
    """A reply to a turn that is only probably over. read: how many items came before it."""

    turn: UserTurn
    heard: Message
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
        self.current: Reply | None = None
        """The reply that the user hears, or is about to hear."""
        self._call, self._dress, self._changed = call, dress, changed
        self._task: asyncio.Task[None] | None = None
        self._draft: _Draft | None = None
        self._recent: deque[Reply] = deque(maxlen=4)
        self._floor = asyncio.Lock()
        self._announcements: deque[tuple[str, Kind]] = deque()
        self._flooded = False
        self._owed = self._concluding = False
        self._tools = ToolRuns(call, self.announce, self._tool_ended)
        self._preparation = Preparation(call)

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
            reply.mark("transcript")
        task = self._perform(reply, reply.think)
        return _Draft(turn, heard, reply, task, len(self._call.conversation))

    async def discard(self, turn: UserTurn | None = None) -> None:
        """Forget the draft, when there is one (and it answers this turn)."""
        draft = self._draft
        if draft is not None and (turn is None or draft.turn is turn):
            self._draft = None
            await self._call.stage_work.end([draft.task])

    def check_draft(self, turn: UserTurn, text: str) -> Message | None:
        """Words of the turn are known: what its draft heard, if that draft still answers it."""
        draft = self._draft
        if draft is None or draft.turn is not turn or draft.read != len(self._call.conversation):
            return None  # none, or something joined the conversation that it does not know of
        if draft.heard.text != text and self._call.retrieve(text):
            return None  # plugins have something to read beside these words
        draft.reply.mark("transcript")
        return draft.heard

    def answer_turn(self, turn: UserTurn, heard: Message) -> None:
        """The turn is certainly over: the draft that heard this is the reply, or a new one."""
        draft, self._draft = self._draft, None
        if draft is None:
            draft = self._drafted(turn, heard)
        draft.reply.mark("end_of_turn", turn.end_of_turn)
        self.current, self._task = draft.reply, draft.task
        self._confirm(draft.reply)

    def owe(self) -> None:
        """The conversation is to be answered once nobody speaks."""
        self._owed = True

    # -- other things to say ---------------------------------------------------------------

    def answer(self) -> None:
        """Answer the conversation as it stands."""
        self._dress()
        self._preparation.drop()
        reply = self._new_reply(self._call.now(), self._call.conversation.asked)
        self._launch(reply, reply.think)

    def say(self, text: str, kind: Kind) -> asyncio.Task[None]:
        """Say this now."""
        reply = self._new_reply(self._call.now())
        return self._launch(reply, partial(reply.say, text, kind))

    def announce(self, text: str, kind: Kind = "announcement") -> None:
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

    def conclude(self, words: str) -> asyncio.Task[None]:
        """Say a goodbye now; whatever waits for a silence is not said any more."""
        self._concluding = True
        return self.say(words, "announcement")

    def rest(self) -> None:
        """If nothing is going on, do what waited for that."""
        call = self._call
        speaking = self.current is not None or self._draft is not None or self._floor.locked()
        ending = self._concluding or call.over.is_set()
        if not speaking and not call.attending and not ending:
            self._dress()
            if self._owed:
                self.answer()
            elif self._announcements:
                self.say(*self._announcements.popleft())
            else:  # read what was said while nobody waits for an answer
                self._preparation.read()
        self._changed()

    def read_ahead(self, heard: Message) -> None:
        """Read what was heard so far of a turn, while the user speaks."""
        self._preparation.read(heard)

    # -- the life of a reply ------------------------------------------------------------------

    def _new_reply(self, since: float, heard: Message | None = None) -> Reply:
        return Reply(self._call, self._tools.start, since=since, heard=heard)

    def _launch(self, reply: Reply, work: Work) -> asyncio.Task[None]:
        self.current = reply
        self._task = task = self._perform(reply, work)
        self._confirm(reply)
        return task

    def _confirm(self, reply: Reply) -> None:
        self._owed = False
        self._recent.append(reply)
        reply.confirm()
        self._changed()

    def _perform(self, reply: Reply, work: Work) -> asyncio.Task[None]:
        return self._call.perform(self._run(reply, work), f"reply {reply.id}")

    async def _run(self, reply: Reply, work: Work) -> None:
        try:
            await work()
        except Exception as error:  # a filter, a model or a bug of ours: the call goes on
            log.exception("a reply failed")
            if not self._wanted(reply):
                return
            await reply.confirmation()
            self._call.report("reply", first_of(error))
            reply.cut(self._call.transport.flush(), by_user=False)
            if not reply.apologised:
                self._announcements.appendleft((APOLOGY, "apology"))
        if self.current is reply:
            self.current = self._task = None
            self.rest()

    def _wanted(self, reply: Reply) -> bool:
        """Whether it is still to be heard. ``Task.cancelling`` does not tell: a TaskGroup of
        Python 3.11 whose task fails while it is being left keeps its parent counted as cancelled.
        """
        return reply is self.current or (self._draft is not None and self._draft.reply is reply)

    async def interrupt(self) -> None:
        """Stop speaking and thinking; the conversation keeps what was heard."""
        async with self.floor():
            pass

    @asynccontextmanager
    async def floor(self) -> AsyncIterator[None]:
        """Interrupt, and let nothing that waited for a silence begin until this is left; it may
        take a while to enter. Who says nothing inside calls ``rest`` afterwards.
        """
        async with self._floor:
            await self._stop()
            yield

    async def _stop(self) -> None:
        reply, task = self.current, self._task
        if reply is None or task is None:
            return
        self.current = self._task = None
        self._call.transport.hold()  # silent at once; what it says may take a while to end
        try:
            await self._call.stage_work.end([task])
        finally:  # the call may end meanwhile: what was heard is kept still
            reply.cut(self._call.transport.flush(), by_user=True)
            self._tools.interrupt()

    def _tool_ended(self, reply_id: str) -> None:
        if self.current is None or self.current.id != reply_id:
            self.owe()  # the reply that asked was interrupted: tell the user still
            self.rest()

    # -- what the line says of playback --------------------------------------------------------

    def playout(self, news: PlayoutStarted | PlayoutFinished) -> None:
        """Speech began to be played, or was played to its end."""
        for reply in self._recent:
            if isinstance(news, PlayoutStarted):
                reply.playout_started(news.utterance, news.at)
            else:
                reply.playout_finished(news.utterance, news.at)

    def moment(self) -> Moment:
        """What the user has heard by now."""
        transport = self._call.transport
        utterances = [utterance for reply in self._recent for utterance in reply.utterances]
        return moment(utterances, lambda item: transport.heard(item).ms, self._call.now())

    def truncate(self, order: Truncate) -> None:
        """The client knows better how much of a message was heard."""
        for reply in self._recent:
            for utterance in reply.utterances:
                if utterance.id == order.item_id and utterance.settled:
                    heard = utterance.heard_text(order.audio_end_ms)
                    self._call.conversation.truncate(order.item_id, heard)
