"""Listening to one caller: audio in, a stream of what was heard out.

The listener decides when a turn begins, pauses and ends, and transcribes on the
way: at the first pause, while the endpointer still waits, so that the words are
usually known when the turn is over. Whoever understands audio need not wait for
them: the pause itself is told at once. It knows nothing of replies.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from omni_agent.audio import AudioFrame
from omni_agent.conversation import Item, new_id
from omni_agent.ears import Ears, Transcript
from omni_agent.errors import EngineError
from omni_agent.hearing.account import Account
from omni_agent.hearing.ending import likelihood
from omni_agent.hearing.heard import (
    EndOfTurn,
    HearingFailed,
    LikelyOver,
    Paused,
    SpeechSoFar,
    SpokeLong,
    TurnBegan,
    UserTurn,
    WentOn,
    WordsSoFar,
)
from omni_agent.hearing.policy import TurnPolicy
from omni_agent.hearing.transcribing import transcribed
from omni_agent.hearing.turns import Step, TurnDetector
from omni_agent.runtime.scope import answer_within
from omni_agent.turn_taking import TurnEnd

BARGE_IN_MS = 2000
"""Speech this long is meant for the agent, even if no word of it is known yet: the line was held
when it began, and an echo of what was said before has died out by now. Words decide sooner."""
PARTIAL_EVERY_MS = 900
"""How often a user who goes on speaking is transcribed on the way."""
AUDIO_EVERY_MS = 480
"""How often the audio of a user who goes on speaking is told, where somebody wants it. Reading
3 s of it takes a large Thinker some 50 ms, so half a second keeps what is unread at the pause
short and a call's share of the model small."""
STALLED_MS = 1000
"""A turn ends so long after the patience is over when no audio says that the user is silent:
the line stalled, or sends nothing in silence."""
HUNG_MS = 4000
"""… and so much later while the ears still have audio to judge."""
WORDS_WITHIN_S = 15.0
"""Ears that need longer for a turn have failed: 28 s of speech take a laptop some 8 s."""
JUDGED_WITHIN_S = 25.0
"""… and for a piece of audio; a process of ours may be started again meanwhile."""
GIVEN_UP_WITHIN_S = 5.0
"""Ears may take so long to forget a caller."""
SILENCE_HEARD_S = 0.15
"""A learned end of turn is asked so long after the pause was told: with 250 ms of silence
smart-turn knows 92 % of whole sentences, with 100 ms of it 82 %."""
OUTAGE_S = 5.0
"""Failures of the ears closer together than this are one, and told once."""


@dataclass(slots=True)
class _Pause:
    """Its words, and the likelihood that it ends the turn; None while nobody knows."""

    words: str | None = None
    likelihood: float | None = None


class Listener:
    """Hears one caller, and tells the account of them.

    tell_audio: SpeechSoFar is told, for a Thinker that hears. items: the conversation so far, for
    an end of turn that reads it.
    """

    def __init__(
        self,
        ears: Ears,
        policy: TurnPolicy,
        account: Account,
        *,
        tell_audio: bool = False,
        items: Callable[[], Sequence[Item]] = tuple,
    ) -> None:
        self.policy = policy
        self._tell_audio, self._items = tell_audio, items
        self._ears, self._account = ears, account
        self._detector = TurnDetector(ears.voice_activity(), policy.timing)
        self._turn: UserTurn | None = None
        self._work: asyncio.Task[Transcript | None] | None = None
        self._partial: asyncio.Task[None] | None = None
        self._ending: asyncio.Task[None] | None = None
        """Asks the learned end of turn about the pause."""
        self._ending_failed = False
        self._latest = _Pause()
        self._next_partial_ms = self._next_audio_ms = 0
        self._spoke_long = False
        self._watching: asyncio.Task[None] | None = None
        self._voiced_at = 0.0
        """When the user was last heard, loop seconds."""
        self._judging = False
        self._failed_at = -OUTAGE_S

    def follow(self, policy: TurnPolicy) -> None:
        """Another persona's patience, language and manners, from the next turn on."""
        self._detector.endpointer.timing = policy.timing
        self.policy = policy

    async def push(self, frame: AudioFrame) -> None:
        """The next piece of the caller's audio, of any sample rate."""
        voiced, self._judging = self._detector.endpointer.voiced, True
        try:
            steps = await self._judged(self._account.read(frame))
        except EngineError as error:
            self._deaf(error)
            return
        finally:
            self._judging = False
        if self._detector.endpointer.voiced > voiced:
            self._voiced_at = self._now()
        for step in steps:
            self._take(step)
        if self._turn is not None:
            self._check_length(self._turn)

    async def _judged(self, frame: AudioFrame) -> list[Step]:
        """The steps. Raises EngineError whatever goes wrong in the ears, which may be anybody's."""
        push = partial(self._detector.push, frame)
        return await answer_within(push, JUDGED_WITHIN_S, "the ears")

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()

    def _deaf(self, error: EngineError) -> None:
        """The ears failed on a piece of audio, and will on the next."""
        if self._now() - self._failed_at >= OUTAGE_S:
            self._account.tell(HearingFailed(error))
        self._failed_at = self._now()

    def _take(self, step: Step) -> None:
        if step is Step.BEGAN:
            self._begin()
        elif (turn := self._turn) is None:
            return
        elif step is Step.PAUSED:
            self._pause(turn)
        elif step is Step.RESUMED:
            self._forget_work()
            turn.audio = None
            self._account.tell(WentOn(turn))
        else:
            self._end(turn)

    def _begin(self) -> None:
        endpointer = self._detector.endpointer
        began = max(0, round(self._account.audio_ms) - endpointer.turn_ms)
        began_at = self._now() - endpointer.turn_ms / 1000
        self._turn = turn = UserTurn(new_id("item"), began, began_at)
        self._spoke_long = False
        self._next_partial_ms, self._next_audio_ms = PARTIAL_EVERY_MS, AUDIO_EVERY_MS
        self._account.tell(TurnBegan(turn))
        self._watching = self._account.spawn(self._watch(turn))

    async def _watch(self, turn: UserTurn) -> None:
        """End a turn that audio does not end: the endpointer counts audio, not time."""
        endpointer = self._detector.endpointer
        while self._turn is turn:
            patience_ms = endpointer.patience_ms + STALLED_MS + HUNG_MS * self._judging
            left = self._voiced_at + patience_ms / 1000 - self._now()
            if left > 0:
                await asyncio.sleep(left)
            else:
                endpointer.end()
                self._watching = None
                self._end(turn)

    def _check_length(self, turn: UserTurn) -> None:
        endpointer = self._detector.endpointer
        spoken_ms = endpointer.turn_ms - endpointer.silence_ms
        if turn.audio is not None:  # a noise in a pause is not the user going on
            spoken_ms = turn.ended_ms - turn.began_ms
        if spoken_ms >= BARGE_IN_MS and not self._spoke_long:
            self._spoke_long = True
            self._account.tell(SpokeLong(turn, self._detector.utterance()))
        if endpointer.silence_ms == 0 and turn.audio is None:
            self._report(turn, spoken_ms)

    def _report(self, turn: UserTurn, spoken_ms: int) -> None:
        """Tell now and then what a user who goes on speaking has said so far."""
        if self._tell_audio and spoken_ms >= self._next_audio_ms:
            self._next_audio_ms = spoken_ms + AUDIO_EVERY_MS
            self._account.tell(SpeechSoFar(turn, self._detector.utterance()))
        idle = self._partial is None or self._partial.done()
        if spoken_ms >= self._next_partial_ms and idle:
            self._next_partial_ms = spoken_ms + PARTIAL_EVERY_MS
            audio = self._detector.utterance()
            self._partial = self._account.spawn(self._report_words(turn, audio))

    async def _report_words(self, turn: UserTurn, audio: AudioFrame) -> None:
        try:
            transcript = await self._transcribed(audio)
        except EngineError:
            return  # only a preview: the words of the whole turn are what counts
        if transcript.text and self._turn is turn:
            self._account.tell(WordsSoFar(turn, transcript.text))

    def _pause(self, turn: UserTurn) -> None:
        """The user fell silent: take what was said, and find out the words."""
        if self._partial is not None:
            self._partial.cancel()
        silence_ms = self._detector.endpointer.silence_ms
        turn.speech_end = self._now() - silence_ms / 1000
        turn.ended_ms = round(self._account.audio_ms) - silence_ms
        turn.audio = self._detector.utterance()
        self._account.tell(Paused(turn))
        self._latest = _Pause()
        self._work = self._account.spawn(self._words(turn, turn.audio))
        if self.policy.end is not None:
            self._ending = self._account.spawn(
                self._ask_whether_over(turn, self.policy.end, self._work)
            )

    async def _words(self, turn: UserTurn, audio: AudioFrame) -> Transcript | None:
        transcript = await self._guess(audio)
        if self._turn is turn and transcript is not None:
            self._latest.words = transcript.text
            self._be_patient()
        self._account.tell(LikelyOver(turn, transcript))
        return transcript

    def _be_patient(self) -> None:
        """As long as what is known of this pause calls for."""
        patience_ms = self.policy.patience_ms(self._latest.words, self._latest.likelihood)
        self._detector.endpointer.patience_ms = patience_ms

    async def _ask_whether_over(
        self, turn: UserTurn, end: TurnEnd, work: asyncio.Task[Transcript | None]
    ) -> None:
        """With the words, if they are known by the time that the silence can be heard."""
        await asyncio.wait([work], timeout=SILENCE_HEARD_S)
        words = self._latest.words
        if words is not None and (not words or self.policy.manners.is_unfinished(words)):
            return
        try:
            over = await likelihood(end, self._detector.utterance(), words or "", self._items())
        except EngineError as error:
            if not self._ending_failed:  # of failures in a row, one is told
                self._account.tell(HearingFailed(error, "turn_end"))
            self._ending_failed = True
            return
        self._ending_failed = False
        if self._turn is turn:
            self._latest.likelihood = over
            self._be_patient()

    async def _guess(self, audio: AudioFrame) -> Transcript | None:
        try:
            return await self._transcribed(audio, within_s=WORDS_WITHIN_S)
        except EngineError as error:
            self._account.tell(HearingFailed(error))
            return None

    async def _transcribed(self, audio: AudioFrame, *, within_s: float | None = None) -> Transcript:
        return await transcribed(self._ears, audio, self.policy.language, within_s=within_s)

    def _forget_work(self) -> None:
        if self._ending is not None:
            self._ending.cancel()
        if self._work is not None:
            self._work.cancel()
            self._work = None

    def _end(self, turn: UserTurn) -> None:
        if self._work is None:
            self._pause(turn)
        work = self._work
        assert work is not None
        for task in (self._watching, self._ending):
            if task is not None:
                task.cancel()
        turn.end_of_turn = self._now()
        self._account.tell(EndOfTurn(turn))
        self._account.conclude(turn, lambda: work)
        self._turn = self._work = None
        self._detector.clear()

    async def aclose(self) -> None:
        """Raises EngineError whatever the ears do about it."""
        await answer_within(self._detector.aclose, GIVEN_UP_WITHIN_S, "the ears")
