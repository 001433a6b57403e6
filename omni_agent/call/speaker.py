"""The voice of one reply: text → filters → Talker → transport, and what was heard of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import replace
from types import TracebackType
from typing import Any

from omni_agent import events
from omni_agent.call.confirmation import Confirmation
from omni_agent.call.state import Call
from omni_agent.call.utterance import Utterance
from omni_agent.conversation import Message, TextPart, new_id
from omni_agent.errors import EngineError
from omni_agent.events import UtteranceKind
from omni_agent.frozen import frozen
from omni_agent.markdown import sayable
from omni_agent.personas.outfit import Outfit
from omni_agent.runtime.scope import kin
from omni_agent.saying import in_words
from omni_agent.streams import chain, first_words, heeding, one
from omni_agent.talker import MuteTalker, Speech, Voice
from omni_agent.text import TextFilter, compose

log = logging.getLogger(__name__)


MOST_INTERJECTED = 32
"""What tools may have said in one reply while they work."""


def _nothing() -> None:
    pass


class Speaker:
    """Voices what one reply says, a message at a time, and keeps what the user heard of it.

    It is entered while the reply goes on, and left when all was played. Until it is confirmed
    it synthesises, but nothing shows. features: of the Thinker, for the text it belongs to.
    """

    def __init__(self, call: Call, outfit: Outfit, *, since: float) -> None:
        self.id = new_id("resp")
        self.utterances: list[Utterance] = []
        self.confirmation = Confirmation()
        self.features: Any = None
        self._call, self._outfit, self._since = call, outfit, since
        self._marks: dict[str, float] = {}
        self._voicing = asyncio.Lock()
        self._tasks = asyncio.TaskGroup()
        self._interjected = 0
        self._talker = call.stages.talker if outfit.speaks else MuteTalker()

    async def __aenter__(self) -> Speaker:
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._tasks.__aexit__(kind, error, trace)

    # -- the whole of a reply ----------------------------------------------------------

    def confirm(self) -> None:
        """The turn is over: all that waited is done, after saying that this reply began."""
        self._call.emit(events.ReplyStarted(self._call.now(), self.id))
        self.confirmation.give()

    async def say(self, text: str, kind: UtteranceKind, utterance: Utterance | None = None) -> None:
        """Speak a given text; no more, and no thinking. utterance: as for ``voice``."""
        async with self:
            await self.voice(one(text), kind, utterance=utterance)
        self.finish()

    def finish(self) -> None:
        self._emit_waterfall()
        self._emit(events.ReplyFinished(self._call.now(), self.id, interrupted=False))

    def _emit(self, event: events.Event) -> None:
        self.confirmation.then(lambda: self._call.emit(event))

    def mark(self, name: str, at: float | None = None) -> None:
        """Note the first time something happened, for the waterfall."""
        self._marks.setdefault(name, at if at is not None else self._call.now())

    def used(self, prompt: int, cached: int, completion: int) -> None:
        """Tokens of one run of the Thinker."""
        self._emit(events.TokensUsed(self._call.now(), self.id, prompt, cached, completion))

    def _emit_waterfall(self) -> None:
        marks = {name: round(1000 * (at - self._since), 1) for name, at in self._marks.items()}
        ordered = dict(sorted(marks.items(), key=lambda mark: mark[1]))
        self._emit(events.Waterfall(self._call.now(), self.id, frozen(ordered)))

    # -- one message ---------------------------------------------------------------------

    def interject(self, text: str) -> bool:
        """Say this as soon as the message under way is said; False when the reply is over, or too
        much was said so."""
        if self._interjected >= MOST_INTERJECTED:
            return False
        said = self.ask(text, Utterance(new_id("item"), "announcement")) is not None
        self._interjected += said
        return said

    def ask(self, question: str, utterance: Utterance) -> asyncio.Task[bool] | None:
        """The same for a question, which a tool may wait for: there is no bound, as there is only
        one at a time. None when the reply is over; utterance: as for ``voice``."""
        work = self.voice(one(question), utterance.kind, utterance=utterance)
        try:
            return kin(self._tasks.create_task(work))
        except RuntimeError:
            work.close()
            return None

    async def voice(
        self,
        text: AsyncIterator[str],
        kind: UtteranceKind,
        begun: Callable[[], None] = _nothing,
        utterance: Utterance | None = None,
    ) -> bool:
        """Filter and speak one message; False, and nothing at all, when no text comes.

        begun: told when there is something to say. utterance: what it is said as; None makes one.
        """
        # An apology is our own words, and it may be a filter that failed.
        filters = () if kind == "apology" else self._outfit.filters
        said = utterance or Utterance(new_id("item"), kind)
        async with aclosing(heeding(compose(text, (sayable, *filters)))) as stream:
            first = await first_words(stream)
            if not first:
                return False
            begun()
            self.mark("first_text")
            await self.speak(said, chain(first, stream))
        return True

    async def show(self, written: str) -> bool:
        """An answer with nothing in it that can be said, such as an emoji, is only shown.

        False when there is none. One that a filter of the persona withholds is not shown either.
        """
        if not await self._filtered(written):
            return False
        text = await self._filtered(written, *self._outfit.shown_filters)
        await self.confirmation.wait()
        if text:
            shown = Utterance(new_id("item"), "answer", text)
            self._introduce(shown)
            self._emit(events.UtteranceStarted(self._call.now(), self.id, shown.id, shown.kind))
            self._emit(events.SpokenText(self._call.now(), shown.id, text))
            self._settle(shown, text, interrupted=False)
        else:
            log.warning("call %s: the filters left nothing of an answer", self._call.session_id)
        return True

    @staticmethod
    async def _filtered(written: str, *filters: TextFilter) -> str:
        """What was written, as far as these let it pass."""
        async with aclosing(heeding(compose(one(written), (sayable, *filters)))) as stream:
            return "".join([piece async for piece in stream]).strip()

    def _introduce(self, utterance: Utterance) -> None:
        self._call.conversation.add(Message("assistant", (), utterance.id))

    async def speak(self, utterance: Utterance, text: AsyncIterator[str]) -> None:
        """Voice a message that needs no filter."""
        async with self._voicing:  # who never gets here has said nothing
            if utterance.withdrawn:
                return
            self._begin(utterance)
            try:
                await self._play(utterance, text)
                utterance.complete = bool(utterance.marks)
            except EngineError as error:
                utterance.failed = True
                self.failed("talker", error)
            await self.confirmation.wait()
            self._call.transport.finish(utterance.id)
            if not utterance.marks:
                utterance.played.set()  # nothing could be voiced: there is nothing to wait for
        kin(self._tasks.create_task(self._settle_when_played(utterance)))

    def _begin(self, utterance: Utterance) -> None:
        if utterance.kind != "filler":
            self.confirmation.then(lambda: self._introduce(utterance))
        self._emit(events.UtteranceStarted(self._call.now(), self.id, utterance.id, utterance.kind))
        utterance.begun = True
        self.utterances.append(utterance)

    async def _play(self, utterance: Utterance, text: AsyncIterator[str]) -> None:
        speech = self._speech(self._note(utterance, text), self._voice_of(utterance))
        async with aclosing(heeding(speech)) as pieces:
            async for piece in pieces:
                self.mark("first_frame")
                await self.confirmation.wait()
                utterance.extend(piece)
                await self._call.transport.play(utterance.id, piece.audio)

    def _speech(self, text: AsyncIterator[str], voice: Voice) -> AsyncIterator[Speech]:
        if self._outfit.persona.speech.numbers == "words":
            return in_words(self._talker.speak, text, voice)
        return self._talker.speak(text, voice)

    def failed(self, source: str, error: EngineError) -> None:
        """An engine failed, and the reply goes on."""
        log.error("%s failed: %s", source, error)
        self._emit(events.ErrorOccurred.of(self._call.now(), source, error))

    def _voice_of(self, utterance: Utterance) -> Voice:
        """Only what was thought of has a Thinker's states behind it."""
        features = self.features if utterance.kind == "answer" else None
        return replace(self._outfit.voice, features=features)

    async def _note(self, utterance: Utterance, text: AsyncIterator[str]) -> AsyncIterator[str]:
        async for piece in text:
            utterance.text += piece
            self._emit(events.SpokenText(self._call.now(), utterance.id, piece))
            yield piece

    # -- what was heard --------------------------------------------------------------------

    async def _settle_when_played(self, utterance: Utterance) -> None:
        await utterance.played.wait()
        self._settle(utterance, utterance.played_text, interrupted=False)

    def _settle(self, utterance: Utterance, heard: str, *, interrupted: bool) -> None:
        """Commit what was heard, once."""
        if utterance.settled:
            return
        utterance.settled = True
        utterance.silent_since = utterance.silent_since or self._call.now()
        introduced = self._call.conversation.get(utterance.id) is not None
        if utterance.kind != "filler" and introduced:  # the client may have deleted it meanwhile
            parts = (TextPart(heard),) if heard else ()
            message = Message("assistant", parts, utterance.id, interrupted=interrupted)
            self._call.conversation.add(message)
        ms = utterance.ms
        if interrupted:
            ms = min(ms, self._call.transport.heard(utterance.id).ms)
        utterance.heard_ms = ms
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
        """After the reply ended early and the transport was flushed: keep what was heard."""
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

    # -- how it stands -----------------------------------------------------------------------

    @property
    def audible(self) -> bool:
        """True while speech of this reply is being played."""
        return any(u.audible and not u.played.is_set() for u in self.utterances)

    @property
    def quiet(self) -> bool:
        """True when all that was said was played."""
        return all(utterance.played.is_set() for utterance in self.utterances)

    @property
    def apologised(self) -> bool:
        """True when this reply was itself the apology for a failed one."""
        return any(utterance.kind == "apology" for utterance in self.utterances)

    def _find(self, utterance_id: str) -> Utterance | None:
        return next((u for u in self.utterances if u.id == utterance_id), None)
