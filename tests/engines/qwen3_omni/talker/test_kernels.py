"""The Triton kernels compute what plain torch does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from omni_agent.engines.qwen3_omni.talker.ops import EagerOps
from omni_agent.engines.qwen3_omni.talker.runtime import Frame, Runtime, RuntimeOptions
from omni_agent.engines.qwen3_omni.talker.sampling import GREEDY
from omni_agent.engines.qwen3_omni.talker.weights import TalkerWeights

pytest.importorskip("triton")

from omni_agent.engines.qwen3_omni.talker.triton_ops import TILE, TritonOps, expert_tiles

pytestmark = pytest.mark.filterwarnings("ignore")

EAGER = EagerOps()
# Interpreted on a CPU (see conftest), compiled where there is a GPU.
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


@pytest.fixture(scope="module")
def ops() -> TritonOps:
    return TritonOps()


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(DEVICE)


@pytest.mark.parametrize("shape", [(3, 32), (2, 5, 16), (1, 100)])
def test_rms_norm(ops: TritonOps, shape: tuple[int, ...]) -> None:
    x, weight = noise(*shape), noise(shape[-1], seed=1)
    assert torch.allclose(ops.rms_norm(x, weight, 1e-6), EAGER.rms_norm(x, weight, 1e-6), atol=1e-6)


@pytest.mark.parametrize("width", [48, 384, 1500])
def test_swiglu(ops: TritonOps, width: int) -> None:
    x = noise(3, 2 * width)
    assert torch.allclose(ops.swiglu(x), EAGER.swiglu(x), atol=1e-6)


@pytest.mark.parametrize(("queries", "groups", "dim"), [(4, 2, 16), (16, 2, 128), (3, 3, 20)])
def test_rope_and_attention_over_rows_of_different_lengths(
    ops: TritonOps, queries: int, groups: int, dim: int
) -> None:
    slots, lengths = (
        torch.tensor([3, 0, 2], device=DEVICE),
        torch.tensor([0, 63, 130], device=DEVICE),
    )
    qkv = noise(3, (queries + 2 * groups) * dim)
    norms = (noise(dim, seed=1), noise(dim, seed=2))
    turns = noise(dim // 2, 3, seed=3).T  # strided, as TM-RoPE's angles are
    angles = (turns.cos(), turns.sin())
    made = []
    for one in (ops, EAGER):
        cache = (noise(4, groups, 140, dim, seed=4), noise(4, groups, 140, dim, seed=5))
        q = one.rope_store(qkv, norms, angles, cache, (slots, lengths), 1e-6)
        made.append((q, *cache, one.attend(q, cache, (slots, lengths))))
    for mine, other in zip(*made, strict=True):
        assert mine.shape == other.shape
        assert torch.allclose(mine, other, atol=2e-5)


@pytest.mark.parametrize(
    ("rows", "experts", "per_row"), [(1, 8, 3), (5, 8, 3), (40, 4, 2), (7, 128, 6)]
)
def test_experts(ops: TritonOps, rows: int, experts: int, per_row: int) -> None:
    x, inner = noise(rows, 80), 40
    chosen = noise(rows, experts, seed=1).topk(per_row).indices
    scales = torch.softmax(noise(rows, per_row, seed=2), -1)
    gate_up, down = noise(experts, 2 * inner, 80, seed=3) / 9, noise(experts, 80, inner, seed=4) / 6
    mine = ops.experts(x, chosen, scales, gate_up, down)
    assert torch.allclose(mine, EAGER.experts(x, chosen, scales, gate_up, down), atol=1e-5)
    assert torch.allclose(mine, EAGER.grouped_experts(x, chosen, scales, gate_up, down), atol=1e-5)


def test_experts_that_nobody_chose_are_not_read(ops: TritonOps) -> None:
    chosen = torch.tensor([[1, 5], [5, 2]], device=DEVICE)
    gate_up, down = noise(8, 24, 32), noise(8, 32, 12)
    expected = ops.experts(noise(2, 32), chosen, torch.ones(2, 2, device=DEVICE), gate_up, down)
    for expert in (0, 3, 4, 6, 7):
        gate_up[expert], down[expert] = torch.nan, torch.nan
    again = ops.experts(noise(2, 32), chosen, torch.ones(2, 2, device=DEVICE), gate_up, down)
    assert torch.equal(again, expected)


@pytest.mark.parametrize("seed", range(5))
def test_tiles_hold_every_pair_once_and_one_expert_each(seed: int) -> None:
    rows, experts = [1, 3, 30, 100, 200][seed], [128, 8, 4, 2, 128][seed]
    chosen = noise(rows, experts, seed=seed).topk(2).indices
    tiles = expert_tiles(chosen, experts)
    flat, held = chosen.flatten().tolist(), []
    for expert, begin, end in zip(
        tiles.expert.tolist(), tiles.begin.tolist(), tiles.end.tolist(), strict=True
    ):
        if expert < experts:
            pairs = tiles.order[begin : min(end, begin + TILE)].tolist()
            assert pairs
            assert {flat[pair] for pair in pairs} == {expert}
            held += pairs
    assert sorted(held) == list(range(2 * rows))


def close(mine: torch.Tensor, other: torch.Tensor) -> bool:
    """Within the rounding of half precision of what fp32 gives."""
    return torch.allclose(mine.float(), other, rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize(("groups", "positions"), [(2, 4200), (8, 16)], ids=["Talker", "MTP"])
def test_published_heads_in_bfloat16_are_those_of_fp32(
    ops: TritonOps, groups: int, positions: int
) -> None:
    where = (torch.tensor([1, 0], device=DEVICE), torch.tensor([0, positions - 1], device=DEVICE))
    half = [
        tensor.bfloat16()
        for tensor in (
            noise(2, (16 + 2 * groups) * 128), noise(128, seed=1), noise(128, seed=2),
            noise(2, groups, positions, 128, seed=4), noise(2, groups, positions, 128, seed=5),
        )
    ]  # fmt: skip
    turns = noise(2, 64, seed=3)
    made = []
    for one, (qkv, *norms, keys, values) in ((ops, half), (EAGER, [t.float() for t in half])):
        cache = (keys.clone(), values.clone())
        angles = (turns.cos(), turns.sin())
        q = one.rope_store(qkv, (norms[0], norms[1]), angles, cache, where, 1e-6)
        made.append((q, *cache, one.attend(q, cache, where)))
    for mine, other in zip(*made, strict=True):
        assert mine.dtype == torch.bfloat16
        assert close(mine, other)


def test_published_rows_in_bfloat16_are_those_of_fp32(ops: TritonOps) -> None:
    x, weight, wide = noise(3, 1024), noise(1024, seed=1), noise(3, 2 * 3072, seed=2)
    x, weight, wide = x.bfloat16(), weight.bfloat16(), wide.bfloat16()
    normed = EAGER.rms_norm(x.float(), weight.float(), 1e-6)
    assert close(ops.rms_norm(x, weight, 1e-6), normed)
    assert close(ops.swiglu(wide), EAGER.swiglu(wide.float()))


def test_published_experts_in_half_precision_are_those_of_fp32(ops: TritonOps) -> None:
    # Triton 3.9's interpreter multiplies the bits of a bfloat16 in a dot; it knows float16.
    chosen = noise(1, 128, seed=1).topk(6).indices
    half = [
        tensor.half()
        for tensor in (
            noise(1, 1024), torch.softmax(noise(1, 6, seed=2), -1),
            noise(128, 768, 1024, seed=3) / 32, noise(128, 1024, 384, seed=4) / 20,
        )
    ]  # fmt: skip
    x, scales, gate_up, down = half
    mine = ops.experts(x, chosen, scales, gate_up, down)
    x, scales, gate_up, down = (tensor.float() for tensor in half)
    assert mine.dtype == torch.float16
    assert close(mine, EAGER.experts(x, chosen, scales, gate_up, down))


def test_the_kernels_compile_for_gpus_that_are_not_here(tmp_path: Path) -> None:
    env = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    env["TRITON_CACHE_DIR"] = str(tmp_path)
    script = Path(__file__).parent / "compile_kernels.py"
    done = subprocess.run(
        [sys.executable, script], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert len({name for name, *_ in lines}) == 6
    for name, target, shared in lines:
        assert int(shared) <= 48 << 10, f"{name} on {target}: more than a block has without asking"


@pytest.mark.skipif(DEVICE.type == "cuda", reason="the tiny checkpoint of the tests is on the CPU")
def test_the_whole_runtime_speaks_the_same_on_kernels(
    endless: TalkerWeights, ops: TritonOps
) -> None:
    spoken = []
    for used in (None, ops):
        runtime = Runtime(endless, RuntimeOptions(slots=3, positions=64, widths=(2,)), ops=used)
        streams = []
        for words in ((20, 21), (30, 31, 32)):
            stream = runtime.open("ethan", GREEDY, frame_limit=2)
            runtime.begin(stream)
            runtime.push(stream, words)
            runtime.end(stream)
            streams.append(stream)
        results = [result for _ in range(3) for result in runtime.step(streams)]
        spoken.append([frame.codes for frame in results if isinstance(frame, Frame)])
    assert len(spoken[0]) == len(spoken[1]) == 6
    for mine, other in zip(*spoken, strict=True):
        assert np.array_equal(mine, other)
