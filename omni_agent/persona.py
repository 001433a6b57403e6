"""Personas: a Markdown file with front matter and two prompts. (model; loading follows)"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


class TurnTaking(BaseModel, extra="forbid", frozen=True):
    """patience_ms: silence after which the user's turn is over (shorter when they clearly finished)."""

    patience_ms: int = Field(500, ge=200, le=5000)
    backchannels: Literal["ignore", "interrupt"] = "ignore"
    filler_after_ms: int = Field(200, ge=0, le=10_000)


class SamplingOptions(BaseModel, extra="forbid", frozen=True):
    temperature: float = Field(0.7, ge=0, le=2)
    top_p: float = Field(0.95, gt=0, le=1)
    max_tokens: int = Field(200, ge=1, le=4096)


class Speech(BaseModel, extra="forbid", frozen=True):
    speed: float | None = Field(None, ge=0.5, le=2.0)
    pause_ms: int | None = Field(None, ge=0, le=2000)


class Persona(BaseModel, extra="forbid", frozen=True):
    """One persona; ``thinker`` and ``talker`` are the two prompts of the file's body."""

    name: str
    description: str = ""
    voice: str | None = None
    language: str = "en"
    tools: tuple[str, ...] = ()
    filters: tuple[str, ...] = ("spoken",)
    greeting: str | None = None
    goodbye: str | None = None
    fillers: tuple[str, ...] = ("One moment.", "Let me check.", "Let me see.")
    turn: TurnTaking = TurnTaking()
    speech: Speech = Speech()
    sampling: SamplingOptions = SamplingOptions()
    thinker: str = ""
    talker: str = ""
