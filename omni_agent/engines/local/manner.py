"""How a voice speaks: from a persona's Talker section to numbers the synthesiser takes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from omni_agent.runtime.distribution import program
from omni_agent.talker import Voice
from omni_agent.text import language_of

SLOWEST, FASTEST = 0.5, 2.0
LOWEST, HIGHEST = 0.78, 1.1
"""Pitch, 1.0 being the voice's own. Measured with Whisper base on 57 words: WER 1.7 % from 0.78
(160 Hz) over 1.0 (204 Hz) to 1.1 (227 Hz), and 8.5 % at 0.74."""

_HINTS: tuple[tuple[str, float, int], ...] = (
    # words, factor on the tempo, extra milliseconds between sentences
    (r"slow(?:ly|er)?|leisurely", 0.85, 150),
    (r"unhurried|calm(?:ly)?|patient(?:ly)?|relaxed|gentle|gently", 0.92, 120),
    (r"warm(?:ly)?|friendly", 0.98, 40),
    (r"brisk(?:ly)?|quick(?:ly)?|lively|energetic", 1.12, 0),
    (r"terse(?:ly)?|clipped|curt|crisp", 1.08, 0),
    (r"fast(?:er)?|rapid(?:ly)?", 1.2, 0),
)
_PITCHES: tuple[tuple[str, float], ...] = (
    # words, as they stand before "voice", perhaps with another between
    (r"deep", 0.9),
    (r"low|lower|dark", 0.94),
    (r"high|higher|bright|light", 1.05),
)
_NEGATED = r"(?<!not )(?<!never )(?<!without )(?<!n't )(?<!not a )(?<!not too )(?<!too )"

ALIASES = {
    # The voices of Qwen3-Omni, so that one persona file serves both engines.
    "chelsie": "heart",
    "ethan": "fenrir",
    "aiden": "fable",
    "female": "heart",
    "male": "fenrir",
    "british": "emma",
}
DEFAULT_VOICE = "heart"
STAND_INS = {"fenrir": 0.8, "fable": 0.88, "kore": 0.94, "emma": 1.1}
"""Pitch of the default voice when it speaks for one that is not installed: no man's voice comes
of it, but callers can tell one persona from another."""


@dataclass(frozen=True, slots=True)
class Manner:
    """speed: 1.0 is the voice's natural tempo. pause_ms: added between sentences.

    pitch: 1.0 is the voice's own.
    """

    speaker: str
    speed: float
    pause_ms: int
    pitch: float = 1.0


def manner(voice: Voice) -> Manner:
    """The voice's own numbers where given, else what its prompt asks for."""
    speed, pause, pitch = 1.0, 0, 1.0
    for words, factor, extra in _HINTS:
        if re.search(rf"{_NEGATED}\b(?:{words})\b", voice.prompt, re.IGNORECASE):
            speed *= factor
            pause += extra
    for words, factor in _PITCHES:
        asked = rf"{_NEGATED}\b(?:{words})[ ,]+(?:\w+[ ,]+)?voice\b"
        if re.search(asked, voice.prompt, re.IGNORECASE):
            pitch *= factor
    if voice.speed is not None:
        speed = voice.speed
    if voice.pause_ms is not None:
        pause = voice.pause_ms
    speed = min(max(speed, SLOWEST), FASTEST)
    return Manner(speaker(voice.speaker), speed, max(0, pause), pitch)


def objections(voice: Voice, installed: Mapping[str, bool]) -> list[str]:
    """What of a voice cannot be had here. installed: the voices, and whether each is there."""
    name, found = voice.speaker, speaker(voice.speaker)
    objections = []
    if found not in installed:
        known = ", ".join(sorted({*installed, *ALIASES}))
        objections.append(
            f"there is no voice {name!r} here, so {DEFAULT_VOICE!r} speaks: choose one of {known}"
        )
    elif not installed[found]:
        pitch = "lower" if STAND_INS.get(found, 1.0) < 1 else "higher"
        named = f"voice {name!r}" if name == found else f"voice {name!r} (here {found!r})"
        objections.append(
            f"{named} is not installed, so {DEFAULT_VOICE!r} speaks, {pitch}: "
            f"fetch it with `{program('hibari')} --voice {found} -o hello.wav Hello` "
            "and start again"
        )
    if language_of(voice.language) != "en":
        objections.append(
            f"the local voice speaks English only and will mangle {voice.language!r}: "
            "use an engine with a voice for it (qwen3-omni)"
        )
    return objections


def speaker(name: str | None) -> str:
    """The voice that a persona's name for it means."""
    name = (name or DEFAULT_VOICE).strip().lower()
    return ALIASES.get(name, name)
