"""What a Realtime client may send, as far as this server looks at it (pydantic)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

MAX_TEXT = 8_000
"""Characters in one typed message."""
MAX_UNKNOWN = 32
"""Fields of a session that mean nothing here and are named back."""

MAX_ID, MAX_NAME = 64, 128
"""Characters in an item's id; in a model's, voice's, language's or persona's name."""
MAX_METADATA = 16
"""Pairs of a response's metadata."""
MAX_CONTENT_PARTS = 16
"""Of one message's content."""
MAX_MS = 24 * 3600 * 1000
"""A place in an utterance's audio."""
MAX_SPEED = 4
"""As fast as can be asked for; as slow is its inverse."""
MAX_CALLER = 128
"""Characters of a caller's name."""
MAX_PERSONAS = 100
"""That a token names."""

Id = Annotated[str, Field(pattern=rf"^[A-Za-z0-9_.:-]{{1,{MAX_ID}}}$")]
Name = Annotated[str, Field(min_length=1, max_length=MAX_NAME)]
Caller = Annotated[str, Field(pattern=rf"^[A-Za-z0-9_.:@+/=-]{{1,{MAX_CALLER}}}$")]
Milliseconds = Annotated[int, Field(ge=0, le=MAX_MS)]
Metadata = dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=512)]]


class Part(BaseModel):
    """One part of a message's content."""

    type: Name
    text: str | None = Field(None, max_length=MAX_TEXT)


class NewItem(BaseModel):
    type: Name
    id: Id | None = None
    role: Name | None = None
    content: list[Part] = Field([], max_length=MAX_CONTENT_PARTS)


class ItemCreate(BaseModel):
    item: NewItem


class ItemTruncate(BaseModel):
    item_id: Id
    audio_end_ms: Milliseconds
    content_index: Annotated[int, Field(ge=0, lt=MAX_CONTENT_PARTS)] = 0


class ItemRetrieve(BaseModel):
    item_id: Id


class ResponseOptions(BaseModel):
    metadata: Metadata | None = Field(None, max_length=MAX_METADATA)


class ResponseCreate(BaseModel):
    response: ResponseOptions | None = None


class PersonaChoose(BaseModel):
    persona: Name


class Nothing(BaseModel):
    """A message whose type says it all."""


class Transcription(BaseModel):
    model: Name | None = None
    language: Name | None = None


class TurnDetection(BaseModel):
    type: Literal["server_vad", "semantic_vad"] = "server_vad"


class AudioInput(BaseModel):
    transcription: Transcription | None = None
    turn_detection: TurnDetection | None = None


class CustomVoice(BaseModel):
    id: Name


class AudioOutput(BaseModel):
    voice: Name | CustomVoice | None = None
    speed: Annotated[float, Field(ge=1 / MAX_SPEED, le=MAX_SPEED)] | None = None


class Audio(BaseModel):
    input: AudioInput | None = None
    output: AudioOutput | None = None


class OmniOptions(BaseModel):
    """Our own part of a session: see :mod:`omni_agent.server.realtime`."""

    extensions: bool | None = None
    persona: Name | None = None


class SessionConfig(BaseModel):
    """A partial session: what is left out stays as it is. Unknown fields are named, not refused."""

    model_config = ConfigDict(extra="allow")

    type: Literal["realtime"] = "realtime"
    model: Name | None = None
    audio: Audio | None = None
    omni: OmniOptions | None = None

    @model_validator(mode="after")
    def _keep_only_the_names(self) -> SessionConfig:
        """Values that nothing here reads are not kept while a token waits."""
        unknown = self.model_extra or {}
        if len(unknown) > MAX_UNKNOWN or any(len(name) > 64 for name in unknown):
            raise ValueError(f"has over {MAX_UNKNOWN} unknown fields, or one with a long name")
        for name in unknown:
            unknown[name] = None
        return self


class SessionUpdate(BaseModel):
    session: SessionConfig
