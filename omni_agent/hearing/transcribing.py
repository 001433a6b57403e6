"""Ears asked for words; they may be anybody's, and what goes wrong in them is an EngineError."""

from __future__ import annotations

from functools import partial

from omni_agent.audio import AudioFrame
from omni_agent.ears import Ears, Transcript
from omni_agent.errors import EngineError
from omni_agent.runtime.scope import answer_within, heed_cancellation


async def transcribed(
    ears: Ears, audio: AudioFrame, language: str, *, within_s: float | None = None
) -> Transcript:
    """The words, unless nobody wants them any more, whatever the ears make of being cancelled.

    Raises EngineError, after ``within_s`` seconds too.
    """
    ask = partial(ears.transcribe, audio, language=language)
    try:
        found = await answer_within(ask, within_s, "the ears")
    finally:
        heed_cancellation()
    if not (isinstance(found, Transcript) and isinstance(found.text, str)):
        raise EngineError(f"the ears returned a {type(found).__name__}, not a Transcript of text")
    return found
