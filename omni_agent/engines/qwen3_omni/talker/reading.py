"""Reads checkpoint tensors onto a device, fusing as it goes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import torch
from torch import Tensor

from omni_agent.engines.qwen3_omni.talker.layout import Shape


class TensorSource(Protocol):
    """Tensors by name; ``Checkpoint`` is one."""

    def tensor(self, name: str) -> Tensor: ...


class MetaSource:
    """Tensors that have a shape and no data, for checking layouts."""

    def __init__(self, layout: Mapping[str, Shape]) -> None:
        self._layout = layout

    def tensor(self, name: str) -> Tensor:
        return torch.empty(self._layout[name], device="meta")


class RandomSource:
    """Random tensors in a given layout, made on demand: benchmarks at true size.

    In bfloat16, as the published checkpoint is.
    """

    def __init__(self, layout: Mapping[str, Shape], device: torch.device, seed: int = 0) -> None:
        self._layout, self._device = layout, device
        self._generator = torch.Generator(device).manual_seed(seed)

    def tensor(self, name: str) -> Tensor:
        shape = self._layout[name]
        noise = torch.randn(shape, device=self._device, generator=self._generator)
        if len(shape) == 1:
            return (1 + 0.1 * noise if "norm" in name else 0.1 * noise).bfloat16()
        inner = noise[0].numel()
        return noise.mul_(inner**-0.5).bfloat16()


class Reader:
    """Copies named tensors to one device and dtype. ``progress`` gets the bytes read so far."""

    def __init__(
        self,
        source: TensorSource,
        device: torch.device,
        dtype: torch.dtype,
        progress: Callable[[int], None] = lambda done: None,
    ) -> None:
        self._source, self._device, self._dtype = source, device, dtype
        self._progress, self._done = progress, 0

    def one(self, name: str) -> Tensor:
        """A copy of one tensor, in its stored shape."""
        stored = self._source.tensor(name)
        out = torch.empty(stored.shape, device=self._device, dtype=self._dtype)
        self._copy(out, stored)
        return out

    def joined(self, names: Sequence[str]) -> Tensor:
        """Tensors concatenated along the first axis."""
        parts = [self._source.tensor(name) for name in names]
        rows = sum(part.shape[0] for part in parts)
        out = torch.empty((rows, *parts[0].shape[1:]), device=self._device, dtype=self._dtype)
        self._fill(out, parts)
        return out

    def stacked(self, groups: Sequence[Sequence[str]]) -> Tensor:
        """``joined`` groups stacked along a new first axis."""
        first = [self._source.tensor(name) for name in groups[0]]
        rows = sum(part.shape[0] for part in first)
        shape = (len(groups), rows, *first[0].shape[1:])
        out = torch.empty(shape, device=self._device, dtype=self._dtype)
        for index, group in enumerate(groups):
            self._fill(out[index], [self._source.tensor(name) for name in group])
        return out

    def _fill(self, out: Tensor, parts: Sequence[Tensor]) -> None:
        row = 0
        for part in parts:
            self._copy(out[row : row + part.shape[0]], part)
            row += part.shape[0]

    def _copy(self, out: Tensor, stored: Tensor) -> None:
        out.copy_(stored)
        self._done += stored.numel() * stored.element_size()
        self._progress(self._done)
