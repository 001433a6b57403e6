"""What is queued to be spoken, what left when, and so how much of it was heard."""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field

import numpy as np

from omni_agent.audio import AudioFrame, Pcm
from omni_agent.lines.clock import SLOT_S
from omni_agent.lines.resampling import PromptResampler
from omni_agent.transport import Heard, PlayoutFinished, PlayoutStarted

FADE_S = 0.008
"""A fade: short enough to be silence at once, long enough not to click."""
EAR_DELAY_S = 0.06
"""From the wire to the ear beyond half a round trip, as measured in browsers: 60 ms ± 30 ms."""
EAR_BOUND_MS = 30.0
REMEMBERED = 64
"""Utterances whose playout is kept in the ledger."""
RECENT_S = 5.0
"""Speech that was sent in the last seconds is kept: a lost line is noticed late."""


@dataclass(slots=True)
class Run:
    """Audio that left without a break. offset, samples: of the utterance, at the line's rate.

    pts: slot-grid position of its first sample in the outgoing stream, samples at that
    rate. sent: loop time at which that sample's frame was due, seconds.
    """

    offset: int
    samples: int
    pts: int
    sent: float


@dataclass(frozen=True, slots=True)
class Sent:
    """Speech that has left. at: loop time at which its first sample was due, seconds."""

    utterance: str
    pcm: Pcm
    at: float


@dataclass(slots=True)
class Spoken:
    """The ledger's page for one utterance."""

    queued: int = 0
    sent: int = 0
    runs: list[Run] = field(default_factory=list)
    complete: bool = False
    over: bool = False
    started: bool = False
    resampler: PromptResampler | None = None

    def take_back(self, samples: int) -> None:
        """The last samples that left did not arrive."""
        self.sent -= samples
        while samples and self.runs:
            cut = min(samples, self.runs[-1].samples)
            self.runs[-1].samples -= cut
            samples -= cut
            if not self.runs[-1].samples:
                self.runs.pop()


class Playout:
    """A queue of speech, read one frame at a time. Pure: times are handed in.

    rate: of what leaves, Hz. slot_s: a frame's length, a whole number of samples. ear_delay_s,
    ear_bound_ms: from the wire to the ear beyond half a round trip, and how far that may be off.
    """

    def __init__(
        self,
        rate: int = 24_000,
        *,
        slot_s: float = SLOT_S,
        ear_delay_s: float = EAR_DELAY_S,
        ear_bound_ms: float = EAR_BOUND_MS,
    ) -> None:
        self.rate, self.frame = rate, round(rate * slot_s)
        """Of what leaves: its rate, Hz, and samples in one frame."""
        self._ear_delay_s, self._ear_bound_ms = ear_delay_s, ear_bound_ms
        self._fade = round(rate * FADE_S)
        self._ramp = np.linspace(1.0, 0.0, self._fade, dtype=np.float32)
        self._queue: deque[tuple[str, Pcm]] = deque()
        self._ledger: OrderedDict[str, Spoken] = OrderedDict()
        self._events: list[PlayoutStarted | PlayoutFinished] = []
        self._finishing: list[str] = []
        self._recent: deque[Sent] = deque()
        self._held = False
        self._stalled = False
        self._fade_out = False
        self._fade_in = False
        self._tail: tuple[str, Pcm] | None = None

    # -- filling -----------------------------------------------------------------

    @property
    def queued_s(self) -> float:
        return sum(len(pcm) for _, pcm in self._queue) / self.rate

    def put(self, utterance: str, frame: AudioFrame) -> None:
        """Queue speech of any sample rate; what comes after the utterance is over is dropped."""
        page = self._page(utterance)
        if page.over or page.complete:
            return
        pcm = frame.pcm
        if frame.sample_rate != self.rate:
            if page.resampler is None or page.resampler.source_rate != frame.sample_rate:
                page.resampler = PromptResampler(frame.sample_rate, self.rate)
            pcm = page.resampler.push(frame.pcm)
        self._append(utterance, page, pcm)

    def finish(self, utterance: str) -> None:
        """No more of this utterance comes."""
        page = self._page(utterance)
        if page.over or page.complete:
            return
        if page.resampler is not None:
            self._append(utterance, page, page.resampler.finish())
            page.resampler = None
        page.complete = True
        self._finishing.append(utterance)

    def _append(self, utterance: str, page: Spoken, pcm: Pcm) -> None:
        if len(pcm):
            page.queued += len(pcm)
            self._queue.append((utterance, pcm))

    def _page(self, utterance: str) -> Spoken:
        page = self._ledger.get(utterance)
        if page is None:
            page = self._ledger[utterance] = Spoken()
            while len(self._ledger) > REMEMBERED:
                self._ledger.popitem(last=False)
        return page

    # -- stopping ----------------------------------------------------------------

    def hold(self) -> None:
        """Silence from the next frame on (after a fade); the queue stays."""
        if not self._held:
            self._held, self._fade_out = True, self._speaking and not self._stalled
            self._fade_in = False

    def resume(self) -> None:
        if self._held:
            self._held, self._fade_out = False, False
            self._fade_in = True

    def flush(self) -> float:
        """Empty the queue but for a fade; returns the milliseconds that are never played."""
        if self._speaking and not self._stalled and (not self._held or self._fade_out):
            self._tail = self._cut_tail()
        self._held = self._fade_out = self._fade_in = False
        dropped = 1000 * self.queued_s
        self._queue.clear()
        self._finishing.clear()
        for page in self._ledger.values():
            page.over = True
            page.resampler = None
        return dropped

    def stall(self, since: float) -> None:
        """Silence until ``recover``, and what was sent after loop time ``since`` reached nobody.

        Of an utterance that is not over, it is queued to be said again.
        """
        self._stalled, self._fade_out = True, False
        while self._recent and self._recent[-1].at >= since:
            lost = self._recent.pop()
            page = self._page(lost.utterance)
            page.take_back(len(lost.pcm))
            if not page.over:
                self._queue.appendleft((lost.utterance, lost.pcm))
        for event in list(self._events):
            page = self._page(event.utterance)
            if isinstance(event, PlayoutFinished) and page.sent < page.queued:
                self._events.remove(event)
                self._finishing.append(event.utterance)

    def recover(self) -> None:
        """The line is back: go on, where it was lost."""
        if self._stalled:
            self._stalled, self._fade_in = False, not self._held

    @property
    def _speaking(self) -> bool:
        """Whether the next frame continues audio that the last one began."""
        if not self._queue:
            return False
        page = self._ledger.get(self._queue[0][0])
        return page is not None and page.sent > 0

    def _cut_tail(self) -> tuple[str, Pcm]:
        """Take the fade's worth of audio off the queue's head."""
        utterance, pcm = self._queue[0]
        self._queue[0] = (utterance, pcm[self._fade :])
        return utterance, pcm[: self._fade]

    # -- playing -----------------------------------------------------------------

    def next_frame(self, slot: int, at: float) -> Pcm | None:
        """The frame of slot ``slot``, due at loop time ``at``: int16 (frame,), None
        for silence."""
        pcm: Pcm | None = None
        if self._tail is not None:
            pcm = self._play_tail(self._tail, slot, at)
            self._tail = None
        elif self._held or self._stalled:
            if self._fade_out and self._queue:
                pcm = self._play_tail(self._cut_tail(), slot, at)
            self._fade_out = False
        elif self._ready():
            pcm = self._play(slot, at)
        if not (self._held or self._stalled):
            self._settle(at)
        return pcm

    def _ready(self) -> bool:
        """Whether there is a whole frame to send, or the last bit of something complete."""
        samples = 0
        for utterance, pcm in self._queue:
            samples += len(pcm)
            if samples >= self.frame:
                return True
            page = self._ledger.get(utterance)
            if page is not None and page.complete and page.sent + samples >= page.queued:
                return True
        return False

    def _play(self, slot: int, at: float) -> Pcm:
        out = np.zeros(self.frame, np.int16)
        filled = 0
        while filled < self.frame and self._queue:
            utterance, pcm = self._queue.popleft()
            piece, rest = pcm[: self.frame - filled], pcm[self.frame - filled :]
            if len(rest):
                self._queue.appendleft((utterance, rest))
            out[filled : filled + len(piece)] = piece
            self._enter(utterance, piece, slot, filled, at)
            filled += len(piece)
        if self._fade_in:
            self._fade_in = False
            out[: self._fade] = (out[: self._fade] * self._ramp[::-1]).astype(np.int16)
        return out

    def _play_tail(self, tail: tuple[str, Pcm], slot: int, at: float) -> Pcm:
        utterance, pcm = tail
        out = np.zeros(self.frame, np.int16)
        out[: len(pcm)] = (pcm * self._ramp[-len(pcm) :] if len(pcm) else pcm).astype(np.int16)
        if len(pcm):
            self._enter(utterance, pcm, slot, 0, at)
        return out

    def _enter(self, utterance: str, pcm: Pcm, slot: int, within: int, at: float) -> None:
        """Note in the ledger what has left."""
        page = self._page(utterance)
        if not page.started:
            page.started = True
            self._events.append(PlayoutStarted(utterance, at))
        samples, pts, sent = len(pcm), slot * self.frame + within, at + within / self.rate
        last = page.runs[-1] if page.runs else None
        if last is not None and last.pts + last.samples == pts:
            last.samples += samples
        else:
            page.runs.append(Run(page.sent, samples, pts, sent))
        page.sent += samples
        self._recent.append(Sent(utterance, pcm, sent))
        while self._recent[0].at < sent - RECENT_S:
            self._recent.popleft()

    def _settle(self, at: float) -> None:
        done = [
            name for name in self._finishing if self._page(name).sent >= self._page(name).queued
        ]
        for utterance in done:
            self._finishing.remove(utterance)
            self._events.append(PlayoutFinished(utterance, at))

    def take_events(self, *, certain: bool = True) -> list[PlayoutStarted | PlayoutFinished]:
        """What began and ended since the last call.

        certain: whether the line is known to be there; where it is not, an end waits.
        """
        events: list[PlayoutStarted | PlayoutFinished] = []
        while self._events and (certain or isinstance(self._events[0], PlayoutStarted)):
            event = self._events.pop(0)
            if isinstance(event, PlayoutFinished):
                self._page(event.utterance).over = True
            events.append(event)
        return events

    # -- the ledger ----------------------------------------------------------------

    def heard(self, utterance: str, now: float, round_trip_s: float = 0.0) -> Heard:
        """How much of it is in the user's ear at loop time ``now``, from the ledger alone."""
        page = self._ledger.get(utterance)
        if page is None:
            return Heard(0.0)
        arrived = now - round_trip_s / 2 - self._ear_delay_s
        samples = 0.0
        for run in page.runs:
            samples += min(run.samples, max(0.0, (arrived - run.sent) * self.rate))
        certain = page.complete and samples >= page.queued
        return Heard(1000 * samples / self.rate, 0.0 if certain else self._ear_bound_ms)
