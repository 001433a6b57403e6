"""What a Realtime client may send, as far as this server looks at it (pydantic)."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field, field_validator, model_validator

from omni_agent.persona import Spelled

MAX_TEXT = 8_000
"""Characters in one typed message."""
MAX_UNKNOWN = 32
"""Fields of one object that mean nothing here and are named back."""

MAX_ID, MAX_NAME = 64, 128
"""Characters in an item's id; in a model's, voice's, language's or persona's name."""
MAX_TOOLS, MAX_TOOLS_TEXT = 32, 16_000
"""That a client declares, and the characters of them all as JSON: a Thinker reads them."""
MAX_TOOLS_OBJECTS = 1000
"""Of JSON in all of them: each takes 30 microseconds to look at."""
MAX_METADATA = 16
"""Pairs of a response's metadata."""
MAX_CONTENT_PARTS = 16
"""Of one message's content."""
MAX_MS = 24 * 3600 * 1000
"""A place in an utterance's audio."""
MAX_SPEED = 2
"""As fast as a persona speaks; as slow is its inverse."""
MAX_CALLER = 128
"""Characters of a caller's name."""
MAX_PERSONAS = 100
"""That a token names."""

Id = Annotated[
    str,
    Field(pattern=rf"^[A-Za-z0-9_.:-]{{1,{MAX_ID}}}$"),
    Spelled(f"up to {MAX_ID} letters, digits and _.:-"),
]
Name = Annotated[str, Field(min_length=1, max_length=MAX_NAME)]
Caller = Annotated[
    str,
    Field(pattern=rf"^[A-Za-z0-9_.:@+/=-]{{1,{MAX_CALLER}}}$"),
    Spelled(f"up to {MAX_CALLER} letters, digits and _.:@+/=-"),
]
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
    call_id: Name | None = None
    output: str | None = Field(None, max_length=MAX_TEXT)


class ItemCreate(BaseModel):
    item: NewItem


class ItemTruncate(BaseModel):
    item_id: Id
    audio_end_ms: Milliseconds
    content_index: Annotated[int, Field(ge=0, lt=MAX_CONTENT_PARTS)] = 0


class ItemId(BaseModel):
    item_id: Id


class Partial(BaseModel, extra="allow"):
    """What is left out stays as it is. Unknown fields are named back, not refused."""

    @model_validator(mode="after")
    def _keep_only_the_names(self) -> Self:
        """Values that nothing here reads are not kept while a token waits."""
        unknown = self.model_extra or {}
        if len(unknown) > MAX_UNKNOWN or any(len(name) > 64 for name in unknown):
            raise ValueError(f"has over {MAX_UNKNOWN} unknown fields, or one with a long name")
        for name in unknown:
            unknown[name] = None
        return self

    @property
    def unheeded(self) -> set[str]:
        """Paths of what is said here and has no effect."""
        named = set(self.model_extra or ())
        for name, inner in self:
            if isinstance(inner, Partial):
                named |= {f"{name}.{path}" for path in inner.unheeded}
        return named


class ResponseOptions(Partial):
    conversation: Literal["auto", "none"] = "auto"
    input: list[Any] | None = None
    metadata: Metadata | None = Field(default=None, max_length=MAX_METADATA)


class ResponseCreate(BaseModel):
    response: ResponseOptions | None = None


class PersonaChoose(BaseModel):
    persona: Name


class Nothing(BaseModel):
    """A message whose type says it all."""


class TurnDetection(Partial):
    type: Literal["server_vad", "semantic_vad"] = "server_vad"
    create_response: bool | None = None
    interrupt_response: bool | None = None


class AudioInput(Partial):
    turn_detection: TurnDetection | None = None


class ClientTool(BaseModel):
    """A tool that the client runs."""

    type: Literal["function"] = "function"
    name: Annotated[
        str,
        Field(pattern=r"^[A-Za-z_][A-Za-z0-9_-]{0,63}$"),
        Spelled("up to 64 letters, digits, _ and -, not beginning with a digit or -"),
    ]
    description: str = Field("", max_length=MAX_TEXT)
    parameters: dict[str, Any] = Field(default_factory=lambda: {"type": "object"})


class AudioOutput(Partial):
    speed: Annotated[float, Field(ge=1 / MAX_SPEED, le=MAX_SPEED)] | None = None


class Audio(Partial):
    input: AudioInput | None = None
    output: AudioOutput | None = None


class OmniOptions(BaseModel):
    """Our own part of a session: see :mod:`omni_agent.server.realtime`."""

    extensions: bool | None = None
    persona: Name | None = None


class SessionConfig(Partial):
    type: Literal["realtime"] = "realtime"
    model: Name | None = None
    audio: Audio | None = None
    tools: list[ClientTool] | None = Field(default=None, max_length=MAX_TOOLS)
    omni: OmniOptions | None = None

    @property
    def turns(self) -> AudioInput | None:
        """The part that says how turns end, if there is one."""
        given = self.audio and self.audio.input
        return given if given and "turn_detection" in given.model_fields_set else None

    @property
    def speed(self) -> float | None:
        return self.audio.output.speed if self.audio and self.audio.output else None

    @field_validator("tools")
    @classmethod
    def _tools_go_together(cls, tools: list[ClientTool] | None) -> list[ClientTool] | None:
        if len({tool.name for tool in tools or ()}) < len(tools or ()):
            raise ValueError("are two of one name")
        written = [tool.model_dump_json() for tool in tools or ()]
        if sum(map(len, written)) > MAX_TOOLS_TEXT:
            raise ValueError(f"are over {MAX_TOOLS_TEXT} characters together")
        if sum(text.count("{") for text in written) > MAX_TOOLS_OBJECTS:
            raise ValueError(f"are over {MAX_TOOLS_OBJECTS} objects of JSON together")
        return tools


class SessionUpdate(BaseModel):
    session: SessionConfig
