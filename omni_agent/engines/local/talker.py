"""A Talker in a process of its own: hibari, streamed by clause."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence

import numpy as np

from omni_agent.audio import AudioFrame
from omni_agent.engines.local.manner import (
    ALIASES,
    Manner,
    manner,
    objections,
)
from omni_agent.engines.process.worker import Job, Worker
from omni_agent.saying import Said, phrasing
from omni_agent.saying.clauses import Clause, ClauseSplitter
from omni_agent.talker import Speech, Voice

Samples = np.ndarray[tuple[int], np.dtype[np.int16]]

_PIECE_S = 0.04
_PAUSE_SENTENCE_S, _PAUSE_CLAUSE_S = 0.22, 0.07
"""The voice's own pauses, put back after its silence was trimmed: about what people
leave between sentences and at a comma when they read aloud."""

_SAY_S, _SAY_RATE = 15.0, 0.2
"""Deadline for a clause: 15 s, and 0.2 s a character. An idle laptop takes 0.1 s for 90 of them."""


class LocalTalker:
    """See :class:`omni_agent.talker.Talker`. Start with :meth:`start`."""

    def __init__(self, worker: Worker, sample_rate: int, installed: Mapping[str, bool]) -> None:
        """installed: the engine's voices, and whether each is there."""
        self.worker, self.sample_rate, self._installed = worker, sample_rate, installed

    @staticmethod
    async def start() -> LocalTalker:
        """Raises EngineUnavailable when the voice cannot be loaded."""
        job = Job(
            "voice",
            "omni_agent.engines.local.voicing:Voicing",
            {},
            environment={"OMP_NUM_THREADS": "1"},
        )
        worker = Worker(job)
        info = await worker.start()
        return LocalTalker(worker, int(info["sample_rate"]), info["voices"])

    @property
    def trouble(self) -> str:
        return self.worker.trouble

    @property
    def voices(self) -> Collection[str]:
        return sorted({*self._installed, *ALIASES})

    def objections(self, voice: Voice) -> Sequence[str]:
        return objections(voice, self._installed)

    async def speak(self, text: AsyncIterator[str], voice: Voice) -> AsyncIterator[Speech]:
        how = manner(voice)
        clauses = ClauseSplitter(phrasing(voice.language))
        track = _Track(self.sample_rate)
        async for piece in text:
            for clause in clauses.push(piece):
                for speech in track.voiced(*await self._say(clause, how, voice), clause, how):
                    yield speech
        if rest := clauses.flush():
            for speech in track.voiced(*await self._say(rest, how, voice), rest, how):
                yield speech
        if track.text_end < clauses.length:
            # What is left is silent (white space, a dash): it counts as voiced, too.
            yield Speech(
                AudioFrame.silence(_PIECE_S, self.sample_rate, track.position), clauses.length
            )

    async def prepare(self, voice: Voice) -> None:
        """Nothing: this voice knows of nothing but its text."""

    async def aclose(self) -> None:
        await self.worker.aclose()

    async def _say(self, clause: Clause, how: Manner, voice: Voice) -> tuple[Samples, Said]:
        body = {
            "text": clause.text,
            "language": voice.language,
            "voice": how.speaker,
            "speed": how.speed,
            "pitch": how.pitch,
        }
        deadline_s = _SAY_S + _SAY_RATE * len(clause.text)
        reply = await self.worker.call("say", body, deadline_s=deadline_s)
        said = Said(str(reply.body["said"]), reply.body["reach"], len(clause.text))
        return np.frombuffer(reply.blob, "<i2").astype(np.int16), said


class _Track:
    """Lays clauses end to end and says how far into the text each piece reaches."""

    def __init__(self, sample_rate: int) -> None:
        self._rate = sample_rate
        self._gap_s = 0.0
        self.position = 0
        self.text_end = 0

    def voiced(self, pcm: Samples, said: Said, clause: Clause, how: Manner) -> Iterator[Speech]:
        """The pause left over from the clause before, then this clause in small pieces."""
        if not len(pcm):
            return
        gap = np.zeros(round(self._gap_s * self._rate), np.int16)
        sound = np.concatenate([gap, pcm])
        size = round(_PIECE_S * self._rate)
        for at in range(0, len(sound), size):
            piece = sound[at : at + size]
            # Linear in the words and in the sound without the gap: a pause says nothing.
            done = max(0, at + len(piece) - len(gap)) / len(pcm)
            self.text_end = clause.start + said.written(round(done * len(said.text)))
            yield Speech(AudioFrame(piece, self._rate, self.position), self.text_end)
            self.position += len(piece)
        self._gap_s = _pause_s(clause, how)


def _pause_s(clause: Clause, how: Manner) -> float:
    if clause.soft:
        return 0.0
    own = _PAUSE_SENTENCE_S if clause.final else _PAUSE_CLAUSE_S
    return own / how.speed + (how.pause_ms / 1000 if clause.final else 0.0)
