"""The steps have static shapes and read nothing on the host, so a CUDA graph can hold them.

Run at the published size on the meta device, where a tensor has no data: an
operation that needs a value cannot run there.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from omni_agent.engines.qwen3_omni.talker.config import parse_config
from omni_agent.engines.qwen3_omni.talker.layout import TEXT_EMBEDDING, runtime_layout
from omni_agent.engines.qwen3_omni.talker.reading import MetaSource, Reader
from omni_agent.engines.qwen3_omni.talker.stepper import StepInputs, Stepper
from omni_agent.engines.qwen3_omni.talker.weights import build

META, HALF = torch.device("meta"), torch.bfloat16
SLOTS, POSITIONS = 32, 8192


class ShapeOps:
    """What the Triton kernels give, without giving it."""

    def rms_norm(self, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        assert weight.shape == x.shape[-1:]
        return torch.empty_like(x)

    def rope_store(
        self,
        qkv: Tensor,
        norms: tuple[Tensor, Tensor],
        angles: tuple[Tensor, Tensor],
        cache: tuple[Tensor, Tensor],
        where: tuple[Tensor, Tensor],
        eps: float,
    ) -> Tensor:
        rows, groups, dim = qkv.shape[0], cache[0].shape[1], cache[0].shape[3]
        assert all(angle.shape == (rows, dim // 2) for angle in angles)
        assert all(index.shape == (rows,) for index in where)
        return qkv.new_empty(rows, qkv.shape[1] // dim - 2 * groups, dim)

    def attend(
        self, q: Tensor, cache: tuple[Tensor, Tensor], where: tuple[Tensor, Tensor]
    ) -> Tensor:
        return q.new_empty(q.shape[0], q.shape[1] * q.shape[2])

    def swiglu(self, x: Tensor) -> Tensor:
        return x.new_empty(*x.shape[:-1], x.shape[-1] // 2)

    def experts(
        self, x: Tensor, chosen: Tensor, scales: Tensor, gate_up: Tensor, down: Tensor
    ) -> Tensor:
        assert chosen.shape == scales.shape
        return torch.empty_like(x)


class NoHost(TorchDispatchMode):
    """Fails on an operation that takes a host tensor: capture could not replay the copy."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        for leaf in tree_leaves((args, kwargs or {})):
            if isinstance(leaf, Tensor):
                assert leaf.is_meta, f"{func} takes a tensor of the host"
        return func(*args, **(kwargs or {}))


@pytest.fixture(scope="module")
def stepper() -> Stepper:
    raw = json.loads((Path(__file__).parent / "published_config.json").read_text())
    config = parse_config(raw, "published")
    source = MetaSource(runtime_layout(config))
    weights = build(config, Reader(source, META, HALF), source.tensor(TEXT_EMBEDDING))
    return Stepper(weights, ShapeOps(), slots=SLOTS, positions=POSITIONS, width=SLOTS)


def run(call: Callable[[], Tensor]) -> Tensor:
    with torch.inference_mode(), NoHost():
        return call()


@pytest.mark.parametrize("width", [1, 4, 32])
def test_a_talker_step_with_mtp_is_static(stepper: Stepper, width: int) -> None:
    inputs = StepInputs.empty(width, 2048, 16, META, HALF)
    codes = run(lambda: stepper.codes(inputs))
    assert codes.shape == (width, 17)


@pytest.mark.parametrize("width", [1, 32])
def test_a_code2wav_frame_is_static(stepper: Stepper, width: int) -> None:
    slots = torch.zeros(width, dtype=torch.int64, device=META)
    codes = torch.zeros(width, 16, dtype=torch.int64, device=META)
    assert run(lambda: stepper.samples(slots, codes, first=True)).shape == (width, 1365)
    assert run(lambda: stepper.samples(slots, codes, first=False)).shape == (width, 1920)


def test_the_caches_of_32_streams_are_as_large_as_documented(stepper: Stepper) -> None:
    cache = stepper.cache.keys.nbytes + stepper.cache.values.nbytes
    assert cache == (SLOTS + 1) * POSITIONS * 20_480  # bytes a position, bfloat16
    assert stepper.wave.nbytes_per_stream() == pytest.approx(2.59e6, rel=0.01)


def test_sorting_rows_by_expert_is_static() -> None:
    pytest.importorskip("triton")
    from omni_agent.engines.qwen3_omni.talker.triton_ops import expert_tiles

    chosen = torch.zeros(32, 6, dtype=torch.int64, device=META)
    with NoHost():
        tiles = expert_tiles(chosen, 128)
    assert tiles.order.shape == (192,)
    assert tiles.expert.shape == tiles.begin.shape == tiles.end.shape == (140,)
