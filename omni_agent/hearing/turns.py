"""Turn-taking: when a user began, paused, and finished.

``Endpointer`` is a pure state machine over speech probabilities; ``TurnDetector``
feeds it from a caller's audio and keeps the utterance.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum, auto

from omni_agent.audio import AudioFrame, concatenate
from omni_agent.ears import EAR_RATE, VoiceActivity


class Step(Enum):
    """What one window of audio changed."""

    BEGAN = auto()
    PAUSED = auto()
    RESUMED = auto()
    ENDED = auto()


@dataclass(frozen=True, slots=True)
class TurnTiming:
    """Times in ms; probabilities in [0, 1].

    onset_ms: voiced audio that makes a beginning. pause_ms: silence after which
    what was said is worth transcribing already. patience_ms: silence that ends the
    turn. threshold and release: Silero's hysteresis, below its usual 0.5 because a short
    word soon after other speech ("Stop!") often peaks at 0.5, and noise stays under 0.2.
    max_turn_ms: a turn is ended by force here (Whisper hears 30 s at most).
    """

    onset_ms: int = 64
    pause_ms: int = 96
    patience_ms: int = 450
    threshold: float = 0.4
    release: float = 0.3
    max_turn_ms: int = 28_000


class Endpointer:
    """Turns speech probabilities of ``window_ms`` windows into steps."""

    def __init__(self, window_ms: int, timing: TurnTiming) -> None:
        self.window_ms, self.timing = window_ms, timing
        self.patience_ms = timing.patience_ms
        self._voiced_ms = 0
        self._paused = False
        self.active = False
        self.silence_ms = 0
        """Silence since the last voiced window of the turn."""
        self.turn_ms = 0
        """Time since the turn began."""
        self.voiced = 0
        """Windows with a voice in them, ever."""

    def step(self, probability: float) -> Step | None:
        return self._during(probability) if self.active else self._before(probability)

    def _before(self, probability: float) -> Step | None:
        self._voiced_ms = self._voiced_ms + self.window_ms if self._is_voice(probability) else 0
        if self._voiced_ms < self.timing.onset_ms:
            return None
        self.active, self._paused = True, False
        self.silence_ms, self.turn_ms = 0, self._voiced_ms
        self.patience_ms = self.timing.patience_ms
        return Step.BEGAN

    def _is_voice(self, probability: float) -> bool:
        timing = self.timing
        going_on = self.active or self._voiced_ms > 0
        is_voice = probability >= (timing.release if going_on else timing.threshold)
        self.voiced += is_voice
        return is_voice

    def _during(self, probability: float) -> Step | None:
        self.turn_ms += self.window_ms
        if self._is_voice(probability):
            self.silence_ms = 0
            # One window of noise in a pause is not the user going on.
            self._voiced_ms += self.window_ms
            if self._paused and self._voiced_ms >= 2 * self.window_ms:
                self._paused = False
                self.patience_ms = self.timing.patience_ms
                return Step.RESUMED
        else:
            self._voiced_ms = 0
            self.silence_ms += self.window_ms
        if self.silence_ms >= self.patience_ms or self.turn_ms >= self.timing.max_turn_ms:
            return self.end()
        if not self._paused and self.silence_ms >= self.timing.pause_ms:
            self._paused = True
            return Step.PAUSED
        return None

    def end(self) -> Step:
        """The turn is over, whatever follows."""
        self.active, self._voiced_ms = False, 0
        return Step.ENDED


class TurnDetector:
    """One caller's audio in; steps out, with the utterance so far."""

    PRE_ROLL_MS = 320

    def __init__(self, activity: VoiceActivity, timing: TurnTiming) -> None:
        self._activity = activity
        self.endpointer = Endpointer(activity.window_ms, timing)
        self._frames: deque[AudioFrame] = deque()
        self._kept = 0

    async def push(self, frame: AudioFrame) -> list[Step]:
        """Steps that this 16 kHz frame caused, in order."""
        if frame.samples:
            self._frames.append(frame)
            self._kept += frame.samples
        steps: list[Step] = []
        try:
            for probability in await self._activity.push(frame):
                step = self.endpointer.step(probability)
                if step is not None:
                    steps.append(step)
        finally:  # ears that fail must not have us keep all they did not hear
            if not self.endpointer.active and Step.ENDED not in steps:
                self._trim()
        return steps

    def _trim(self) -> None:
        keep = EAR_RATE * (self.PRE_ROLL_MS + self.endpointer.timing.onset_ms) // 1000
        while self._frames and self._kept - self._frames[0].samples >= keep:
            self._kept -= self._frames.popleft().samples

    def utterance(self) -> AudioFrame:
        """The audio of the turn so far, a little before its beginning included."""
        return concatenate(list(self._frames), EAR_RATE)

    def clear(self) -> None:
        """Forget the utterance: the turn is over."""
        self._frames.clear()
        self._kept = 0

    async def aclose(self) -> None:
        await self._activity.aclose()
