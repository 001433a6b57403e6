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
from omni_agent.manners import is_backchannel, is_echo, is_farewell, is_unfinished
from omni_agent.replies import Replies


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
        """Those of them that are noise, as far as is known."""

    async def consider(self, heard: HeardEvent) -> None:
        """Do what this calls for."""
        match heard:
            case TurnBegan(turn):
                await self._turn_began(turn)
            case SpokeLong(turn):
                if turn in self._over_the_agent:
                    await self._yield()
                    await self._paused(turn)
            case SpeechSoFar(turn, audio):
                self._read_ahead(turn, AudioPart(audio))
            case WordsSoFar(turn, text):
                self._show(turn, text)
                if not self._call.stages.thinker.hears:
                    self._read_ahead(turn, TextPart(text))
            case Paused(turn):
                await self._paused(turn)
            case LikelyOver(turn, transcript):
                await self._likely_over(turn, transcript.text)
            case WentOn(turn):
                await self._replies.discard(turn)
                self._ignored.discard(turn)
            case EndOfTurn(turn):
                self._call.turn = None if self._call.turn is turn else self._call.turn
                self._emit(events.SpeechStopped(self._call.now(), turn.item_id, turn.ended_ms))
            case TurnOver(turn, transcript):
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
        if self._replies.current is not None:
            self._over_the_agent.add(turn)
            self._call.transport.hold()
            if self._call.outfit.persona.turn.backchannels == "interrupt":
                await self._yield()

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
        if hears and turn.audio is not None and turn not in self._over_the_agent:
            await self._replies.draft(turn, self._heard(turn))

    async def _likely_over(self, turn: UserTurn, text: str) -> None:
        if not text:
            await self._replies.discard(turn)
            return
        self._show(turn, text)
        if turn in self._over_the_agent:
            if self._is_noise(text):
                self._ignored.add(turn)
                self._speak_on()
                return
            await self._yield()
        if self._is_farewell(text):
            await self._replies.discard(turn)
        elif self._replies.check_draft(turn, text) is None and not is_unfinished(text):
            await self._replies.draft(turn, self._heard(turn, text))

    def _is_noise(self, text: str) -> bool:
        """Said over the agent's speech, but not to take the turn."""
        reply = self._replies.current
        return is_backchannel(text) or is_echo(text, reply.spoken if reply is not None else "")

    def _is_farewell(self, text: str) -> bool:
        return bool(self._call.outfit.persona.goodbye) and is_farewell(text)

    # -- when they are done ----------------------------------------------------------------

    async def _turn_over(self, turn: UserTurn, text: str) -> None:
        noise = not text or turn in self._ignored
        if noise and turn in self._over_the_agent:
            self._over_the_agent.remove(turn)
            self._speak_on()
            if text:
                self._emit(events.BackchannelIgnored(self._call.now(), text))
        self._over_the_agent.discard(turn)
        self._ignored.discard(turn)
        self._show(turn, text, final=True)
        if noise:
            await self._replies.discard(turn)
            self._replies.rest()
        else:
            await self._answer(turn, text)

    async def _answer(self, turn: UserTurn, text: str) -> None:
        replies = self._replies
        await replies.interrupt()  # a reply that began meanwhile, say to a tool's late result
        heard = replies.check_draft(turn, text)
        if heard is None or self._call.turn is not None or self._is_farewell(text):
            await replies.discard()
        message = self._heard(turn, text) if heard is None else _with_words(heard, text)
        self._call.conversation.add(message)
        if self._call.turn is not None:  # the user goes on already: answer it all then
            replies.owe()
        elif self._is_farewell(text):
            self._goodbye()
        else:
            replies.answer_turn(turn, message)

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
