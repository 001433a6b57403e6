"""The layout, at the published size, without allocating anything."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import torch

from omni_agent.engines.qwen3_omni.talker.config import parse_config
from omni_agent.engines.qwen3_omni.talker.layout import TEXT_EMBEDDING, runtime_layout
from omni_agent.engines.qwen3_omni.talker.reading import MetaSource, Reader
from omni_agent.engines.qwen3_omni.talker.tiny import whole_layout
from omni_agent.engines.qwen3_omni.talker.weights import build

HERE = Path(__file__).parent
PUBLISHED = json.loads((HERE / "published_config.json").read_text())


def published_patterns() -> set[tuple[str, str, int, str]]:
    """(pattern, shape, count, first name) of every published tensor."""
    lines = (HERE / "published_tensors.tsv").read_text().splitlines()[1:]
    rows = (line.split("\t") for line in lines)
    return {(pattern, shape, int(count), first) for pattern, shape, count, first in rows}


def patterns(layout: dict[str, tuple[int, ...]]) -> set[tuple[str, str, int, str]]:
    counts: Counter[tuple[str, str]] = Counter()
    first: dict[tuple[str, str], str] = {}
    for name, shape in layout.items():
        key = (re.sub(r"\.\d+(?=\.)", ".N", name), "x".join(map(str, shape)))
        counts[key] += 1
        first.setdefault(key, name)
    return {(*key, count, first[key]) for key, count in counts.items()}


def tensors(value: Any) -> list[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, tuple):
        return [tensor for item in value for tensor in tensors(item)]
    if is_dataclass(value):
        names = [field.name for field in fields(value) if field.name != "config"]
        return [tensor for name in names for tensor in tensors(getattr(value, name))]
    return []


def test_every_name_and_shape_of_the_published_checkpoint_is_known() -> None:
    layout = whole_layout(PUBLISHED)
    assert patterns(layout) == published_patterns()
    assert len(layout) == 28_010
    assert sum(map(math.prod, layout.values())) == 35_259_818_545


def test_the_runtime_reads_the_talker_code2wav_and_one_thinker_tensor() -> None:
    layout = runtime_layout(parse_config(PUBLISHED, "published"))
    parts: Counter[str] = Counter()
    for name, shape in layout.items():
        parts[name.split(".")[0]] += math.prod(shape)
    assert parts["talker"] == 3_324_596_480
    assert parts["code2wav"] == 216_016_577
    assert [name for name in layout if name.startswith("thinker.")] == [TEXT_EMBEDDING]


def test_the_fused_weights_hold_every_parameter_of_the_published_size_on_the_meta_device() -> None:
    config = parse_config(PUBLISHED, "published")
    source = MetaSource(runtime_layout(config))
    reader = Reader(source, torch.device("meta"), torch.bfloat16)
    weights = build(config, reader, source.tensor(TEXT_EMBEDDING))
    held = tensors(weights)
    assert all(tensor.is_meta for tensor in held)
    loose = sum(tensor.numel() for tensor in held)
    # Layer scales and ConvNeXt gammas are folded into the matrices they scale.
    wav = config.code2wav_config
    folded = wav.hidden_size * (2 * wav.num_hidden_layers + len(wav.upsampling_ratios))
    # A transposed convolution's bias is repeated for each of its stride's outputs.
    steps = [(rate, wav.hidden_size) for rate in wav.upsampling_ratios]
    steps += [(rate, wav.decoder_dim >> i) for i, rate in enumerate(wav.upsample_rates, start=1)]
    repeated = sum((rate - 1) * width for rate, width in steps)
    text = config.thinker_config.text_config
    assert (
        loose + folded - repeated
        == 3_324_596_480 + 216_016_577 + text.vocab_size * text.hidden_size
    )
    layer = weights.backbone.layers[-1]
    assert len(weights.backbone.layers) == 20
    assert layer.gate_up.shape == (128, 768, 1024)
    assert layer.router.weight.shape == (129, 1024)
    assert layer.attention.qkv.weight.shape == (2560, 1024)
    assert [head.weight.shape for head in weights.predictor.heads] == [(2048, 1024)] * 15


def test_frame_sizes_follow_from_the_published_strides() -> None:
    wav = parse_config(PUBLISHED, "published").code2wav_config
    assert (wav.frame_samples, wav.lag_samples) == (1920, 555)
