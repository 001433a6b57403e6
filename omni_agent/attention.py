"""The user's side of a call: what was heard, and what it means for who speaks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from omni_agent import events
from omni_agent.call import Call
from omni_agent.conversation import AudioPart, Message, Part, TextPart
from omni_agent.listening import (
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
from omni_agent.manners import (
    is_backchannel,
    is_command,
    is_farewell,
    is_hum,
    is_patience,
    is_unfinished,
)
from omni_agent.replies import Replies
from omni_agent.utterance import Moment


class Attention:
    """Follows the user's turns: barge-in or noise, answered when they are over.

    A Thinker that hears gets the audio at the pause. The words, which come later, then
    decide only what they must: whether it was noise, a farewell or unfinished.
    goodbye: told when the user has said goodbye.
    """

    def __init__(self, call: Call, replies: Replies, goodbye: Callable[[], None]) -> None:
        self._call, self._replies, self._goodbye = call, replies, goodbye
        self._over_the_agent: set[UserTurn] = set()
        """Turns over the agent's speech, as long as they have not taken the floor."""
        self._ignored: set[UserTurn] = set()
        """Turns that are noise, as far as is known."""
        self._moments: dict[UserTurn, Moment] = {}
        """What the user had heard when a turn began that is not over yet."""
        self._echoing: set[UserTurn] = set()
        """Turns over the agent's speech whose words, so far, are its own."""
        self._resounding: set[UserTurn] = set()
        """Paused turns that sound like what the agent said."""

    async def consider(self, heard: HeardEvent) -> None:
        """Do what this calls for."""
        match heard:
            case TurnBegan(turn):
                await self._turn_began(turn)
            case SpokeLong(turn, audio):
                own = turn in self._echoing or self._moments[turn].resounds(audio)
                if turn in self._over_the_agent and not own:
                    await self._take_the_floor(turn)
            case SpeechSoFar(turn, audio):
                self._read_ahead(turn, AudioPart(audio))
            case WordsSoFar(turn, text):
                self._show(turn, text)
                await self._words_so_far(turn, text)
            case Paused(turn):
                await self._paused(turn)
            case LikelyOver(turn, transcript):
                await self._likely_over(turn, transcript.text)
            case WentOn(turn):
                await self._replies.discard(turn)
                self._ignored.discard(turn)
                self._resounding.discard(turn)
            case EndOfTurn(turn):
                self._call.turn = None if self._call.turn is turn else self._call.turn
                self._call.awaited.add(turn)
                self._emit(events.SpeechStopped(self._call.now(), turn.item_id, turn.ended_ms))
            case TurnOver(turn, transcript):
                self._call.awaited.discard(turn)
                await self._turn_over(turn, transcript.text)
            case HearingFailed(_, error):
                self._call.report("ears", error)

    def _emit(self, event: events.Event) -> None:
        self._call.emit(event)

    def _show(self, turn: UserTurn, text: str, *, final: bool = False) -> None:
        self._emit(events.UserTranscript(self._call.now(), turn.item_id, text, final))

    # -- while the user speaks ----------------------------------------------------------

    async def _turn_began(self, turn: UserTurn) -> None:
        self._call.turn = turn
        self._emit(events.SpeechStarted(self._call.now(), turn.item_id, turn.began_ms))
        self._moments[turn] = self._replies.moment()
        if self._replies.current is not None:
            self._over_the_agent.add(turn)
            self._call.transport.hold()
            if self._call.outfit.persona.turn.backchannels == "interrupt":
                await self._yield()

    async def _words_so_far(self, turn: UserTurn, text: str) -> None:
        if turn not in self._over_the_agent:
            if not self._call.stages.thinker.hears:
                self._read_ahead(turn, TextPart(text))
        elif self._moments[turn].echoes(text):
            self._echoing.add(turn)
        elif not self._is_aside(turn, text):
            await self._take_the_floor(turn)

    async def _take_the_floor(self, turn: UserTurn) -> None:
        await self._yield()
        await self._paused(turn)

    async def _yield(self) -> None:
        """It is a barge-in: stop speaking."""
        self._over_the_agent.clear()
        await self._replies.interrupt()
        self._call.transport.resume()  # a reply that ended by itself left the line held

    def _speak_on(self) -> None:
        """It was only noise; speak on, unless another turn may still be a barge-in."""
        if self._over_the_agent <= self._ignored:
            self._call.transport.resume()

    def _read_ahead(self, turn: UserTurn, words: Part) -> None:
        if turn not in self._over_the_agent:  # else the conversation is about to change
            self._replies.read_ahead(self._message(turn, words))

    # -- when they pause -----------------------------------------------------------------

    async def _paused(self, turn: UserTurn) -> None:
        """Start to answer what a Thinker can hear, if the user is silent (still)."""
        hears = self._call.stages.thinker.hears
        if turn.audio is None:
            return
        if self._moments[turn].resounds(turn.audio):
            self._resounding.add(turn)
        elif hears and turn not in self._over_the_agent:
            await self._replies.draft(turn, self._heard(turn))

    async def _likely_over(self, turn: UserTurn, text: str) -> None:
        if not text:
            await self._replies.discard(turn)
            return
        self._show(turn, text)
        if self._is_noise(turn, text):
            self._ignored.add(turn)
            await self._replies.discard(turn)
            self._speak_on()
            return
        if turn in self._over_the_agent:
            await self._yield()
        if self._is_farewell(text):
            await self._replies.discard(turn)
        elif self._replies.check_draft(turn, text) is None and not is_unfinished(text):
            await self._replies.draft(turn, self._heard(turn, text))

    def _is_noise(self, turn: UserTurn, text: str) -> bool:
        """The agent's own words, or said while it speaks and not to take the turn."""
        return self._moments[turn].echoes(text) or self._is_aside(turn, text)

    def _is_aside(self, turn: UserTurn, text: str) -> bool:
        """A sound of the agent's, or a listening noise.

        A short word after a question is its answer, and so is one while nothing can be heard
        that it could accompany.
        """
        if turn in self._resounding and not is_command(text):
            return True
        moment = self._moments[turn]
        if moment.asked or turn not in self._over_the_agent or not is_backchannel(text):
            return False
        return moment.audible or is_hum(text) or (moment.waiting and is_patience(text))

    def _is_farewell(self, text: str) -> bool:
        goodbye = self._call.outfit.persona.goodbye
        return bool(goodbye) and is_farewell(text, after=self._call.conversation.told)

    # -- when they are done ----------------------------------------------------------------

    async def _turn_over(self, turn: UserTurn, text: str) -> None:
        noise = not text or turn in self._ignored
        if noise and turn in self._over_the_agent:
            self._over_the_agent.remove(turn)
            self._speak_on()
        if noise and text:
            self._emit(events.BackchannelIgnored(self._call.now(), turn.item_id, text))
        for turns in (self._over_the_agent, self._ignored, self._echoing, self._resounding):
            turns.discard(turn)
        self._moments.pop(turn, None)
        self._show(turn, text, final=True)
        if noise:
            await self._replies.discard(turn)
            self._replies.rest()
        else:
            await self._answer(turn, text)

    async def _answer(self, turn: UserTurn, text: str) -> None:
        replies = self._replies
        async with replies.floor():  # from a reply that began meanwhile, say to a late result
            heard = replies.check_draft(turn, text)
            if heard is None or self._call.attending or self._is_farewell(text):
                await replies.discard()
            message = self._heard(turn, text) if heard is None else _with_words(heard, text)
            self._call.conversation.add(message)
            if self._call.attending:  # the user goes on already: answer it all then
                replies.owe()
            elif self._is_farewell(text):
                self._goodbye()
            else:
                replies.answer_turn(turn, message)

    async def answer_typed(self) -> None:
        """The client wants an answer to what it added to the conversation."""
        async with self._replies.floor():
            asked = self._call.conversation.asked
            newest = self._call.conversation.items[-1:]
            if asked is not None and newest == (asked,) and self._is_farewell(asked.text):
                self._goodbye()
            else:
                self._replies.answer()

    def _heard(self, turn: UserTurn, text: str | None = None) -> Message:
        """A turn as the Thinker takes it in. text: None while the words are not known."""
        if self._call.stages.thinker.hears and turn.audio is not None:
            return self._message(turn, AudioPart(turn.audio, text))
        return self._message(turn, TextPart(text or ""))

    def _message(self, turn: UserTurn, words: Part) -> Message:
        return Message("user", (words, *self._call.pictures()), turn.item_id)


def _with_words(heard: Message, text: str) -> Message:
    """The message as the Thinker heard it, with what the ears made of it."""
    parts = (replace(p, transcript=text) if isinstance(p, AudioPart) else p for p in heard.parts)
    return replace(heard, parts=tuple(parts))
