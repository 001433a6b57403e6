"""The runtime's weights: what the checkpoint stores, fused into the shapes the steps read.

q, k and v become one matrix, gate and up another, experts one stacked tensor a
layer, and the router and the shared expert's gate one matrix: fewer, larger
reads. Linear weights keep torch's (out, in) order. ``load`` checks everything
(see ``checkpoint``) before it allocates on the device.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from omni_agent.engines.qwen3_omni.talker.checkpoint import Checkpoint
from omni_agent.engines.qwen3_omni.talker.code2wav_weights import Code2WavWeights, read_code2wav
from omni_agent.engines.qwen3_omni.talker.config import OmniConfig, read_config
from omni_agent.engines.qwen3_omni.talker.layout import TEXT_EMBEDDING, runtime_layout
from omni_agent.engines.qwen3_omni.talker.products import Product
from omni_agent.engines.qwen3_omni.talker.reading import Reader

_log = logging.getLogger(__name__)
Progress = Callable[[int, int], None]  # bytes done, bytes in all


@dataclass(frozen=True, slots=True)
class AttentionWeights:
    """Normed grouped-query attention. H hidden, Q query heads, G key/value heads, D head dim."""

    norm: Tensor  # (H,) before attention
    qkv: Product  # ((Q + 2 G) D, H)
    q_norm: Tensor  # (D,)
    k_norm: Tensor  # (D,)
    out: Product  # (H, Q D)

    def norms(self, eps: float) -> tuple[tuple[Tensor, float], tuple[Tensor, float]]:
        """Of queries and of keys."""
        return (self.q_norm, eps), (self.k_norm, eps)


@dataclass(frozen=True, slots=True)
class MlpWeights:
    gate_up: Product  # (2 I, H): gate rows, then up rows
    down: Product  # (H, I)


@dataclass(frozen=True, slots=True)
class BackboneLayer:
    attention: AttentionWeights
    norm: Tensor  # (H,) before the experts
    router: Product  # (E + 1, H): the router, then the shared expert's gate as last row
    gate_up: Tensor  # (E, 2 I, H)
    down: Tensor  # (E, H, I)
    shared: MlpWeights


@dataclass(frozen=True, slots=True)
class Projection:
    """Thinker width to Talker width: fc2(silu(fc1(x)))."""

    fc1: Tensor
    bias1: Tensor
    fc2: Tensor
    bias2: Tensor


@dataclass(frozen=True, slots=True)
class BackboneWeights:
    layers: tuple[BackboneLayer, ...]
    norm: Tensor  # (H,)
    codec_embedding: Tensor  # (V, H)
    codec_head: Product  # (V, H)
    text_projection: Projection
    hidden_projection: Projection


@dataclass(frozen=True, slots=True)
class PredictorLayer:
    attention: AttentionWeights
    norm: Tensor  # (H,)
    mlp: MlpWeights


@dataclass(frozen=True, slots=True)
class PredictorWeights:
    layers: tuple[PredictorLayer, ...]
    norm: Tensor  # (H,)
    embeddings: Tensor  # (15, C, H): row i embeds codebook i + 1
    heads: tuple[Product, ...]  # 15 of (C, H): head i predicts codebook i + 1


@dataclass(frozen=True, slots=True)
class TalkerWeights:
    """All of it. ``text_rows`` is the Thinker's embedding table, a CPU view of the file."""

    config: OmniConfig
    backbone: BackboneWeights
    predictor: PredictorWeights
    code2wav: Code2WavWeights
    text_rows: Tensor  # (thinker vocab, thinker hidden)


def log_progress(done: int, total: int) -> None:
    """Log each tenth of the way: the default progress of ``load``."""
    if total and done * 10 // total != max(0, done - 1) * 10 // total:
        _log.info(
            "Talker weights: %d %%, %d of %d MB", 100 * done // total, done >> 20, total >> 20
        )


def load(
    directory: Path | str,
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    progress: Progress = log_progress,
) -> TalkerWeights:
    """Load the speech half of a checkpoint directory.

    Raises ConfigError or CheckpointError, naming file and key or tensor, before
    anything is allocated on ``device``.
    """
    config = read_config(directory)
    checkpoint = Checkpoint.open(directory, runtime_layout(config))
    total = sum(checkpoint.nbytes(n) for n in checkpoint.names() if n != TEXT_EMBEDDING)
    reader = Reader(checkpoint, torch.device(device), dtype, lambda done: progress(done, total))
    return build(config, reader, checkpoint.tensor(TEXT_EMBEDDING))


def build(config: OmniConfig, reader: Reader, text_rows: Tensor) -> TalkerWeights:
    """Fuse what ``reader`` reads; on the meta device this only computes shapes."""
    return TalkerWeights(
        config=config,
        backbone=_backbone(config, reader),
        predictor=_predictor(config, reader),
        code2wav=read_code2wav(config.code2wav_config, reader),
        text_rows=text_rows,
    )


def _any_rows(weight: Tensor) -> Product:
    """For the Talker's layers: one row a step, and hundreds of a prompt."""
    return Product(weight)


def _few_rows(weight: Tensor) -> Product:
    """For MTP: never more than two rows a stream."""
    return Product.of(weight, rows=1)


def _attention(reader: Reader, prefix: str, lay: Callable[[Tensor], Product]) -> AttentionWeights:
    attention = f"{prefix}.self_attn"
    return AttentionWeights(
        norm=reader.one(f"{prefix}.input_layernorm.weight"),
        qkv=lay(reader.joined([f"{attention}.{part}_proj.weight" for part in "qkv"])),
        q_norm=reader.one(f"{attention}.q_norm.weight"),
        k_norm=reader.one(f"{attention}.k_norm.weight"),
        out=lay(reader.one(f"{attention}.o_proj.weight")),
    )


def _mlp(reader: Reader, prefix: str, lay: Callable[[Tensor], Product]) -> MlpWeights:
    gate_up = reader.joined([f"{prefix}.gate_proj.weight", f"{prefix}.up_proj.weight"])
    return MlpWeights(lay(gate_up), lay(reader.one(f"{prefix}.down_proj.weight")))


def _projection(reader: Reader, prefix: str) -> Projection:
    return Projection(
        reader.one(f"{prefix}.linear_fc1.weight"),
        reader.one(f"{prefix}.linear_fc1.bias"),
        reader.one(f"{prefix}.linear_fc2.weight"),
        reader.one(f"{prefix}.linear_fc2.bias"),
    )


def _backbone_layer(reader: Reader, prefix: str, experts: int) -> BackboneLayer:
    names = [f"{prefix}.mlp.experts.{expert}" for expert in range(experts)]
    return BackboneLayer(
        attention=_attention(reader, prefix, _any_rows),
        norm=reader.one(f"{prefix}.post_attention_layernorm.weight"),
        router=_any_rows(
            reader.joined([f"{prefix}.mlp.gate.weight", f"{prefix}.mlp.shared_expert_gate.weight"])
        ),
        gate_up=reader.stacked(
            [[f"{name}.gate_proj.weight", f"{name}.up_proj.weight"] for name in names]
        ),
        down=reader.stacked([[f"{name}.down_proj.weight"] for name in names]),
        shared=_mlp(reader, f"{prefix}.mlp.shared_expert", _any_rows),
    )


def _backbone(config: OmniConfig, reader: Reader) -> BackboneWeights:
    text = config.talker_config.text_config
    return BackboneWeights(
        layers=tuple(
            _backbone_layer(reader, f"talker.model.layers.{index}", text.num_experts)
            for index in range(text.num_hidden_layers)
        ),
        norm=reader.one("talker.model.norm.weight"),
        codec_embedding=reader.one("talker.model.codec_embedding.weight"),
        codec_head=_any_rows(reader.one("talker.codec_head.weight")),
        text_projection=_projection(reader, "talker.text_projection"),
        hidden_projection=_projection(reader, "talker.hidden_projection"),
    )


def _predictor(config: OmniConfig, reader: Reader) -> PredictorWeights:
    predictor, prefix = config.talker_config.code_predictor_config, "talker.code_predictor"
    residuals = range(predictor.num_code_groups - 1)
    layers = []
    for index in range(predictor.num_hidden_layers):
        layer = f"{prefix}.model.layers.{index}"
        layers.append(
            PredictorLayer(
                attention=_attention(reader, layer, _few_rows),
                norm=reader.one(f"{layer}.post_attention_layernorm.weight"),
                mlp=_mlp(reader, f"{layer}.mlp", _few_rows),
            )
        )
    return PredictorWeights(
        layers=tuple(layers),
        norm=reader.one(f"{prefix}.model.norm.weight"),
        embeddings=reader.stacked(
            [[f"{prefix}.model.codec_embedding.{i}.weight"] for i in residuals]
        ),
        heads=tuple(_few_rows(reader.one(f"{prefix}.lm_head.{i}.weight")) for i in residuals),
    )
