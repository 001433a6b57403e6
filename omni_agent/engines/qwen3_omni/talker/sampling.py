"""Choosing codes: repetition penalty, suppression, temperature, top-k, top-p, on fp32 logits.

The order is the reference's. A draw is one uniform number through the inverse of
the kept candidates' distribution, so a stream's randomness is sixteen numbers a
frame from its own generator, whoever shares its batch, and a CUDA graph can
replay it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

CANDIDATES = 128  # the largest top-k; one static width for every row
PREDICTOR_TOP_K, PREDICTOR_TOP_P = 50, 0.8  # fixed in the reference's MTP step


@dataclass(frozen=True, slots=True)
class TalkerSampling:
    """Defaults are the reference's. ``temperature`` 0 is greedy, for the residual codes too.

    repetition_penalty: over the stream's own codebook-0 codes. seed: of the stream's
    random numbers; None draws one.
    """

    temperature: float = 0.9
    top_k: int = 50
    top_p: float = 1.0
    repetition_penalty: float = 1.05
    seed: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.temperature <= 10:
            raise ValueError(f"temperature {self.temperature} is not between 0 and 10")
        if not 1 <= self.top_k <= CANDIDATES:
            raise ValueError(f"top_k {self.top_k} is not between 1 and {CANDIDATES}")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p {self.top_p} is not in (0, 1]")
        if not 0.5 <= self.repetition_penalty <= 10:
            raise ValueError(f"repetition_penalty {self.repetition_penalty} is not in [0.5, 10]")


GREEDY = TalkerSampling(temperature=0.0)


@dataclass(frozen=True, slots=True)
class SamplingRows:
    """Per-row settings, each (B,): temperature, top_p, penalty fp32; top_k int64."""

    temperature: Tensor
    top_k: Tensor
    top_p: Tensor
    penalty: Tensor

    @staticmethod
    def empty(rows: int, device: torch.device) -> SamplingRows:
        one = torch.ones(rows, device=device)
        return SamplingRows(
            one.clone(), torch.ones(rows, dtype=torch.int64, device=device), one.clone(), one
        )


def penalize(logits: Tensor, seen: Tensor, penalty: Tensor) -> Tensor:
    """Repetition penalty: logits (B, V) fp32, seen (B, V) bool, penalty (B,)."""
    factor = penalty.unsqueeze(-1)
    return torch.where(seen, torch.where(logits < 0, logits * factor, logits / factor), logits)


def kept_candidates(
    logits: Tensor, temperature: Tensor, top_k: Tensor | int, top_p: Tensor | float
) -> tuple[Tensor, Tensor]:
    """The distribution after temperature, top-k and top-p.

    logits (B, V) fp32. Returns probabilities (B, C), zero where dropped, and ids
    (B, C), the most likely first. Of codes tied with the k-th, the reference keeps
    all and this keeps k.
    """
    cool = torch.where(temperature > 0, temperature, torch.ones_like(temperature))
    values, ids = torch.topk(logits / cool.unsqueeze(-1), min(CANDIDATES, logits.shape[-1]))
    rank = torch.arange(values.shape[-1], device=logits.device)
    limit = top_k.unsqueeze(-1) if isinstance(top_k, Tensor) else top_k
    probabilities = torch.softmax(values.masked_fill(rank >= limit, -torch.inf), dim=-1)
    before = probabilities.cumsum(-1) - probabilities
    share = top_p.unsqueeze(-1) if isinstance(top_p, Tensor) else top_p
    # A code is kept when those likelier than it do not fill top_p; the first always is.
    keep = (before < share) | (share >= 1) | (rank == 0)
    return torch.where(keep, probabilities, torch.zeros_like(probabilities)), ids


def choose(
    logits: Tensor,
    temperature: Tensor,
    top_k: Tensor | int,
    top_p: Tensor | float,
    uniform: Tensor,
) -> Tensor:
    """One code a row (B,): the likeliest where temperature is 0, else a draw.

    uniform: (B,) in [0, 1).
    """
    probabilities, ids = kept_candidates(logits, temperature, top_k, top_p)
    cumulative = probabilities.cumsum(-1)
    target = uniform.unsqueeze(-1) * cumulative[:, -1:]
    drawn = (cumulative <= target).sum(-1)
    # Rounding can put the target on the total: the last kept candidate then. A row that is not
    # finite keeps none: its code means nothing, but on a GPU a place that is none ends them all.
    drawn = torch.minimum(drawn, (probabilities > 0).sum(-1) - 1).clamp(min=0)
    place = torch.where(temperature > 0, drawn, torch.zeros_like(drawn))
    return ids.gather(-1, place.unsqueeze(-1)).squeeze(-1)


def suppressed(vocabulary: int, eos: int, device: torch.device) -> Tensor:
    """(V,) bool: the control codes, the last 1024 but for eos, which are never chosen."""
    mask = torch.zeros(vocabulary, dtype=torch.bool, device=device)
    mask[max(0, vocabulary - 1024) :] = True
    mask[eos] = False
    return mask
