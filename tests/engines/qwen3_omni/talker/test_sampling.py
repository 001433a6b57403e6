"""Sampling keeps what the reference's processors keep, in their order."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from omni_agent.engines.qwen3_omni.talker.sampling import (
    CANDIDATES,
    TalkerSampling,
    choose,
    kept_candidates,
    penalize,
    suppressed,
)

VOCABULARY, EOS = 3072, 2150


def logits(rows: int = 1, seed: int = 0) -> torch.Tensor:
    return 3 * torch.randn(rows, VOCABULARY, generator=torch.Generator().manual_seed(seed))


def processed(
    raw: torch.Tensor, seen: list[int], temperature: float, top_k: int, top_p: float, penalty: float
) -> torch.Tensor:
    """Our distribution over the whole vocabulary, (V,)."""
    mask = torch.zeros_like(raw, dtype=torch.bool)
    mask[0, seen] = True
    out = penalize(raw, mask, torch.tensor([penalty]))
    out = out.masked_fill(suppressed(VOCABULARY, EOS, raw.device), -torch.inf)
    probabilities, ids = kept_candidates(
        out, torch.tensor([temperature]), torch.tensor([top_k]), torch.tensor([top_p])
    )
    whole = torch.zeros(VOCABULARY).scatter(0, ids[0], probabilities[0])
    return whole / whole.sum()


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("temperature", "top_k", "top_p", "penalty"),
    [(0.9, 50, 1.0, 1.05), (1.0, 50, 0.8, 1.0), (0.7, 5, 0.5, 1.3), (1.5, 128, 0.95, 1.1)],
)
def test_the_distribution_equals_the_references(
    seed: int, temperature: float, top_k: int, top_p: float, penalty: float
) -> None:
    process = pytest.importorskip("transformers.generation.logits_process")
    raw, seen = logits(seed=seed), [3, 700, 701, 2047]
    banned = [i for i in range(VOCABULARY - 1024, VOCABULARY) if i != EOS]
    reference = raw
    for step in (
        process.RepetitionPenaltyLogitsProcessor(penalty),
        process.SuppressTokensLogitsProcessor(banned),
        process.TemperatureLogitsWarper(temperature),
        process.TopKLogitsWarper(top_k),
        *([process.TopPLogitsWarper(top_p)] if top_p < 1 else []),
    ):
        reference = step(torch.tensor([seen]), reference)
    expected = reference.softmax(-1)[0]
    ours = processed(raw, seen, temperature, top_k, top_p, penalty)
    assert torch.equal(ours > 0, expected > 0)
    assert torch.allclose(ours, expected, atol=1e-6)


def test_draws_follow_the_distribution() -> None:
    raw = logits()
    random = np.random.default_rng(0)
    count = 20_000
    uniform = torch.from_numpy(random.random(count, dtype=np.float32))
    drawn = choose(raw.expand(count, -1), torch.full((count,), 0.9), 8, 1.0, uniform)
    probabilities, ids = kept_candidates(raw, torch.tensor([0.9]), 8, 1.0)
    for probability, code in zip(probabilities[0, :8], ids[0, :8], strict=True):
        assert (drawn == code).float().mean().item() == pytest.approx(probability.item(), abs=0.01)
    assert set(drawn.tolist()) <= set(ids[0, :8].tolist())


def test_temperature_0_takes_the_likeliest_whatever_the_draw() -> None:
    raw = logits(rows=4)
    for uniform in (0.0, 0.5, 0.999999):
        chosen = choose(raw, torch.zeros(4), 50, 0.8, torch.full((4,), uniform))
        assert torch.equal(chosen, raw.argmax(-1))


def test_the_largest_draw_stays_among_the_kept() -> None:
    raw = logits(rows=64)
    almost = torch.full((64,), float(np.nextafter(np.float32(1), np.float32(0))))
    probabilities, ids = kept_candidates(raw, torch.ones(64), 50, 0.8)
    kept = torch.zeros(64, VOCABULARY).scatter(1, ids, probabilities) > 0
    chosen = choose(raw, torch.ones(64), 50, 0.8, almost)
    assert kept.gather(1, chosen.unsqueeze(1)).all()


def test_control_codes_are_never_chosen_but_for_the_end() -> None:
    mask = suppressed(VOCABULARY, EOS, torch.device("cpu"))
    assert mask.nonzero().flatten().tolist() == [i for i in range(2048, 3072) if i != EOS]


@pytest.mark.parametrize(
    "wrong",
    [{"temperature": -1}, {"top_k": 0}, {"top_k": CANDIDATES + 1}, {"top_p": 0.0},
     {"repetition_penalty": 0.0}],
)  # fmt: skip
def test_settings_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        TalkerSampling(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_row_that_is_not_finite_still_gets_a_code_that_can_be_looked_up(bad: float) -> None:
    rows = logits(3)
    rows[1] = bad
    warm, uniform = torch.full((3,), 0.9), torch.tensor([0.1, 0.99, 0.5])
    codes = choose(rows, warm, 50, 0.8, uniform)
    assert all(0 <= code < VOCABULARY for code in codes.tolist())
    others = torch.tensor([0, 2])
    assert torch.equal(codes[others], choose(rows[others], warm[others], 50, 0.8, uniform[others]))
