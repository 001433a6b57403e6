"""What tests of prompts share: conversations, and the text that they are expected to be."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from omni_agent.audio import AudioFrame
from omni_agent.conversation import AudioPart, ImagePart, Item, Message, ToolCall
from omni_agent.engines.qwen3_omni.chat import Prompt
from omni_agent.thinker import Sampling, ThinkRequest, ToolSchema

Encode = Callable[[str], list[int]]
Read = Callable[[Prompt], str]

RATE = 16_000
NOISE = np.random.default_rng(3).integers(-9000, 9000, 60 * RATE).astype(np.int16)
PICTURE = ImagePart(b"jpeg", "image/jpeg")
WEATHER = ToolSchema(
    "weather",
    "The weather at a place, e.g. Zürich.",
    {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]},
)
CALL = ToolCall("c1", "weather", {"place": "Zürich", "days": 3})
OPEN = "<|im_start|>assistant\n"
"""How a prompt ends: with the turn that is to be written."""


def request(
    *items: Item, instructions: str = "", tools: tuple[ToolSchema, ...] = (), max_tokens: int = 64
) -> ThinkRequest:
    return ThinkRequest(instructions, items, tools, Sampling(max_tokens=max_tokens))


def said(seconds: float, words: str | None = None, *more: ImagePart) -> Message:
    audio = AudioFrame(NOISE[: round(seconds * RATE)], RATE)
    return Message("user", (AudioPart(audio, words), *more))


def keys(prompt: Prompt) -> list[str]:
    return [item.key for item in prompt.media]


def turn(role: str, text: str) -> str:
    return f"<|im_start|>{role}\n{text}<|im_end|>\n"


def call_turns(*results: str) -> str:
    """A round of calls, each of them CALL, and their results."""
    made = (
        '<tool_call>\n{"name": "weather", "arguments": {"place": "Zürich", "days": 3}}\n'
        "</tool_call>"
    )
    answers = (f"<tool_response>\n{result}\n</tool_response>" for result in results)
    return turn("assistant", "\n".join([made] * len(results))) + turn("user", "\n".join(answers))
