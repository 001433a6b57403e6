"""Push to talk: what is said is a turn when the client says so, and not before."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial

from omni_agent.audio import AudioFrame, concatenate
from omni_agent.conversation import new_id
from omni_agent.ears import EAR_RATE, Ears, Transcript
from omni_agent.errors import EngineError, ProtocolError
from omni_agent.hearing.account import Account
from omni_agent.hearing.heard import HearingFailed, UserTurn
from omni_agent.hearing.transcribing import transcribed
from omni_agent.hearing.turns import TurnTiming
from omni_agent.runtime.scope import answer_within

LEAST_MS = 100
"""Less was no intention to say anything (OpenAI's least, too)."""
MOST_S = 300.0
"""Of one turn; of more, the oldest is lost."""
PIECE_S = 28.0
"""What ears are given at once: Whisper hears 30 s."""
PIECE_WITHIN_S = 30.0
"""Ears that need longer for a piece have failed."""


@dataclass(frozen=True, slots=True)
class _Arrival:
    """Of a piece of audio. end_ms: where in all of it that ends. zero_at: when all of it would
    have begun, loop seconds, had this come as it was said."""

    end_ms: float
    zero_at: float


class PushToTalk:
    """One caller's audio since it was last committed or cleared. ears: None finds no words."""

    def __init__(self, ears: Ears | None, account: Account) -> None:
        self._ears, self._account = ears, account
        self._held: deque[tuple[AudioFrame, _Arrival]] = deque()
        self._held_s = 0.0

    def push(self, frame: AudioFrame) -> None:
        """The next piece of audio, of any sample rate."""
        frame = self._account.read(frame)
        end_ms, now = self._account.audio_ms, asyncio.get_running_loop().time()
        self._held.append((frame, _Arrival(end_ms, now - end_ms / 1000)))
        self._held_s += frame.held_s
        while self._held_s > MOST_S:
            self._held_s -= self._held.popleft()[0].held_s

    def clear(self) -> None:
        """Forget what was not committed."""
        self._held.clear()
        self._held_s = 0.0

    def commit(self, language: str) -> UserTurn:
        """The turn; that it is over is told with its words. language: a BCP 47 tag.

        Raises ProtocolError when hardly anything was said.
        """
        audio = concatenate([frame for frame, _ in self._held], EAR_RATE)
        if 1000 * audio.seconds < LEAST_MS:
            raise ProtocolError(f"under {LEAST_MS} ms of audio: there is nothing to commit")
        arrivals = [arrival for _, arrival in self._held]
        self.clear()
        now, ended_ms = asyncio.get_running_loop().time(), round(self._account.audio_ms)
        began_ms = max(0, ended_ms - round(1000 * audio.seconds))
        began_at = _said_at(began_ms, arrivals, now)
        turn = UserTurn(new_id("item"), began_ms, began_at, ended_ms, now, now, audio)
        self._account.conclude(turn, partial(self._words, turn, arrivals, language))
        return turn

    async def _words(
        self, turn: UserTurn, arrivals: Sequence[_Arrival], language: str
    ) -> Transcript | None:
        """None when somebody spoke, as far as is known, and nobody understood it."""
        ears, audio = self._ears, turn.audio
        if ears is None or audio is None:
            return None
        try:
            silent_ms = await answer_within(partial(_silent_ms, ears, audio), None, "the ears")
            if silent_ms is None:
                return Transcript("", language=language)  # ears would make some up
            turn.began_ms += silent_ms
            turn.began_at = _said_at(turn.began_ms, arrivals, turn.speech_end)
            pieces = [await _words_of(ears, piece, language) for piece in _pieces(audio)]
        except EngineError as error:
            self._account.tell(HearingFailed(error))
            return None
        text = " ".join(filter(None, pieces))
        return Transcript(text, language=language) if text else None


def _said_at(ms: int, arrivals: Sequence[_Arrival], released_at: float) -> float:
    """At the latest: a client may send all of it at the end, and nothing while nobody speaks."""
    zero_at = (arrival.zero_at for arrival in arrivals if arrival.end_ms > ms)
    return min((zero + ms / 1000 for zero in zero_at), default=released_at)


async def _silent_ms(ears: Ears, audio: AudioFrame) -> int | None:
    """Until somebody speaks; None when nobody does."""
    silent_ms = 0
    async with AsyncExitStack() as closing:
        activity = ears.voice_activity()
        closing.push_async_callback(answer_within, activity.aclose, PIECE_WITHIN_S, "the ears")
        for piece in _pieces(audio):
            push = partial(activity.push, piece)
            heard = await answer_within(push, PIECE_WITHIN_S, "the ears")
            for probability in heard:
                if probability >= TurnTiming().threshold:
                    return silent_ms
                silent_ms += activity.window_ms
    return None


async def _words_of(ears: Ears, audio: AudioFrame, language: str) -> str:
    found = await transcribed(ears, audio, language, within_s=PIECE_WITHIN_S)
    return found.text.strip()


def _pieces(audio: AudioFrame) -> list[AudioFrame]:
    """In turn, each cut where it is quietest near its longest."""
    pieces, rest = list[AudioFrame](), audio.pcm
    most, window = int(PIECE_S * EAR_RATE), EAR_RATE // 10
    while len(rest) > most:
        quiet = [
            abs(rest[at : at + window].astype(int)).sum() for at in range(most // 2, most, window)
        ]
        cut = most // 2 + window * quiet.index(min(quiet)) + window // 2
        pieces.append(AudioFrame(rest[:cut], EAR_RATE))
        rest = rest[cut:]
    return [*pieces, AudioFrame(rest, EAR_RATE)]
