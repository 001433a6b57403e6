"""Rotary angles, plain and TM-RoPE (report section 2.2: interleaved time, height, width)."""

from __future__ import annotations

import torch
from torch import Tensor

from omni_agent.engines.qwen3_omni.talker.config import Rope


class RotaryAngles:
    """cos and sin for positions, in fp32. Positions may be fractional (video time)."""

    def __init__(self, rope: Rope, head_dim: int, device: torch.device | str) -> None:
        steps = torch.arange(0, head_dim, 2, dtype=torch.float32)
        self._inverse = (1.0 / (rope.rope_theta ** (steps / head_dim))).to(device)
        self._axis = torch.tensor(_axes(rope, head_dim // 2), device=device)

    def linear(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """positions (n,) to cos, sin (n, D / 2)."""
        angles = positions.float().unsqueeze(-1) * self._inverse
        return angles.cos(), angles.sin()

    def spatial(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """positions (3, n), time, height, width, to cos, sin (n, D / 2)."""
        angles = positions.float()[self._axis].transpose(0, 1) * self._inverse
        return angles.cos(), angles.sin()


def _axes(rope: Rope, angles: int) -> list[int]:
    """Which of time (0), height (1), width (2) turns each angle: t h w t h w … then t."""
    axes = [0] * angles
    if rope.mrope_section is not None:
        for axis in (1, 2):
            for angle in range(axis, min(3 * rope.mrope_section[axis], angles), 3):
                axes[angle] = axis
    return axes
