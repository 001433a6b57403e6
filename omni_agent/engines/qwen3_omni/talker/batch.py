"""Runs rows of many streams through the static programs, batch by batch.

A row that fails does not fail its batch: the batch is tried again one row at a
time, and only the rows that fail alone come back as errors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from omni_agent.engines.qwen3_omni.talker.graphs import Capture, Program, batches
from omni_agent.engines.qwen3_omni.talker.sampling import TalkerSampling
from omni_agent.engines.qwen3_omni.talker.stepper import StepInputs, Stepper
from omni_agent.errors import EngineError

Codes = NDArray[np.int64]
Wave = NDArray[np.float32]
Job = TypeVar("Job")
Out = TypeVar("Out")


@dataclass(frozen=True, slots=True, eq=False)
class CodesJob:
    """One stream's next frame. token: the text token id; uniform: (16,) fp32 draws."""

    slot: int
    length: int
    position: float
    token: int
    sampling: TalkerSampling
    uniform: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class SamplesJob:
    """One stream's next frame of codes (16,) to render. first: it begins the stream."""

    slot: int
    codes: Codes
    first: bool


class BatchRunner:
    """The programs of every batch width. Model thread only."""

    def __init__(self, stepper: Stepper, widths: Sequence[int]) -> None:
        self._stepper, self._widths = stepper, tuple(widths)
        norm = stepper.weights.backbone.norm
        self._device = norm.device
        self._capture = Capture.on(norm.device)
        config = stepper.weights.config.talker_config
        groups, width = config.num_code_groups, config.thinker_hidden_size
        self._inputs: dict[int, StepInputs] = {}
        self._staging: dict[int, StepInputs] = {}
        self._wave_inputs: dict[tuple[int, bool], tuple[torch.Tensor, torch.Tensor]] = {}
        self._code_programs: dict[int, Program] = {}
        self._wave_programs: dict[tuple[int, bool], Program] = {}
        with torch.inference_mode():
            for rows in sorted({*self._widths, 1}, reverse=True):  # largest first: one memory pool
                inputs = StepInputs.empty(rows, width, groups, norm.device, norm.dtype)
                inputs.slots.fill_(stepper.scratch)
                self._inputs[rows] = inputs
                staging = StepInputs.empty(rows, width, groups, torch.device("cpu"), norm.dtype)
                self._staging[rows] = staging.pinned() if norm.is_cuda else staging
                self._code_programs[rows] = Program(partial(stepper.codes, inputs), self._capture)
                for first in (False, True) if rows == 1 else (False,):
                    self._add_wave(rows, groups, first=first)

    def _add_wave(self, rows: int, groups: int, *, first: bool) -> None:
        slots = torch.full((rows,), self._stepper.scratch, device=self._device)
        codes = torch.zeros(rows, groups, dtype=torch.int64, device=self._device)
        self._wave_inputs[rows, first] = (slots, codes)
        render = partial(self._stepper.samples, slots, codes, first=first)
        self._wave_programs[rows, first] = Program(render, self._capture)

    def codes(self, jobs: Sequence[CodesJob]) -> list[Codes | Exception]:
        """Each job's sixteen codes (16,), or why there are none; in order."""
        return _guarded(jobs, self._widths, self._run_codes)

    def samples(self, jobs: Sequence[SamplesJob]) -> list[Wave | Exception]:
        """Each job's samples (n,), or why there are none; in order."""
        # A stream's first frame has another shape, once: it goes alone.
        done: dict[int, Wave | Exception] = {}
        for index, job in enumerate(jobs):
            if job.first:
                done[index] = _guarded([job], (1,), self._run_first)[0]
        rest = [index for index in range(len(jobs)) if index not in done]
        waves = _guarded([jobs[index] for index in rest], self._widths, self._run_samples)
        done.update(zip(rest, waves, strict=True))
        return [done[index] for index in range(len(jobs))]

    def _run_codes(self, jobs: Sequence[CodesJob], width: int) -> list[Codes | Exception]:
        staging, inputs = self._staging[width], self._inputs[width]
        self._stage(staging, jobs)
        inputs.fill(staging)
        out = self._code_programs[width].run().cpu().numpy()  # (B, 17)
        return [
            out[row, :-1].copy()
            if out[row, -1]
            else EngineError("the Talker's logits are not finite; the stream cannot go on")
            for row in range(len(jobs))
        ]

    def _stage(self, staging: StepInputs, jobs: Sequence[CodesJob]) -> None:
        """Column by column: an assignment to a tensor costs as much for one row as for all."""
        count, rows = len(jobs), staging.sampling
        columns = (
            (staging.slots, [job.slot for job in jobs]),
            (staging.lengths, [job.length for job in jobs]),
            (staging.positions, [job.position for job in jobs]),
            (staging.uniform, [job.uniform for job in jobs]),
            (rows.temperature, [job.sampling.temperature for job in jobs]),
            (rows.top_k, [job.sampling.top_k for job in jobs]),
            (rows.top_p, [job.sampling.top_p for job in jobs]),
            (rows.penalty, [job.sampling.repetition_penalty for job in jobs]),
        )
        for tensor, values in columns:
            tensor.numpy()[:count] = values
        staging.text[:count] = self._stepper.weights.text_rows[[job.token for job in jobs]]
        staging.slots[count:] = self._stepper.scratch
        staging.lengths[count:] = 0

    def _run_samples(self, jobs: Sequence[SamplesJob], width: int) -> list[Wave | Exception]:
        return self._render(jobs, width, first=False)

    def _run_first(self, jobs: Sequence[SamplesJob], width: int) -> list[Wave | Exception]:
        return self._render(jobs, width, first=True)

    def _render(
        self, jobs: Sequence[SamplesJob], width: int, *, first: bool
    ) -> list[Wave | Exception]:
        slots, codes = self._wave_inputs[width, first]
        all_slots = [job.slot for job in jobs] + [self._stepper.scratch] * (width - len(jobs))
        slots.copy_(torch.tensor(all_slots))
        codes[: len(jobs)] = torch.from_numpy(np.stack([job.codes for job in jobs]))
        out = self._wave_programs[width, first].run().float().cpu().numpy()
        return [out[row].copy() for row in range(len(jobs))]


def _guarded(
    jobs: Sequence[Job],
    widths: Sequence[int],
    run: Callable[[Sequence[Job], int], list[Out | Exception]],
) -> list[Out | Exception]:
    """Run jobs in batches; a batch that raises is run again row by row."""
    out: list[Out | Exception] = []
    done = 0
    for count, width in batches(len(jobs), widths):
        part = jobs[done : done + count]
        done += count
        try:
            out.extend(run(part, width))
        except Exception as error:  # the batch boundary: which row is at fault is found below
            out.extend([error] if count == 1 else _one_by_one(part, run))
    return out


def _one_by_one(
    jobs: Sequence[Job], run: Callable[[Sequence[Job], int], list[Out | Exception]]
) -> list[Out | Exception]:
    out: list[Out | Exception] = []
    for job in jobs:
        try:
            out.extend(run([job], 1))
        except Exception as error:  # this row's own failure, handed to its stream
            out.append(error)
    return out
