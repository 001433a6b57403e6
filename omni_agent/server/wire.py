"""Conversation items and sessions as the Realtime protocol writes them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from omni_agent.conversation import AudioPart, Item, Message, TextPart, ToolCall
from omni_agent.server.client_messages import SessionConfig
from omni_agent.thinker import ToolSchema
from omni_agent.wishes import NO_WISHES, Wishes

Json = dict[str, Any]

MAX_IGNORED = 64
"""Names of fields without effect that are told back."""
MODEL = "omni_agent"
"""Which models speak and listen is the server's choice: see ``omni.engine``."""
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


def tool_json(tool: ToolSchema) -> Json:
    """A tool that the client runs."""
    return {
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "parameters": dict(tool.parameters),
    }


def dump(value: Any) -> str:
    """JSON in ASCII, so that no text a model or a tool made up can break the channel."""
    return json.dumps(value, ensure_ascii=True, default=str, separators=(",", ":"))


@dataclass(slots=True)
class SessionState:
    """A session's settings as the client sees them.

    wishes: all that is laid over the persona, its line's and its own. detector: as the client
    calls what ends turns.
    """

    id: str
    facts: Facts
    model: str = MODEL
    """As the client calls it."""
    extensions: bool = False
    persona: str = ""
    wishes: Wishes = NO_WISHES
    detector: str = "server_vad"
    ignored: set[str] = field(default_factory=set)

    @property
    def detection(self) -> Json | None:
        """How turns end; None: the client says."""
        if self.wishes.turns == "manual":
            return None
        told = {
            "create_response": self.wishes.answered,
            "interrupt_response": self.wishes.interrupts,
        }
        given = {name: value for name, value in told.items() if value is not None}
        return {"type": self.detector, **given}

    def merge(self, config: SessionConfig, wishes: Wishes) -> None:
        """Take over a partial session, as far as it is in force. wishes: now."""
        self.wishes = wishes
        self.ignore(config.unheeded)
        if config.model:
            self.model = config.model
            self.ignore(["model"])
        if config.omni and config.omni.extensions is not None:
            self.extensions = config.omni.extensions
        if config.turns and (how := config.turns.turn_detection):
            self.detector = how.type

    def ignore(self, paths: Iterable[str]) -> None:
        """These have no effect, and the client is told so."""
        self.ignored.update(paths)
        while len(self.ignored) > MAX_IGNORED:
            self.ignored.pop()

    def json(self) -> Json:
        """The full session object of ``session.created`` and ``session.updated``."""
        limit_s = self.facts.limit_s
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
                    "transcription": {"model": MODEL},
                    "turn_detection": self.detection,
                },
                "output": {"format": PCM_FORMAT, "speed": self.wishes.speed or 1.0},
            },
            "tools": [tool_json(tool) for tool in self.wishes.tools or ()],
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
