"""One static program per batch width: a CUDA graph on a GPU, a plain call on a CPU."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

WARMUP = 3  # calls before capture: Triton compiles and cuBLAS picks its kernels


@dataclass(frozen=True, slots=True)
class Capture:
    """What all graphs of a device share.

    pool: memory; programs never overlap, and each output is copied before the next one runs.
    stream: where they are warmed up and captured.
    """

    pool: Any
    stream: torch.cuda.Stream

    @staticmethod
    def on(device: torch.device) -> Capture | None:
        """None on a CPU, which has no graphs."""
        if device.type != "cuda":
            return None
        stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]  # torch's
        return Capture(torch.cuda.graph_pool_handle(), stream)


class Program:
    """A function of fixed input tensors. ``run`` gives its output, valid until the next run."""

    def __init__(self, function: Callable[[], Tensor], capture: Capture | None) -> None:
        self._function = function
        self._graph: torch.cuda.CUDAGraph | None = None
        if capture is not None:
            self._capture(capture)

    def run(self) -> Tensor:
        if self._graph is None:
            return self._function()
        self._graph.replay()
        return self._output

    def _capture(self, capture: Capture) -> None:
        main = torch.cuda.current_stream(capture.stream.device)
        capture.stream.wait_stream(main)
        with torch.cuda.stream(capture.stream):
            for _ in range(WARMUP):
                self._function()
        main.wait_stream(capture.stream)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(
            self._graph,
            pool=capture.pool,
            stream=capture.stream,
            capture_error_mode="thread_local",  # other threads may use the GPU meanwhile
        ):
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
