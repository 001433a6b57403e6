"""How a voice speaks: from a persona's Talker section to numbers the synthesiser takes."""

from __future__ import annotations

import re
from dataclasses import dataclass

from omni_agent.talker import Voice

SLOWEST, FASTEST = 0.5, 2.0

_HINTS: tuple[tuple[str, float, int], ...] = (
    # words, factor on the tempo, extra milliseconds between sentences
    (r"slow(?:ly|er)?|leisurely", 0.85, 150),
    (r"unhurried|calm(?:ly)?|patient(?:ly)?|relaxed|gentle|gently", 0.92, 120),
    (r"warm(?:ly)?|friendly", 0.98, 40),
    (r"brisk(?:ly)?|quick(?:ly)?|lively|energetic", 1.12, 0),
    (r"terse(?:ly)?|clipped|curt|crisp", 1.08, 0),
    (r"fast(?:er)?|rapid(?:ly)?", 1.2, 0),
)
_NEGATED = r"(?<!not )(?<!never )(?<!without )(?<!n't )(?<!not too )(?<!too )"

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


@dataclass(frozen=True, slots=True)
class Manner:
    """speed: 1.0 is the voice's natural tempo. pause_ms: added between sentences."""

    speaker: str
    speed: float
    pause_ms: int


def manner(voice: Voice) -> Manner:
    """The voice's own numbers where given, else what its prompt asks for."""
    speed, pause = 1.0, 0
    for words, factor, extra in _HINTS:
        if re.search(rf"{_NEGATED}\b(?:{words})\b", voice.prompt, re.IGNORECASE):
            speed *= factor
            pause += extra
    if voice.speed is not None:
        speed = voice.speed
    if voice.pause_ms is not None:
        pause = voice.pause_ms
    name = (voice.speaker or DEFAULT_VOICE).strip().lower()
    return Manner(ALIASES.get(name, name), min(max(speed, SLOWEST), FASTEST), max(0, pause))
