"""Requests to a Thinker, and what became of them."""

from __future__ import annotations

import io
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from omni_agent.audio import AudioFrame
from omni_agent.conversation import AudioPart, ImagePart, Item, Message, Part, VideoPart
from omni_agent.engines.qwen3_omni.features import PromptFeatures
from omni_agent.engines.qwen3_omni.talker.engine import QwenTalker
from omni_agent.engines.qwen3_omni.thinker.thinker import QwenThinker
from omni_agent.streams import closing
from omni_agent.thinker import (
    Features,
    MalformedCall,
    Sampling,
    TextDelta,
    ThinkRequest,
    ToolCallRequest,
    ToolSchema,
    Usage,
)

LIGHT = ToolSchema(
    "switch_light",
    "Switch a light on or off.",
    {
        "type": "object",
        "properties": {"room": {"enum": ["kitchen", "bath"]}, "on": {"type": "boolean"}},
        "required": ["room", "on"],
        "additionalProperties": False,
    },
)


def noise(seconds: float, seed: int = 0) -> AudioFrame:
    samples = np.random.default_rng(seed).standard_normal(round(16_000 * seconds))
    return AudioFrame((3000 * samples).astype(np.int16), 16_000)


def picture(width: int = 96, height: int = 64, seed: int = 0) -> ImagePart:
    """Whole patches, so that nothing has to be scaled."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    encoded = io.BytesIO()
    Image.fromarray(pixels).save(encoded, "PNG")
    return ImagePart(encoded.getvalue(), "image/png")


def film(count: int, fps: float = 2.0, sound: AudioFrame | None = None, seed: int = 0) -> VideoPart:
    frames = tuple(picture(seed=1000 * seed + number).data for number in range(count))
    return VideoPart(frames, fps, sound, "image/png")


def said(*parts: Part | AudioFrame) -> Message:
    return Message("user", tuple(AudioPart(p) if isinstance(p, AudioFrame) else p for p in parts))


def request(
    *items: Item, instructions: str = "You are kind.", tokens: int = 8, **more: object
) -> ThinkRequest:
    return ThinkRequest(
        instructions, items, sampling=Sampling(temperature=0.0, max_tokens=tokens), **more
    )  # type: ignore[arg-type]  # fields of a request


@dataclass
class Answer:
    text: str = ""
    calls: list[ToolCallRequest] = field(default_factory=list)
    malformed: list[MalformedCall] = field(default_factory=list)
    features: PromptFeatures | None = None
    usage: Usage | None = None
    order: list[str] = field(default_factory=list)

    @property
    def rows(self) -> np.ndarray:
        assert self.features is not None
        assert self.features.rows is not None
        rows = self.features.rows
        return np.frombuffer(rows.data, np.float32).reshape(rows.rows, rows.width)

    @property
    def fresh(self) -> int:
        """Prompt tokens that had to be computed."""
        assert self.usage is not None
        return self.usage.prompt_tokens - self.usage.cached_tokens


def nobody_speaks(talker: QwenTalker) -> bool:
    """Whether every slot is free, or held by one that only reads ahead."""
    runtime = talker._service.runtime
    return runtime.free_slots + len(talker._ahead._ahead) == runtime.options.slots


async def ask(thinker: QwenThinker, wanted: ThinkRequest) -> Answer:
    answer = Answer()
    async with closing(thinker.think(wanted)) as thoughts:
        async for thought in thoughts:
            answer.order.append(type(thought).__name__)
            match thought:
                case Features(handle):
                    answer.features = handle
                case TextDelta(text):
                    answer.text += text
                case ToolCallRequest():
                    answer.calls.append(thought)
                case MalformedCall():
                    answer.malformed.append(thought)
                case Usage():
                    answer.usage = thought
                case _:
                    pass
    return answer
