"""Listening to one caller: audio in, a stream of what was heard out.

The listener decides when a turn begins, pauses and ends, and transcribes on the
way: at the first pause, while the endpointer still waits, so that the words are
usually known when the turn is over. Whoever understands audio need not wait for
them: the pause itself is told at once. It knows nothing of replies.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from omni_agent.audio import AudioFrame, Resampler
from omni_agent.conversation import new_id
from omni_agent.ears import EAR_RATE, Ears, Transcript
from omni_agent.errors import EngineError
from omni_agent.manners import is_unfinished
from omni_agent.results import words_of
from omni_agent.scope import answer_of
from omni_agent.turns import Step, TurnDetector, TurnTiming

T = TypeVar("T")


class Spawn(Protocol):
    """Makes a task that ends with the call."""

    def __call__(self, work: Coroutine[Any, Any, T], /) -> asyncio.Task[T]: ...


BARGE_IN_MS = 2000
"""Speech this long is meant for the agent, even if no word of it is known yet: the line was held
when it began, and an echo of what was said before has died out by now. Words decide sooner."""
PARTIAL_EVERY_MS = 900
"""How often a user who goes on speaking is transcribed on the way."""
AUDIO_EVERY_MS = 480
"""How often the audio of a user who goes on speaking is told, where somebody wants it. Reading
3 s of it takes a large Thinker some 50 ms, so half a second keeps what is unread at the pause
short and a call's share of the model small."""
UNFINISHED_EXTRA_MS = 700
"""More patience when the words ask for more ("set a timer for")."""
STALLED_MS = 1000
"""A turn ends so long after the patience is over when no audio says that the user is silent:
the line stalled, or sends nothing in silence."""
HUNG_MS = 4000
"""… and so much later while the ears still have audio to judge."""
WORDS_WITHIN_S = 15.0
"""Ears that need longer for a turn have failed: 28 s of speech take a laptop some 8 s."""
JUDGED_WITHIN_S = 25.0
"""… and for a piece of audio; a process of ours may be started again meanwhile."""
EARSHOT_S = 10.0
"""Audio that waits for ears; of more, the oldest is lost."""
OUTAGE_S = 5.0
"""Failures of the ears closer together than this are one, and told once."""


@dataclass(slots=True, eq=False)
class UserTurn:
    """One stretch of user speech. Times: ``_ms`` in the incoming audio, else loop seconds.

    audio: all that was said, 16 kHz, once the user is silent; None while they speak.
    """

    item_id: str
    began_ms: int
    ended_ms: int = 0
    speech_end: float = 0.0
    end_of_turn: float = 0.0
    audio: AudioFrame | None = None


@dataclass(frozen=True, slots=True)
class TurnBegan:
    turn: UserTurn


@dataclass(frozen=True, slots=True)
class SpokeLong:
    """The turn has lasted longer than a listening noise does; the audio of it, 16 kHz."""

    turn: UserTurn
    audio: AudioFrame


@dataclass(frozen=True, slots=True)
class WordsSoFar:
    turn: UserTurn
    text: str


@dataclass(frozen=True, slots=True)
class SpeechSoFar:
    """The user goes on speaking; this is the audio of it, 16 kHz, from the turn's beginning."""

    turn: UserTurn
    audio: AudioFrame


@dataclass(frozen=True, slots=True)
class Paused:
    """The user fell silent, perhaps for good: ``turn.audio`` is set. LikelyOver follows."""

    turn: UserTurn


@dataclass(frozen=True, slots=True)
class LikelyOver:
    """The words of a paused turn, if nothing follows; empty when it was noise."""

    turn: UserTurn
    transcript: Transcript


@dataclass(frozen=True, slots=True)
class WentOn:
    """… and something follows."""

    turn: UserTurn


@dataclass(frozen=True, slots=True)
class EndOfTurn:
    """The silence was long enough. TurnOver follows with the words."""

    turn: UserTurn


@dataclass(frozen=True, slots=True)
class TurnOver:
    turn: UserTurn
    transcript: Transcript


@dataclass(frozen=True, slots=True)
class HearingFailed:
    """The ears failed; ``turn`` is lost when there was one."""

    turn: UserTurn | None
    error: EngineError


HeardEvent = (
    TurnBegan
    | SpokeLong
    | WordsSoFar
    | SpeechSoFar
    | Paused
    | LikelyOver
    | WentOn
    | EndOfTurn
    | TurnOver
    | HearingFailed
)


class Earshot:
    """Audio on its way to the ears, which may be slow or gone; whoever puts never waits."""

    def __init__(self) -> None:
        self._frames: deque[AudioFrame] = deque()
        self._seconds = 0.0
        self._arrived = asyncio.Event()

    def put(self, frame: AudioFrame) -> None:
        self._frames.append(frame)
        self._seconds += frame.seconds
        while self._seconds > EARSHOT_S and len(self._frames) > 1:
            self._seconds -= self._frames.popleft().seconds
        self._arrived.set()

    async def get(self) -> AudioFrame:
        while not self._frames:
            self._arrived.clear()
            await self._arrived.wait()
        frame = self._frames.popleft()
        self._seconds -= frame.seconds
        return frame


class Listener:
    """Hears one caller. Its transcriptions run in tasks that ``spawn`` makes.

    tell_audio: SpeechSoFar is told, for a Thinker that hears.
    """

    def __init__(
        self,
        ears: Ears,
        timing: TurnTiming,
        language: str,
        spawn: Spawn,
        *,
        tell_audio: bool = False,
    ) -> None:
        self.language = language
        self._tell_audio = tell_audio
        self._ears, self._spawn = ears, spawn
        self._detector = TurnDetector(ears.voice_activity(), timing)
        self._resampler: Resampler | None = None
        self._heard: asyncio.Queue[HeardEvent] = asyncio.Queue()
        self._turn: UserTurn | None = None
        self._work: asyncio.Task[Transcript] | None = None
        self._partial: asyncio.Task[None] | None = None
        self._pending: set[asyncio.Task[None]] = set()
        self._next_partial_ms = self._next_audio_ms = 0
        self._spoke_long = False
        self._watching: asyncio.Task[None] | None = None
        self._voiced_at = 0.0
        """When the user was last heard, loop seconds."""
        self._judging = False
        self._failed_at = -OUTAGE_S

    def retime(self, timing: TurnTiming, language: str) -> None:
        """Another persona's patience and language, from the next turn on."""
        self._detector.endpointer.timing = timing
        self.language = language

    async def events(self) -> AsyncIterator[HeardEvent]:
        """What was heard, in order, for ever."""
        while True:
            yield await self._heard.get()

    async def heard_so_far(self) -> AsyncIterator[HeardEvent]:
        """What was heard of the audio pushed so far, once every word of it is known."""
        while self._pending:
            await asyncio.wait(self._pending)
        while not self._heard.empty():
            yield self._heard.get_nowait()

    async def push(self, frame: AudioFrame) -> None:
        """The next piece of the caller's audio, of any sample rate."""
        voiced, self._judging = self._detector.endpointer.voiced, True
        try:
            steps = await self._judged(self._at_ear_rate(frame))
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
        try:
            async with asyncio.timeout(JUDGED_WITHIN_S):
                return await answer_of(self._detector.push(frame))
        except TimeoutError:
            raise EngineError(f"the ears did not hear within {JUDGED_WITHIN_S:g} s") from None
        except EngineError:
            raise
        except Exception as error:
            raise _failure(error) from error

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()

    def _deaf(self, error: EngineError) -> None:
        """The ears failed on a piece of audio, and will on the next."""
        if self._now() - self._failed_at >= OUTAGE_S:
            self._heard.put_nowait(HearingFailed(self._turn, error))
        self._failed_at = self._now()

    def _at_ear_rate(self, frame: AudioFrame) -> AudioFrame:
        if frame.sample_rate == EAR_RATE:
            return frame
        if self._resampler is None or self._resampler.source_rate != frame.sample_rate:
            self._resampler = Resampler(frame.sample_rate, EAR_RATE)
        return self._resampler.push(frame)

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
            self._heard.put_nowait(WentOn(turn))
        else:
            self._end(turn)

    def _begin(self) -> None:
        endpointer = self._detector.endpointer
        began = max(0, round(self._detector.audio_ms) - endpointer.turn_ms)
        self._turn = turn = UserTurn(new_id("item"), began)
        self._spoke_long = False
        self._next_partial_ms, self._next_audio_ms = PARTIAL_EVERY_MS, AUDIO_EVERY_MS
        self._heard.put_nowait(TurnBegan(turn))
        self._watching = self._spawn(self._watch(turn))

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
            self._heard.put_nowait(SpokeLong(turn, self._detector.utterance()))
        if endpointer.silence_ms == 0 and turn.audio is None:
            self._report(turn, spoken_ms)

    def _report(self, turn: UserTurn, spoken_ms: int) -> None:
        """Tell now and then what a user who goes on speaking has said so far."""
        if self._tell_audio and spoken_ms >= self._next_audio_ms:
            self._next_audio_ms = spoken_ms + AUDIO_EVERY_MS
            self._heard.put_nowait(SpeechSoFar(turn, self._detector.utterance()))
        idle = self._partial is None or self._partial.done()
        if spoken_ms >= self._next_partial_ms and idle:
            self._next_partial_ms = spoken_ms + PARTIAL_EVERY_MS
            audio = self._detector.utterance()
            self._partial = self._spawn(self._report_words(turn, audio))

    async def _report_words(self, turn: UserTurn, audio: AudioFrame) -> None:
        try:
            transcript = await self._transcribed(audio)
        except EngineError:
            return  # only a preview: the words of the whole turn are what counts
        if transcript.text and self._turn is turn:
            self._heard.put_nowait(WordsSoFar(turn, transcript.text))

    def _pause(self, turn: UserTurn) -> None:
        """The user fell silent: take what was said, and find out the words."""
        if self._partial is not None:
            self._partial.cancel()
        silence_ms = self._detector.endpointer.silence_ms
        turn.speech_end = self._now() - silence_ms / 1000
        turn.ended_ms = round(self._detector.audio_ms) - silence_ms
        turn.audio = self._detector.utterance()
        self._heard.put_nowait(Paused(turn))
        self._work = self._spawn(self._words(turn, turn.audio))

    async def _words(self, turn: UserTurn, audio: AudioFrame) -> Transcript:
        transcript = await self._guess(audio)
        if self._turn is turn and is_unfinished(transcript.text):
            endpointer = self._detector.endpointer
            endpointer.patience_ms = endpointer.timing.patience_ms + UNFINISHED_EXTRA_MS
        self._heard.put_nowait(LikelyOver(turn, transcript))
        return transcript

    async def _guess(self, audio: AudioFrame) -> Transcript:
        try:
            async with asyncio.timeout(WORDS_WITHIN_S):
                return await self._transcribed(audio)
        except EngineError as error:
            self._heard.put_nowait(HearingFailed(None, error))
        except TimeoutError:
            late = EngineError(f"the ears found no words within {WORDS_WITHIN_S:g} s")
            self._heard.put_nowait(HearingFailed(None, late))
        return Transcript("")

    async def _transcribed(self, audio: AudioFrame) -> Transcript:
        """The words. Raises EngineError whatever goes wrong in the ears, which may be anybody's."""
        try:
            found = await answer_of(self._ears.transcribe(audio, language=self.language))
        except EngineError:
            raise
        except Exception as error:
            raise _failure(error) from error
        if not (isinstance(found, Transcript) and isinstance(found.text, str)):
            raise EngineError(
                f"the ears returned a {type(found).__name__}, not a Transcript of text"
            )
        return found

    def _forget_work(self) -> None:
        if self._work is not None:
            self._work.cancel()
            self._work = None

    def _end(self, turn: UserTurn) -> None:
        if self._work is None:
            self._pause(turn)
        assert self._work is not None
        if self._watching is not None:
            self._watching.cancel()
        turn.end_of_turn = self._now()
        self._heard.put_nowait(EndOfTurn(turn))
        concluding = self._spawn(self._conclude(turn, self._work))
        self._pending.add(concluding)
        concluding.add_done_callback(self._pending.discard)
        self._turn = self._work = None
        self._detector.clear()

    async def _conclude(self, turn: UserTurn, work: asyncio.Task[Transcript]) -> None:
        self._heard.put_nowait(TurnOver(turn, await work))

    async def aclose(self) -> None:
        await self._detector.aclose()


def _failure(error: Exception) -> EngineError:
    return EngineError(f"the ears failed: {type(error).__name__}: {words_of(error)}")
