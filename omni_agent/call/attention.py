"""The user's side of a call: what was heard, and what it means for who speaks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from omni_agent import events
from omni_agent.call.replies import Replies
from omni_agent.call.reply_requests import ReplyRequests
from omni_agent.call.state import Call
from omni_agent.call.utterance import Moment, Utterance
from omni_agent.conversation import AudioPart, Message, Part, TextPart
from omni_agent.ears import Transcript
from omni_agent.hearing.heard import (
    EndOfTurn,
    HeardEvent,
    HearingFailed,
    LikelyOver,
    Paused,
    SpeechSoFar,
    SpokeLong,
    TurnBegan,
    TurnOver,
    UserTurn,
    WentOn,
    WordsSoFar,
)
from omni_agent.turn_taking import Manners


@dataclass(slots=True)
class _Known:
    """What is known of a turn so far.

    moment: what the user had heard when it began. question: a tool's, heard by then.
    over_the_agent: it began over the agent's speech, and has not taken the floor. noise: it is no
    turn. echoing: its words are the agent's own. resounding: it sounds like what the agent said.
    """

    moment: Moment
    question: Utterance | None = None
    over_the_agent: bool = False
    noise: bool = False
    echoing: bool = False
    resounding: bool = False

    @property
    def needs_words(self) -> bool:
        """Only they tell it from the agent's own voice, or from a listening noise."""
        return self.over_the_agent or self.resounding


class Attention:
    """Follows the user's turns: barge-in or noise, answered when they are over.

    A Thinker that hears gets the audio at the pause. The words, which come later, then
    decide only what they must: whether it was noise, a farewell or unfinished.
    requests: of the client, which may wait for words. goodbye: told when the user has said
    goodbye.
    """

    def __init__(
        self,
        call: Call,
        replies: Replies,
        requests: ReplyRequests,
        goodbye: Callable[[], None],
    ) -> None:
        self._call, self._replies, self._goodbye = call, replies, goodbye
        self._requests = requests
        self._known: dict[UserTurn, _Known] = {}
        """Of the turns that are not over yet."""

    async def consider(self, heard: HeardEvent) -> None:
        """Do what this calls for."""
        match heard:
            case TurnBegan(turn):
                await self._turn_began(turn)
            case SpokeLong(turn, audio):
                known = self._known[turn]
                own = known.echoing or known.moment.resounds(audio)
                if known.over_the_agent and not own:
                    await self._take_the_floor(turn)
            case SpeechSoFar(turn, audio):
                self._read_ahead(turn, AudioPart(audio))
            case WordsSoFar(turn, text):
                self._show(turn, text)
                await self._words_so_far(turn, text)
            case Paused(turn):
                await self._paused(turn)
            case LikelyOver(turn, transcript):
                await self._likely_over(turn, transcript)
            case WentOn(turn):
                await self._replies.discard(turn)
                self._known[turn].noise = self._known[turn].resounding = False
            case EndOfTurn(turn):
                self._call.turn = None if self._call.turn is turn else self._call.turn
                self._await_words(turn)
                self._emit(events.SpeechStopped(self._call.now(), turn.item_id, turn.ended_ms))
            case TurnOver(turn, transcript):
                self._call.awaited.discard(turn)
                over = self._turn_over if turn in self._known else self._committed_over
                await over(turn, transcript)
            case HearingFailed(error, source):
                self._call.report(source, error)

    @property
    def _manners(self) -> Manners:
        """Of the language that is spoken now."""
        return self._call.outfit.manners

    def _emit(self, event: events.Event) -> None:
        self._call.emit(event)

    def _show(self, turn: UserTurn, text: str, *, final: bool = False) -> None:
        self._emit(events.UserTranscript(self._call.now(), turn.item_id, text, final))

    # -- while the user speaks ----------------------------------------------------------

    async def _turn_began(self, turn: UserTurn) -> None:
        self._call.turn = turn
        self._emit(events.SpeechStarted(self._call.now(), turn.item_id, turn.began_ms))
        question = self._replies.questions.heard_by(turn.began_at)
        self._known[turn] = known = _Known(self._replies.moment(), question)
        if self._replies.current is not None and self._call.outfit.yields:
            known.over_the_agent = True
            self._call.transport.hold()
            any_sound = self._call.outfit.persona.turn.backchannels == "interrupt"
            if any_sound and known.moment.audible:
                await self._yield()

    async def _words_so_far(self, turn: UserTurn, text: str) -> None:
        known, hears = self._known[turn], self._call.stages.thinker.hears
        if not known.over_the_agent:
            if not hears:
                self._read_ahead(turn, TextPart(text))
        elif self._echoes(turn, text):
            known.echoing = True
        elif not (self._is_consent(turn, text) or self._is_listening_noise(turn, text)):
            await self._take_the_floor(turn)

    async def _take_the_floor(self, turn: UserTurn) -> None:
        await self._yield()
        await self._paused(turn)

    async def _yield(self) -> None:
        """It is a barge-in: stop speaking."""
        for known in self._known.values():
            known.over_the_agent = False
        await self._replies.interrupt()
        self._call.transport.resume()  # a reply that ended by itself left the line held

    def _speak_on(self) -> None:
        """It was only noise; speak on, unless another turn may still be a barge-in."""
        if all(known.noise for known in self._known.values() if known.over_the_agent):
            self._call.transport.resume()

    def _read_ahead(self, turn: UserTurn, words: Part) -> None:
        if not self._known[turn].over_the_agent:  # else the conversation is about to change
            self._replies.read_ahead(self._message(turn, words))

    # -- when they pause -----------------------------------------------------------------

    async def _paused(self, turn: UserTurn) -> None:
        """Start to answer what a Thinker can hear, if the user is silent (still)."""
        hears = self._call.stages.thinker.hears
        if turn.audio is None:
            return
        known = self._known[turn]
        if known.moment.resounds(turn.audio):
            known.resounding = True
        elif hears and not known.over_the_agent and self._answers_at_once():
            await self._replies.draft(turn, self._heard(turn))

    async def _likely_over(self, turn: UserTurn, transcript: Transcript | None) -> None:
        if not self._is_understood(transcript, self._known[turn]):
            await self._replies.discard(turn)
        if not (text := _text(transcript)):
            return
        self._show(turn, text)
        if self._is_noise(turn, text):
            self._known[turn].noise = True
            await self._replies.discard(turn)
            self._speak_on()
            return
        if self._is_consent(turn, text):
            await self._replies.discard(turn)
            return
        if self._known[turn].over_the_agent:
            await self._yield()
        if self._call.is_farewell(text):
            await self._replies.discard(turn)
            return
        heard = self._heard(turn, text)
        drafted = self._replies.keep_draft(turn, heard, over=False) is not None
        if not drafted and self._answers_at_once() and not self._manners.is_unfinished(text):
            await self._replies.draft(turn, heard)

    def _consent(self, known: _Known, text: str) -> bool | None:
        """What this answers to a tool's question; None when it does not."""
        return self._replies.questions.answer(text, known.question, self._manners)

    def _is_consent(self, turn: UserTurn, text: str) -> bool:
        return self._consent(self._known[turn], text) is not None

    def _answers_at_once(self) -> bool:
        """Whether a turn would be answered at once: by itself, and not after what is being said."""
        outfit = self._call.outfit
        return outfit.answers and (outfit.yields or self._replies.current is None)

    def _is_understood(self, transcript: Transcript | None, known: _Known | None = None) -> bool:
        """Whether there is anything to answer: a Thinker that hears needs no words for it."""
        if transcript is not None:
            return bool(transcript.text)
        return self._call.stages.thinker.hears and not (known is not None and known.needs_words)

    def _is_noise(self, turn: UserTurn, text: str) -> bool:
        """The agent's own words, or said while it speaks and not to take the turn."""
        return self._echoes(turn, text) or self._is_listening_noise(turn, text)

    def _echoes(self, turn: UserTurn, text: str) -> bool:
        return not self._manners.is_command(text) and self._known[turn].moment.echoes(text)

    def _is_listening_noise(self, turn: UserTurn, text: str) -> bool:
        """A sound of the agent's, or a listening noise.

        A short word after a question is its answer, and so is one while nothing can be heard
        that it could accompany.
        """
        manners, known = self._manners, self._known[turn]
        if known.resounding and not manners.is_command(text):
            return True
        moment = known.moment
        if moment.asked or not known.over_the_agent or not manners.is_backchannel(text):
            return False
        if moment.audible or manners.is_hum(text):
            return True
        return moment.waiting and manners.is_patience(text)

    # -- when they are done ----------------------------------------------------------------

    def _await_words(self, turn: UserTurn) -> None:
        self._call.awaited.add(turn)
        self._requests.await_words()

    async def _turn_over(self, turn: UserTurn, transcript: Transcript | None) -> None:
        known, text = self._known.pop(turn), _text(transcript)
        noise = known.noise or not self._is_understood(transcript, known)
        if noise and known.over_the_agent:
            self._speak_on()
        if noise and text:
            self._emit(events.BackchannelIgnored(self._call.now(), turn.item_id, text))
        self._show(turn, text, final=True)
        if noise:
            await self._replies.discard(turn)
            await self._requests.answer_waiting()
        elif (agreed := self._consent(known, text)) is not None:
            self._settle_question(turn, text, agreed)
        else:
            await self._answer(turn, text)

    def _settle_question(self, turn: UserTurn, text: str, agreed: bool) -> None:
        """It was asked by a tool, which goes on; nobody else answers."""
        self._speak_on()
        self._call.conversation.add(self._heard(turn, text))
        self._requests.forget()
        self._replies.questions.settle(agreed)
        self._replies.rest()

    async def _answer(self, turn: UserTurn, text: str) -> None:
        replies = self._replies
        if not self._answers_at_once():
            await replies.discard(turn)
            self._call.conversation.add(self._heard(turn, text))
            if self._call.outfit.answers:
                replies.owe()
            await self._requests.answer_waiting()
            return
        async with replies.floor():  # from a reply that began meanwhile, say to a late result
            message = self._heard(turn, text)
            heard = replies.keep_draft(turn, message, over=True)
            if heard is None or self._call.attending or self._call.is_farewell(text):
                await replies.discard()
            message = message if heard is None else _with_words(heard, text)
            self._call.conversation.add(message)
            if self._call.attending:  # the user goes on already: answer it all then
                replies.owe()
            elif self._call.is_farewell(text):
                self._goodbye()
            else:
                self._requests.forget()  # this answers it
                replies.answer_turn(turn, message)

    def committed(self, turn: UserTurn) -> None:
        """The client ended a turn itself; it is answered when the client asks for that."""
        self._await_words(turn)
        ms = turn.ended_ms - turn.began_ms
        self._emit(events.AudioCommitted(self._call.now(), turn.item_id, ms))

    async def _committed_over(self, turn: UserTurn, transcript: Transcript | None) -> None:
        text = _text(transcript)
        self._show(turn, text, final=True)
        if self._is_understood(transcript):
            self._call.conversation.add(self._heard(turn, text))
            self._requests.committed(turn)
        await self._requests.answer_waiting()

    def _heard(self, turn: UserTurn, text: str = "") -> Message:
        """A turn as the Thinker takes it in. text: empty where the words are not known."""
        if self._call.stages.thinker.hears and turn.audio is not None:
            return self._message(turn, AudioPart(turn.audio, text or None))
        return self._message(turn, TextPart(text))

    def _message(self, turn: UserTurn, words: Part) -> Message:
        return Message("user", (words, *self._call.pictures()), turn.item_id)


def _text(transcript: Transcript | None) -> str:
    return transcript.text if transcript is not None else ""


def _with_words(heard: Message, text: str) -> Message:
    """The message as the Thinker heard it, with what the ears made of it, if anything."""
    words = text or None
    parts = (replace(p, transcript=words) if isinstance(p, AudioPart) else p for p in heard.parts)
    return replace(heard, parts=tuple(parts))
