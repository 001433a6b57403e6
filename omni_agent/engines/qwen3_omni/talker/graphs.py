"""One static program per batch width: a CUDA graph on a GPU, a plain call on a CPU."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

WARMUP = 3  # calls before capture: Triton compiles and cuBLAS picks its kernels


class Program:
    """A function of fixed input tensors. ``run`` gives its output, valid until the next run."""

    def __init__(self, function: Callable[[], Tensor], *, graph: bool, pool: object = None) -> None:
        self._function = function
        self._graph: torch.cuda.CUDAGraph | None = None
        if graph:
            self._capture(pool)

    def run(self) -> Tensor:
        if self._graph is None:
            return self._function()
        self._graph.replay()
        return self._output

    def _capture(self, pool: object) -> None:
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(WARMUP):
                self._function()
        torch.cuda.current_stream().wait_stream(side)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph, pool=pool):  # type: ignore[arg-type]  # opaque handle
            self._output = self._function()


def batches(count: int, widths: Sequence[int]) -> list[tuple[int, int]]:
    """Cut ``count`` rows into batches: (rows, width) pairs over ascending ``widths``.

    The largest width repeats while it is filled; the rest takes the smallest that
    holds it.
    """
    largest, out = widths[-1], []
    while count > largest:
        out.append((largest, largest))
        count -= largest
    if count:
        out.append((count, next(width for width in widths if width >= count)))
    return out
