"""What is on its way to the user's ear, and what the user has heard of it by now."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from omni_agent.audio import AudioFrame
from omni_agent.events import UtteranceKind
from omni_agent.hearing.echo import is_echo, is_short, resounds
from omni_agent.talker import Speech
from omni_agent.text import after_last_word, word_end, words_heard

NEARLY_MS = 500
"""A question is answered so long before its last word is out …"""
SOON_MS = 1500
"""… and so long after it, though the agent goes on."""
LATELY_MS = 3000
"""One or two words are an echo of what was voiced in so long; more, of all the agent said."""
ECHO_S = 1.0
"""An echo begins so soon after the agent has fallen silent …"""
SHORT_ECHO_S = 0.4
"""… and one of a word or two sooner: "Twelve?" after "room twelve" is a question."""
SOUND_MS = 4000
"""So much of what was played is compared with what comes in …"""
KEPT_MS = 10_000
"""… of so much that is kept, as a line may have a few seconds of it queued."""
PATIENCE_S = 3.0
"""So long after a filler "okay" means that the user will wait."""


@dataclass(slots=True)
class Utterance:
    """A message on its way to the user's ear, and which audio voices which text."""

    id: str
    kind: UtteranceKind
    text: str = ""
    marks: list[tuple[float, int]] = field(default_factory=list)
    """(ms played, characters voiced by then), ascending."""
    begun: bool = False
    """True once it is being voiced."""
    audible: bool = False
    """True once its first audio left for the user."""
    played: asyncio.Event = field(default_factory=asyncio.Event)
    sound: deque[tuple[float, AudioFrame]] = field(default_factory=deque)
    """(ms played by its end, audio) of the latest pieces."""
    failed: bool = False
    """True when the Talker failed: what it had not voiced by then nobody hears."""
    complete: bool = False
    """True once all of it was voiced, and nothing failed."""
    heard_ms: float = 0.0
    """How much of it was heard, once it is settled."""
    settled: bool = False
    withdrawn: bool = False
    """True when it is not to be said any more, if it has not been begun."""
    silent_since: float | None = None
    """Loop time at which it was played out or cut; None before."""

    @property
    def reached_the_user(self) -> bool:
        """It can be heard, or was; of a reply without sound, it was shown."""
        return self.audible or self.played.is_set()

    def heard_out(self, ms: float) -> bool:
        """Whether nearly all of it was heard when ``ms`` milliseconds were played."""
        return self.complete and ms >= self.ms - NEARLY_MS

    @property
    def ms(self) -> float:
        return self.marks[-1][0] if self.marks else 0.0

    def extend(self, speech: Speech) -> None:
        self.marks.append((self.ms + 1000 * speech.audio.seconds, speech.text_end))
        self.sound.append((self.ms, speech.audio))
        while self.sound[0][0] < self.ms - KEPT_MS:
            self.sound.popleft()

    @property
    def played_text(self) -> str:
        """What was heard once all audio was played."""
        whole = self.marks and not self.failed
        return self.text if whole else self.heard_text(self.ms)

    def heard_text(self, ms: float) -> str:
        """The whole words voiced within the first ``ms`` milliseconds."""
        return words_heard(self.text, self._reached(ms))

    def _reached(self, ms: float) -> int:
        """Characters voiced within the first ``ms`` milliseconds."""
        end = 0
        for until, text_end in self.marks:
            if until > ms:
                break
            end = text_end
        return end

    def voiced(self, since_ms: float, until_ms: float) -> str:
        """What was voiced between two places, words that are cut there included."""
        begin, end = self._reached(since_ms), self._reached(until_ms)
        return self.text[after_last_word(self.text[:begin]) : word_end(self.text, end)]

    def sounded(self, since_ms: float, until_ms: float) -> list[AudioFrame]:
        """The audio between two places, in whole pieces."""
        return [audio for end, audio in self.sound if since_ms < end <= until_ms]


@dataclass(frozen=True, slots=True)
class Moment:
    """What the user had heard when they began to speak.

    audible: the agent was speaking. asked: it had just asked something, or nearly. waiting: it
    had just asked for patience, with a filler. said: all it had said; lately: the end of that;
    sound: the end of its audio. silent_s: since it fell silent.
    """

    audible: bool = False
    asked: bool = False
    waiting: bool = False
    said: str = ""
    lately: str = ""
    sound: Sequence[AudioFrame] = ()
    silent_s: float = float("inf")

    def resounds(self, audio: AudioFrame) -> bool:
        """True when this is the agent's own voice, come back."""
        return self.silent_s <= ECHO_S and resounds(audio, self.sound)

    def echoes(self, text: str) -> bool:
        """True when these words are the agent's own, come back."""
        few = is_short(text)
        if self.silent_s > (SHORT_ECHO_S if few else ECHO_S):
            return False
        if self.asked:  # the question's own words may be its answer, but not all of them
            return not few and is_echo(text, self.said) and is_echo(_last(self.said), text)
        return is_echo(text, self.lately if few else self.said)


def _last(said: str) -> str:
    """The last sentence."""
    for mark in ".!":
        said = said.rstrip(" .!").rpartition(f"{mark} ")[2]
    return said


def moment(
    utterances: Sequence[Utterance],
    heard_ms: Callable[[str], float],
    now: float,
    asks: Callable[[str], bool],
) -> Moment:
    """What a user hears now, of utterances in the order they are played in.

    heard_ms: how much of one was played. asks: whether a text ends with a question.
    """
    heard = [utterance for utterance in utterances if utterance.audible]
    if not heard:
        return Moment()
    last = heard[-1]
    ms = min(heard_ms(last.id), last.ms) if last.marks else 0.0
    since = last.silent_since
    silent_s = now - since if since is not None else 0.0
    said, lately = last.voiced(0, ms), last.voiced(ms - LATELY_MS, ms)
    sound = last.sounded(ms - SOUND_MS, ms + NEARLY_MS)
    for before in heard[-2:-1]:
        said = f"{before.text} {said}"
        lately = f"{before.voiced(before.ms - LATELY_MS + ms, before.ms)} {lately}"
        sound = before.sounded(before.ms - SOUND_MS + ms, before.ms) + sound
    return Moment(
        audible=since is None,
        asked=_has_asked(last, ms, asks),
        waiting=last.kind == "filler" and silent_s < PATIENCE_S,
        said=said,
        lately=lately,
        sound=sound,
        silent_s=silent_s,
    )


def _has_asked(utterance: Utterance, ms: float, asks: Callable[[str], bool]) -> bool:
    around = utterance.voiced(ms - SOON_MS, ms + NEARLY_MS)
    return any(mark in around for mark in "?？؟") or asks(utterance.heard_text(ms))
