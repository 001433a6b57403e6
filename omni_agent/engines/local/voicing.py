"""The voice's process: hibari, one clause at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from omni_agent.engines.local.latin import latin
from omni_agent.engines.local.manner import (
    DEFAULT_VOICE,
    FASTEST,
    HIGHEST,
    LOWEST,
    SLOWEST,
    STAND_INS,
)
from omni_agent.engines.process.child import Replies, Report
from omni_agent.saying import Said, saying

_QUIET = 0.004
"""Below this a sample is silence: hibari's noise floor is under 0.002 of full scale."""
_LEAD_S, _TAIL_S = 0.02, 0.06
_BREATH = 1
"""Of the voice's noise, the seed: the same words sound the same, to the last bit."""


class Voicing:
    """The service behind :class:`omni_agent.engines.local.talker.LocalTalker`.

    ``say`` {text, language, voice, speed, pitch} → int16 PCM, 24 kHz, and the
    fields of :class:`omni_agent.saying.Said`. For a voice that is not there the
    default one stands in, at a pitch of its own.
    hibari begins and ends with about 300 ms of silence; it is trimmed, because
    the first of it would be pure latency and the pauses are ours to choose.
    """

    # One lane: streams that speak at the same time take turns, clause by clause.
    lanes = {"say": "voice"}  # noqa: RUF012  # a Protocol's plain attribute

    def __init__(self, options: Mapping[str, Any], report: Report) -> None:
        from hibari import SAMPLE_RATE

        self._rate = int(SAMPLE_RATE)
        self._voices: dict[str, Any] = {}
        default = self._voice(DEFAULT_VOICE)
        # The first call loads the lexicon and allocates: do it before anybody waits.
        default(worded("It is ready, at 10:30.", "en").text)
        default("Yes.")
        self.info: Mapping[str, Any] = {"sample_rate": self._rate, "voices": voices()}

    def handle(
        self, op: str, body: Mapping[str, Any], blob: bytes, gone: Callable[[], bool]
    ) -> Replies:
        if op != "say":
            raise ValueError(f"unknown operation {op!r}")
        voice, pitch = self._voice_or_stand_in(str(body["voice"]))
        pitch = min(max(pitch * float(body["pitch"]), LOWEST), HIGHEST)
        speed = min(max(float(body["speed"]) / pitch, SLOWEST), FASTEST)
        said = worded(str(body["text"]), str(body["language"]))
        samples = self._trimmed(voice(said.text, speed=speed, seed=_BREATH), pitch)
        yield {"said": said.text, "reach": list(said.reach)}, samples.tobytes()

    def _voice_or_stand_in(self, name: str) -> tuple[Any, float]:
        """A voice, and the pitch to speak at."""
        try:
            return self._voice(name), 1.0
        except (ValueError, OSError, RuntimeError):
            return self._voice(DEFAULT_VOICE), STAND_INS.get(name, 1.0)

    def _voice(self, name: str) -> Any:
        """A loaded voice. Raises ValueError, FileNotFoundError when there is none of that name."""
        if name not in self._voices:
            from hibari import Hibari
            from hibari.voices import voice_path

            # Never fetched here: a download in the middle of a call would stall it.
            path = voice_path(name, download_missing=False)
            self._voices[name] = Hibari(voice=name, model=path, threads=1)
        return self._voices[name]

    def _trimmed(self, samples: NDArray[np.float32], pitch: float) -> NDArray[np.int16]:
        if pitch != 1.0:
            # Played slower and made faster by as much: the tempo stays, the throat grows too.
            samples = np.asarray(soxr.resample(samples, self._rate * pitch, self._rate))
        loud = np.flatnonzero(np.abs(samples) > _QUIET)
        if not len(loud):
            return np.zeros(0, np.int16)
        start = max(0, int(loud[0]) - round(_LEAD_S * self._rate))
        end = int(loud[-1]) + round(_TAIL_S * self._rate)
        scaled = np.clip(np.rint(samples[start:end] * 32767.0), -32768, 32767)
        return np.asarray(scaled, dtype="<i2")


def worded(text: str, language: str) -> Said:
    """English where the language is not known: the voice speaks no other."""
    known = saying(language) or saying("en")
    assert known is not None
    return latin(known.say(text))


def voices() -> Mapping[str, bool]:
    """hibari's voices by name, and whether each is installed."""
    from hibari.voices import VOICES, voice_path

    def installed(name: str) -> bool:
        try:
            return Path(voice_path(name, download_missing=False)).is_file()
        except (ValueError, OSError):
            return False

    return {name: installed(name) for name in VOICES}
