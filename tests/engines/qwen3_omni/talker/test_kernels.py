"""The Triton kernels compute what plain torch does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from omni_agent.engines.qwen3_omni.talker.ops import EagerOps, Ops, Places
from omni_agent.engines.qwen3_omni.talker.products import Product
from omni_agent.engines.qwen3_omni.talker.runtime import Frame, Runtime, RuntimeOptions
from omni_agent.engines.qwen3_omni.talker.sampling import GREEDY
from omni_agent.engines.qwen3_omni.talker.weights import TalkerWeights

pytest.importorskip("triton")

from omni_agent.engines.qwen3_omni.talker import kernels, matmul_kernels
from omni_agent.engines.qwen3_omni.talker.triton_ops import MOST_ROWS, TritonOps, by_expert

pytestmark = pytest.mark.filterwarnings("ignore")

EAGER = EagerOps()
# Interpreted on a CPU (see conftest), compiled where there is a GPU.
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


@pytest.fixture(scope="module")
def ops() -> TritonOps:
    return TritonOps()


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(DEVICE)


def test_a_bias_is_not_forgotten(ops: TritonOps) -> None:
    x, weight = noise(2, 16), Product(noise(8, 16, seed=1), noise(8, seed=2))
    assert torch.allclose(ops.linear(x, weight), EAGER.linear(x, weight), atol=1e-5)


@pytest.mark.parametrize("shape", [(3, 32), (2, 5, 16), (1, 100)])
def test_rms_norm(ops: TritonOps, shape: tuple[int, ...]) -> None:
    x, norm = noise(*shape), (noise(shape[-1], seed=1), 1e-6)
    assert torch.allclose(ops.rms_norm(x, norm), EAGER.rms_norm(x, norm), atol=1e-6)


@pytest.mark.parametrize("rows", [1, 2, 17, MOST_ROWS, MOST_ROWS + 1])
@pytest.mark.parametrize(("width", "outputs"), [(32, 64), (100, 30), (1100, 5)])
def test_linear_and_gated_with_what_surrounds_them(
    ops: TritonOps, rows: int, width: int, outputs: int
) -> None:
    x, add, norm = noise(1, rows, width), noise(1, rows, outputs, seed=1), noise(width, seed=2)
    weight = Product(noise(outputs, width, seed=3) / width**0.5)
    both = Product(noise(2 * outputs, width, seed=4) / width**0.5)
    for normed in (None, (norm, 1e-6)):
        for added in (None, add):
            mine = ops.linear(x, weight, norm=normed, add=added)
            other = EAGER.linear(x, weight, norm=normed, add=added)
            assert torch.allclose(mine, other, atol=1e-5)
        gated = ops.gated(x, both, norm=normed)
        assert torch.allclose(gated, EAGER.gated(x, both, norm=normed), atol=1e-5)


def places(slots: list[int], lengths: list[int], turns: Tensor, *, apart: bool) -> Places:
    at = [torch.tensor(numbers, device=DEVICE) for numbers in (slots, lengths)]
    return Places(*at, turns.cos(), turns.sin(), apart=apart)


@pytest.mark.parametrize(("queries", "groups", "dim"), [(4, 2, 16), (16, 2, 128), (3, 3, 20)])
def test_rope_and_attention_over_rows_of_different_lengths(
    ops: TritonOps, queries: int, groups: int, dim: int
) -> None:
    turns = noise(dim // 2, 3, seed=3).T  # strided, as TM-RoPE's angles are
    where = places([3, 0, 2], [0, 63, 130], turns, apart=False)
    qkv = noise(3, (queries + 2 * groups) * dim)
    norms = ((noise(dim, seed=1), 1e-6), (noise(dim, seed=2), 1e-6))
    made = []
    for one in (ops, EAGER):
        cache = (noise(4, groups, 140, dim, seed=4), noise(4, groups, 140, dim, seed=5))
        q = one.rope_store(qkv, norms, cache, where)
        made.append((q, *cache, one.attend(q, cache, where)))
    for mine, other in zip(*made, strict=True):
        assert mine.shape == other.shape
        assert torch.allclose(mine, other, atol=2e-5)


@pytest.mark.parametrize("positions", [16, 50, 140])
@pytest.mark.parametrize(("queries", "groups", "dim"), [(4, 2, 16), (16, 8, 128), (3, 3, 20)])
def test_attention_of_rows_apart(
    ops: TritonOps, queries: int, groups: int, dim: int, positions: int
) -> None:
    where = places([3, 0, 2], [0, 7, positions - 1], noise(3, dim // 2, seed=3), apart=True)
    qkv = noise(3, (queries + 2 * groups) * dim)
    norms = ((noise(dim, seed=1), 1e-6), (noise(dim, seed=2), 1e-6))
    made = []
    for one in (ops, EAGER):
        shape = (4, groups, positions, dim)
        cache = (noise(*shape, seed=4), noise(*shape, seed=5))
        made.append((one.attention(qkv, norms, cache, where), *cache))
    for mine, other in zip(*made, strict=True):
        assert mine.shape == other.shape
        assert torch.allclose(mine, other, atol=2e-5)


def test_rows_of_one_stream_see_each_other(ops: TritonOps) -> None:
    """As the two with which MTP opens a frame."""
    where = places([1, 1, 0, 0], [0, 1, 0, 1], noise(4, 8, seed=3), apart=False)
    norms = ((noise(16, seed=1), 1e-6), (noise(16, seed=2), 1e-6))
    made = []
    for one in (ops, EAGER):
        cache = (noise(2, 2, 16, 16, seed=4), noise(2, 2, 16, 16, seed=5))
        made.append((one.attention(noise(4, 8 * 16), norms, cache, where), *cache))
    for mine, other in zip(*made, strict=True):
        assert torch.allclose(mine, other, atol=2e-5)


@pytest.mark.parametrize("normalise", [True, False])
@pytest.mark.parametrize(("rows", "experts", "per_row"), [(1, 8, 3), (5, 128, 6), (3, 20, 1)])
def test_route(ops: TritonOps, rows: int, experts: int, per_row: int, normalise: bool) -> None:
    scores = noise(rows, experts + 1)
    chosen, scales = ops.route(scores, per_row, normalise=normalise)
    expected, expected_scales = EAGER.route(scores, per_row, normalise=normalise)
    assert torch.equal(chosen, expected)
    assert torch.allclose(scales, expected_scales, atol=1e-6)


def test_a_router_that_is_not_finite_still_names_experts_that_there_are(ops: TritonOps) -> None:
    scores = torch.full((2, 21), torch.nan, device=DEVICE)
    scores[1] = torch.inf
    chosen, _ = ops.route(scores, 6, normalise=True)
    assert chosen.min() >= 0
    assert chosen.max() < 20


def mixture(
    ops: Ops, x: Tensor, chosen: Tensor, scales: Tensor, gate_up: Tensor, down: Tensor, **how: bool
) -> Tensor:
    others = (noise(*x.shape, seed=7).to(x.dtype), noise(*x.shape, seed=8).to(x.dtype))
    how = how or {"grouped": False}
    return ops.experts(x, (chosen, scales), (gate_up, down), others, **how)


@pytest.mark.parametrize(
    ("rows", "experts", "per_row"), [(1, 8, 3), (4, 8, 3), (5, 8, 3), (40, 4, 2), (7, 128, 6)]
)
def test_experts(ops: TritonOps, rows: int, experts: int, per_row: int) -> None:
    x, inner = noise(rows, 80), 40
    chosen = noise(rows, experts, seed=1).topk(per_row).indices
    scales = torch.softmax(noise(rows, per_row + 1, seed=2), -1)
    gate_up, down = noise(experts, 2 * inner, 80, seed=3) / 9, noise(experts, 80, inner, seed=4) / 6
    mine = mixture(ops, x, chosen, scales, gate_up, down)
    for grouped in (False, True):
        other = mixture(EAGER, x, chosen, scales, gate_up, down, grouped=grouped)
        assert torch.allclose(mine, other, atol=1e-5)


@pytest.mark.parametrize("repeats", [1, 4], ids=["a pair a program", "an expert a program"])
def test_experts_that_nobody_chose_are_not_read(ops: TritonOps, repeats: int) -> None:
    chosen = torch.tensor([[1, 5], [5, 2]] * repeats, device=DEVICE)
    x, scales = noise(2 * repeats, 32), torch.ones(2 * repeats, 3, device=DEVICE)
    gate_up, down = noise(8, 24, 32), noise(8, 32, 12)
    expected = mixture(ops, x, chosen, scales, gate_up, down)
    for expert in (0, 3, 4, 6, 7):
        gate_up[expert], down[expert] = torch.nan, torch.nan
    assert torch.equal(mixture(ops, x, chosen, scales, gate_up, down), expected)


@pytest.mark.parametrize("seed", range(5))
def test_pairs_by_expert_are_each_there_once(seed: int) -> None:
    rows, experts = [1, 3, 30, 100, 200][seed], [128, 8, 4, 2, 128][seed]
    chosen = noise(rows, experts, seed=seed).topk(2).indices
    order, starts = by_expert(chosen, experts)
    flat = chosen.flatten().tolist()
    assert sorted(order.tolist()) == list(range(2 * rows))
    assert starts[0] == 0
    assert starts[-1] == 2 * rows
    for expert in range(experts):
        held = order[starts[expert] : starts[expert + 1]].tolist()
        assert {flat[pair] for pair in held} <= {expert}


@pytest.mark.parametrize(("rows", "vocabulary"), [(1, 2048), (9, 3072), (3, 64)])
def test_choose_draws_what_torch_draws(ops: TritonOps, rows: int, vocabulary: int) -> None:
    top_k = torch.arange(rows, device=DEVICE) % 50 + 1
    top_p = torch.linspace(0.4, 1, rows, device=DEVICE)
    for seed in range(12):
        logits = 3 * noise(rows, vocabulary, seed=seed)
        temperature = (noise(rows, seed=seed + 1).abs() * (noise(rows, seed=seed) > -1)).float()
        uniform = torch.rand(rows, 16, generator=torch.Generator().manual_seed(seed)).to(DEVICE)
        settings = (temperature, top_k, top_p, uniform[:, seed])
        assert torch.equal(ops.choose(logits, *settings), EAGER.choose(logits, *settings))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_choose_draws_each_of_equals_in_turn(ops: TritonOps, dtype: torch.dtype) -> None:
    count = 8
    logits = noise(1, 100).to(dtype).repeat(count, 1)
    equals = [70, 30, 31, 99]
    logits[:, equals] = 9.0
    ones = torch.ones(count, device=DEVICE)
    settings = (50 * ones.long(), 0.9 * ones, torch.arange(count, device=DEVICE) / count)
    expected = [code for code in sorted(equals) for _ in range(2)]
    assert ops.choose(logits, ones, *settings).tolist() == expected
    assert ops.choose(logits, 0 * ones, *settings).tolist() == [30] * count


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_a_row_that_is_not_finite_gets_a_code_that_can_be_looked_up(
    ops: TritonOps, bad: float
) -> None:
    logits = noise(4, 100)
    logits[1], logits[2, 5] = bad, bad
    ones, uniform = torch.ones(4, device=DEVICE), torch.linspace(0, 0.9999999, 4, device=DEVICE)
    for warmth in (0 * ones, ones):
        codes = ops.choose(logits, warmth, 50 * ones.long(), ones, uniform)
        assert codes.min() >= 0
        assert codes.max() < 100


@pytest.mark.parametrize(("count", "length", "channels"), [(6, 11, 40), (0, 3, 700), (54, 1, 96)])
def test_join_snake(ops: TritonOps, count: int, length: int, channels: int) -> None:
    kept, x = noise(2, count, channels), noise(2, channels, length, seed=1).transpose(1, 2)
    snake = (noise(channels, seed=2), noise(channels, seed=3))
    mine, other = ops.join_snake(kept, x, snake), EAGER.join_snake(kept, x, snake)
    assert torch.allclose(mine, other, atol=1e-6)


def close(mine: torch.Tensor, other: torch.Tensor) -> bool:
    """Within the rounding of half precision of what fp32 gives."""
    return torch.allclose(mine.float(), other, rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize(("groups", "positions"), [(2, 4200), (8, 16)], ids=["Talker", "MTP"])
def test_published_heads_in_bfloat16_are_those_of_fp32(
    ops: TritonOps, groups: int, positions: int
) -> None:
    where = places([1, 0], [0, positions - 1], noise(2, 64, seed=3), apart=True)
    half = [
        tensor.bfloat16()
        for tensor in (
            noise(2, (16 + 2 * groups) * 128), noise(128, seed=1), noise(128, seed=2),
            noise(2, groups, positions, 128, seed=4), noise(2, groups, positions, 128, seed=5),
        )
    ]  # fmt: skip
    made = []
    for one, tensors in ((ops, half), (EAGER, [t.float() for t in half])):
        qkv, q_norm, k_norm, keys, values = tensors
        cache, norms = (keys.clone(), values.clone()), ((q_norm, 1e-6), (k_norm, 1e-6))
        q = one.rope_store(qkv, norms, cache, where)
        mixed = one.attend(q, cache, where)
        made.append((q, *cache, mixed, one.attention(qkv, norms, cache, where)))
    for mine, other in zip(*made, strict=True):
        assert mine.dtype == torch.bfloat16
        assert close(mine, other)


def test_published_rows_in_bfloat16_are_those_of_fp32(ops: TritonOps) -> None:
    x, weight, gate_up = noise(1, 1024), noise(1024, seed=1), noise(2 * 3072, 1024, seed=2) / 32
    x, weight, gate_up = x.bfloat16(), weight.bfloat16(), gate_up.bfloat16()
    norm, wide = (weight, 1e-6), (weight.float(), 1e-6)
    assert close(ops.rms_norm(x, norm), EAGER.rms_norm(x.float(), wide))
    gated = EAGER.gated(x.float(), Product(gate_up.float()), norm=wide)
    assert close(ops.gated(x, Product(gate_up), norm=norm), gated)


@pytest.mark.parametrize("rows", [1, 5])
def test_published_experts_in_half_precision_are_those_of_fp32(ops: TritonOps, rows: int) -> None:
    # Triton 3.9's interpreter multiplies the bits of a bfloat16 in a dot; it knows float16.
    chosen = noise(rows, 8, seed=1).topk(6).indices
    half = [
        tensor.half()
        for tensor in (
            noise(rows, 1024), torch.softmax(noise(rows, 7, seed=2), -1),
            noise(8, 768, 1024, seed=3) / 32, noise(8, 1024, 384, seed=4) / 20,
        )
    ]  # fmt: skip
    x, scales, gate_up, down = half
    mine = mixture(ops, x, chosen, scales, gate_up, down)
    x, scales, gate_up, down = (tensor.float() for tensor in half)
    assert mine.dtype == torch.float16
    assert close(mine, mixture(EAGER, x, chosen, scales, gate_up, down))


def test_the_kernels_compile_for_gpus_that_are_not_here(tmp_path: Path) -> None:
    env = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    env["TRITON_CACHE_DIR"] = str(tmp_path)
    script = Path(__file__).parent / "compile_kernels.py"
    done = subprocess.run(
        [sys.executable, script], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    written = {name for module in (kernels, matmul_kernels) for name in dir(module)}
    assert {name for name, *_ in lines} == {name for name in written if name.endswith("_kernel")}
    for name, target, shared in lines:
        assert int(shared) <= 99 << 10, f"{name} on {target}: more than a block of sm_89 has"


@pytest.mark.skipif(DEVICE.type == "cuda", reason="the tiny checkpoint of the tests is on the CPU")
def test_the_whole_runtime_speaks_the_same_on_kernels(
    endless_plain: TalkerWeights, ops: TritonOps
) -> None:
    spoken = []
    for used in (None, ops):
        options = RuntimeOptions(slots=3, positions=64, widths=(2,))
        runtime = Runtime(endless_plain, options, ops=used)
        streams = []
        for words in ((20, 21), (30, 31, 32)):
            stream = runtime.open("ethan", GREEDY, frame_limit=2)
            runtime.begin(stream)
            runtime.push(stream, words)
            runtime.end(stream)
            streams.append(stream)
        results = [result for _ in range(3) for result in runtime.step(streams)]
        assert all(isinstance(result, Frame) for result in results), results
        spoken.append([frame.codes for frame in results if isinstance(frame, Frame)])
    assert len(spoken[0]) == len(spoken[1]) == 6
    for mine, other in zip(*spoken, strict=True):
        assert np.array_equal(mine, other)
