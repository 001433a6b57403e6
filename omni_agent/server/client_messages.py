"""What a Realtime client may send, as far as this server looks at it (pydantic)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Id = Annotated[str, Field(min_length=1, max_length=128)]
Milliseconds = Annotated[int, Field(ge=0, le=86_400_000)]
MAX_TEXT = 16_000
"""Characters in one typed message."""


class Part(BaseModel):
    """One part of a message's content."""

    type: str
    text: str | None = Field(None, max_length=MAX_TEXT)
    transcript: str | None = Field(None, max_length=MAX_TEXT)


class NewItem(BaseModel):
    type: str
    id: Id | None = None
    role: str | None = None
    content: list[Part] = Field([], max_length=16)


class ItemCreate(BaseModel):
    item: NewItem


class ItemTruncate(BaseModel):
    item_id: Id
    audio_end_ms: Milliseconds
    content_index: Annotated[int, Field(ge=0, le=100)] = 0


class ItemRetrieve(BaseModel):
    item_id: Id


class ResponseOptions(BaseModel):
    metadata: dict[str, str] | None = Field(None, max_length=16)


class ResponseCreate(BaseModel):
    response: ResponseOptions | None = None


class PersonaChoose(BaseModel):
    persona: Id


class Nothing(BaseModel):
    """A message whose type says it all."""


class Transcription(BaseModel):
    model: str | None = None
    language: str | None = None


class TurnDetection(BaseModel):
    type: Literal["server_vad", "semantic_vad"] = "server_vad"


class AudioInput(BaseModel):
    transcription: Transcription | None = None
    turn_detection: TurnDetection | None = None


class AudioOutput(BaseModel):
    voice: str | dict[str, Any] | None = None
    speed: Annotated[float, Field(ge=0.25, le=4)] | None = None


class Audio(BaseModel):
    input: AudioInput | None = None
    output: AudioOutput | None = None


class OmniOptions(BaseModel):
    """Our own part of a session: see :mod:`omni_agent.server.realtime`."""

    extensions: bool | None = None
    persona: Id | None = None


class SessionConfig(BaseModel):
    """A partial session: what is left out stays as it is. Unknown fields are named, not refused."""

    model_config = ConfigDict(extra="allow")

    type: Literal["realtime"] = "realtime"
    model: str | None = None
    audio: Audio | None = None
    omni: OmniOptions | None = None


class SessionUpdate(BaseModel):
    session: SessionConfig
