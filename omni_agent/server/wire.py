"""Conversation items and sessions as the Realtime protocol writes them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from omni_agent.conversation import AudioPart, Item, Message, TextPart, ToolCall
from omni_agent.server.client_messages import CustomVoice, SessionConfig

Json = dict[str, Any]

MAX_IGNORED = 64
"""Names of fields without effect that are told back."""
PCM_FORMAT = {"type": "audio/pcm", "rate": 24_000}
NO_USAGE: Json = {
    "total_tokens": 0,
    "input_tokens": 0,
    "output_tokens": 0,
    "input_token_details": {"text_tokens": 0, "audio_tokens": 0, "cached_tokens": 0},
    "output_token_details": {"text_tokens": 0, "audio_tokens": 0},
}
"""Clients read these numbers without looking; nothing is billed here."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a client is told of the agent it talks to.

    persona: the one in force at the start. engine: model names by stage. limit_s: the
    longest the call may last.
    """

    persona: str
    personas: Sequence[str] = ()
    sees: bool = False
    engine: Mapping[str, str] = field(default_factory=dict)
    limit_s: float = math.inf


def message_item(
    item_id: str, role: str, content: list[Json], *, status: str = "completed"
) -> Json:
    return {
        "id": item_id,
        "object": "realtime.item",
        "type": "message",
        "role": role,
        "status": status,
        "content": content,
    }


def spoken_item(item_id: str, text: str, *, status: str) -> Json:
    """An assistant message that is voiced; empty while it has only begun."""
    content = [] if status == "in_progress" else [{"type": "output_audio", "transcript": text}]
    return message_item(item_id, "assistant", content, status=status)


def heard_item(item_id: str, transcript: str | None) -> Json:
    """A spoken user message; None when it has not been transcribed (yet)."""
    return message_item(item_id, "user", [{"type": "input_audio", "transcript": transcript}])


def call_item(call: ToolCall, *, status: str = "completed", arguments: str | None = None) -> Json:
    return {
        "id": call.id,
        "object": "realtime.item",
        "type": "function_call",
        "status": status,
        "call_id": call.call_id,
        "name": call.name,
        "arguments": dump(dict(call.arguments)) if arguments is None else arguments,
    }


def item_json(item: Item) -> Json:
    """Any conversation item, complete."""
    if isinstance(item, ToolCall):
        return call_item(item)
    if isinstance(item, Message):
        if item.role == "assistant":
            status = "incomplete" if item.interrupted else "completed"
            return spoken_item(item.id, item.text, status=status)
        content: list[Json] = []
        for part in item.parts:
            if isinstance(part, TextPart):
                content.append({"type": "input_text", "text": part.text})
            elif isinstance(part, AudioPart) and item.role == "user":
                content.append({"type": "input_audio", "transcript": part.transcript})
        return message_item(item.id, item.role, content)
    return {
        "id": item.id,
        "object": "realtime.item",
        "type": "function_call_output",
        "status": "completed",
        "call_id": item.call_id,
        "output": item.output,
    }


def dump(value: Any) -> str:
    """JSON in ASCII, so that no text a model or a tool made up can break the channel."""
    return json.dumps(value, ensure_ascii=True, default=str, separators=(",", ":"))


@dataclass(slots=True)
class SessionState:
    """A session's settings as the client sees them."""

    id: str
    facts: Facts
    model: str = "omni_agent"
    extensions: bool = False
    persona: str = ""
    voice: str | None = None
    speed: float = 1.0
    transcription: Json = field(default_factory=lambda: {"model": "omni_agent"})
    detection: str = "server_vad"
    ignored: set[str] = field(default_factory=set)

    def merge(self, config: SessionConfig) -> None:
        """Take over a partial session; what has no effect here is noted in ``ignored``."""
        given = config.model_fields_set | set(config.model_extra or {})
        self.ignored |= given - {"type", "omni"}
        while len(self.ignored) > MAX_IGNORED:
            self.ignored.pop()
        if config.model:
            self.model = config.model
        if config.omni and config.omni.extensions is not None:
            self.extensions = config.omni.extensions
        audio = config.audio
        if audio and audio.input:
            if audio.input.transcription:
                given_transcription = audio.input.transcription.model_dump(exclude_none=True)
                self.transcription |= given_transcription
            if audio.input.turn_detection:
                self.detection = audio.input.turn_detection.type
        if audio and audio.output:
            voice = audio.output.voice
            self.voice = (voice.id if isinstance(voice, CustomVoice) else voice) or self.voice
            self.speed = audio.output.speed or self.speed

    def json(self) -> Json:
        """The full session object of ``session.created`` and ``session.updated``."""
        output: Json = {"format": PCM_FORMAT, "speed": self.speed}
        limit_s = self.facts.limit_s
        if self.voice is not None:
            output["voice"] = self.voice
        return {
            "type": "realtime",
            "object": "realtime.session",
            "id": self.id,
            "model": self.model,
            "output_modalities": ["audio"],
            "instructions": "",
            "audio": {
                "input": {
                    "format": PCM_FORMAT,
                    "transcription": self.transcription,
                    "turn_detection": {"type": self.detection},
                },
                "output": output,
            },
            "tools": [],
            "tool_choice": "auto",
            "max_output_tokens": "inf",
            "omni": {
                "persona": self.persona or self.facts.persona,
                "personas": list(self.facts.personas),
                "sees": self.facts.sees,
                "engine": dict(self.facts.engine),
                "limit_s": limit_s if math.isfinite(limit_s) else None,
                "extensions": self.extensions,
                "ignored": sorted(self.ignored),
            },
        }
