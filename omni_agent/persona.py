"""A persona: two prompts, and how it sounds, listens and works."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field, GetCoreSchemaHandler, StringConstraints
from pydantic_core import CoreSchema, PydanticCustomError
from pydantic_core.core_schema import custom_error_schema

from omni_agent._moved import moved_names
from omni_agent.frozen import frozen

MOST_LISTED = 32
"""Entries of a list in the front matter."""

_UNPRINTABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})
_BIDI_CONTROLS = re.compile("[\u202a-\u202e\u2066-\u2069]")
"""UAX #9: they have the text around a name read otherwise than it is written."""


def _printable(text: str) -> str:
    if _BIDI_CONTROLS.search(text) or not _UNPRINTABLE.isdisjoint(map(unicodedata.category, text)):
        raise PydanticCustomError(
            "printable", "String should be one line, without control characters"
        )
    return text


@dataclass(frozen=True, slots=True)
class Spelled:
    """Beside a pattern: what it means, in words, for whoever meets it. words: after "should be"."""

    words: str

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return custom_error_schema(
            handler(source), "spelled", custom_error_message=f"String should be {self.words}"
        )


BY_WORDS = "words"
"""The end of turn that needs no model."""

ShortText = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
"""Text on one line, or nearly."""
ShortTexts = Annotated[tuple[ShortText, ...], Field(max_length=MOST_LISTED)]
Shown = AfterValidator(_printable)
"""Of what pages, terminals and logs show of a persona."""


class TurnTaking(BaseModel, extra="forbid", frozen=True):
    """patience_ms: silence that ends the user's turn (shorter when they clearly finished).

    end: what tells a turn that is over from a pause, beside silence: ``words``, or by its name an
    engine's end of turn, which goes by the sound as well.

    filler_after_ms: a tool still running then has "One moment." said for it. filler_again_ms:
    after so much silence another filler follows; each later silence is half as long again.
    """

    patience_ms: int = Field(default=500, ge=200, le=5000)
    end: Annotated[
        str,
        StringConstraints(pattern=r"^[\w.-]{1,80}$"),
        Spelled("words, or a name such as smart-turn"),
    ] = BY_WORDS
    backchannels: Literal["ignore", "interrupt"] = "ignore"
    filler_after_ms: int = Field(default=200, ge=0, le=10_000)
    filler_again_ms: int = Field(default=4000, ge=500, le=60_000)


class SamplingOptions(BaseModel, extra="forbid", frozen=True):
    """How freely the Thinker chooses its words; max_tokens bounds one reply."""

    temperature: float = Field(default=0.7, ge=0, le=2)
    top_p: float = Field(default=0.95, gt=0, le=1)
    max_tokens: int = Field(default=200, ge=1, le=4096)


class SpeechOptions(BaseModel, extra="forbid", frozen=True):
    """speed: 1 is the voice's own. pause_ms: silence between sentences. numbers: ``words``:
    the voice is given them, and dates, units and symbols, in words; else it reads them itself.
    """

    speed: float | None = Field(default=None, ge=0.5, le=2.0)
    pause_ms: int | None = Field(default=None, ge=0, le=2000)
    numbers: Literal["voice", "words"] = "voice"


class Persona(BaseModel, extra="forbid", frozen=True):
    """One persona; ``thinker`` and ``talker`` are the two prompts of the file's body.

    tools, filters: names of plugins, tools and text filters, in order. plugins: settings by
    the plugin's name, as written: ``PluginSettings`` has them checked. language: a BCP 47 tag.
    """

    name: Annotated[
        str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80), Shown
    ]
    description: Annotated[str, StringConstraints(strip_whitespace=True), Shown] = ""
    voice: ShortText | None = None
    language: Annotated[
        str,
        StringConstraints(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$"),
        Spelled("a tag such as de or en-GB"),
    ] = "en"
    tools: ShortTexts = ()
    filters: ShortTexts = ("no-markdown",)
    plugins: Annotated[
        dict[ShortText, dict[str, Any]], Field(max_length=MOST_LISTED), AfterValidator(frozen)
    ] = {}
    greeting: ShortText | None = None
    goodbye: ShortText | None = None
    fillers: ShortTexts = ("One moment.", "Let me check.", "Let me see.")
    turn: TurnTaking = TurnTaking()
    speech: SpeechOptions = SpeechOptions()
    sampling: SamplingOptions = SamplingOptions()
    thinker: str = ""
    talker: str = ""


if not TYPE_CHECKING:  # who checks types is told of the old names
    __getattr__ = moved_names(__name__)
