"""Ears in a process of their own: Silero VAD and Whisper."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from omni_agent.audio import AudioFrame
from omni_agent.ears import EAR_RATE, Transcript
from omni_agent.engines.local.languages import objection
from omni_agent.engines.process.worker import Job, Worker
from omni_agent.errors import EngineError
from omni_agent.runtime.scope import answer_within

_WINDOW = 512
_SHORTEST_S = 0.1
_VAD_PATIENCE_S, _VAD_DEADLINE_S = 2.0, 10.0
"""A window takes 0.12 ms. Audio that comes every 20 ms cannot wait: after the first of these it
is given up, after the second the process is."""
_TRANSCRIBE_S, _TRANSCRIBE_RATE = 30.0, 3.0
"""Deadline: 30 s, and 3 s a second of audio. The worst case, noise that is tried thrice, 20 s of
it, takes 3 s on two idle cores and took 48 s beside eight busy processes."""


class LocalVoiceActivity:
    """One caller's detector; its recurrent state lives in the ears' process."""

    window_ms = _WINDOW * 1000 // EAR_RATE

    def __init__(self, worker: Worker, caller: int) -> None:
        self._worker, self._caller = worker, caller
        self._rest = np.zeros(0, np.int16)

    async def push(self, frame: AudioFrame) -> Sequence[float]:
        _check_rate(frame)
        samples = np.concatenate([self._rest, frame.pcm])
        whole = len(samples) // _WINDOW * _WINDOW
        self._rest = samples[whole:]
        if not whole:
            return ()
        pcm = samples[:whole].astype("<i2").tobytes()
        if trouble := self._worker.trouble:
            raise EngineError(trouble)  # whoever listens has nothing to gain by waiting
        asked = {"caller": self._caller}
        ask = partial(self._worker.call, "vad", asked, pcm, deadline_s=_VAD_DEADLINE_S, wait_s=0.0)
        reply = await answer_within(ask, _VAD_PATIENCE_S, "ears")
        return tuple(float(p) for p in reply.body["probabilities"])

    async def aclose(self) -> None:
        if self._worker.pid is not None:
            with suppress(EngineError, TimeoutError):
                async with asyncio.timeout(_VAD_PATIENCE_S):
                    await self._worker.call("forget", {"caller": self._caller}, wait_s=0.0)


class LocalEars:
    """See :class:`omni_agent.ears.Ears`. Start with :meth:`start`."""

    def __init__(self, worker: Worker, languages: Sequence[str]) -> None:
        self.worker, self.languages = worker, languages
        self._callers = itertools.count(1)

    @staticmethod
    async def start(whisper: Path, vad: Path | None = None) -> LocalEars:
        """whisper: folder of a CTranslate2 Whisper. vad: a Silero ONNX file of version 6.

        Raises EngineUnavailable when the models cannot be loaded.
        """
        options: dict[str, Any] = {"whisper": str(whisper), "vad": str(vad) if vad else None}
        job = Job(
            "ears",
            "omni_agent.engines.local.hearing:Hearing",
            options,
            environment={"OMP_NUM_THREADS": "1"},
        )
        worker = Worker(job)
        info = await worker.start()
        return LocalEars(worker, tuple(info["languages"]))

    @property
    def trouble(self) -> str:
        return self.worker.trouble

    def objection(self, language: str) -> str:
        return objection(language, self.languages)

    def voice_activity(self) -> LocalVoiceActivity:
        return LocalVoiceActivity(self.worker, next(self._callers))

    async def transcribe(self, audio: AudioFrame, *, language: str = "en") -> Transcript:
        _check_rate(audio)
        if audio.seconds < _SHORTEST_S:
            return Transcript("", 0.0, language)
        pcm = audio.pcm.astype("<i2").tobytes()
        deadline_s = _TRANSCRIBE_S + _TRANSCRIBE_RATE * audio.seconds
        reply = await self.worker.call(
            "transcribe", {"language": language}, pcm, deadline_s=deadline_s
        )
        return Transcript(str(reply.body["text"]), float(reply.body["confidence"]), language)

    async def aclose(self) -> None:
        await self.worker.aclose()


def _check_rate(frame: AudioFrame) -> None:
    if frame.sample_rate != EAR_RATE:
        raise ValueError(f"ears listen at {EAR_RATE} Hz, got {frame.sample_rate} Hz")
