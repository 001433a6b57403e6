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

pytest.importorskip("triton")

from omni_agent.engines.qwen3_omni.talker import triton_ops

META, HALF = torch.device("meta"), torch.bfloat16
SLOTS, POSITIONS = 32, 8192


class NoHost(TorchDispatchMode):
    """Fails on an operation that takes a host tensor: capture could not replay the copy.

    launches: how many operations computed something, torch's here and Triton's in ``kernels``.
    """

    def __init__(self) -> None:
        super().__init__()
        self.launches = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        for leaf in tree_leaves((args, kwargs or {})):
            if isinstance(leaf, Tensor):
                assert leaf.is_meta, f"{func} takes a tensor of the host"
        self.launches += not (func.is_view or "empty" in func.__name__)
        return func(*args, **(kwargs or {}))


@pytest.fixture(autouse=True)
def kernels(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The Triton kernels that were launched, which here are not."""
    launched: list[Any] = []
    monkeypatch.setattr(
        triton_ops, "_launch", lambda kernel, *args, **settings: launched.append(kernel)
    )
    return launched


@pytest.fixture(scope="module")
def stepper() -> Stepper:
    raw = json.loads((Path(__file__).parent / "published_config.json").read_text())
    config = parse_config(raw, "published")
    source = MetaSource(runtime_layout(config))
    weights = build(config, Reader(source, META, HALF), source.tensor(TEXT_EMBEDDING))
    return Stepper(weights, triton_ops.TritonOps(), slots=SLOTS, positions=POSITIONS, width=SLOTS)


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


@pytest.mark.parametrize(("width", "codes", "samples"), [(1, 730, 215), (16, 790, 215)])
def test_a_frame_starts_few_kernels_because_each_takes_longer_than_its_work(
    stepper: Stepper, kernels: list[Any], width: int, codes: int, samples: int
) -> None:
    inputs = StepInputs.empty(width, 2048, 16, META, HALF)
    made = torch.zeros(width, 16, dtype=torch.int64, device=META)
    for call, most in (
        (lambda: stepper.codes(inputs), codes),
        (lambda: stepper.samples(inputs.slots, made, first=False), samples),
    ):
        kernels.clear()
        with torch.inference_mode(), NoHost() as mode:
            call()
        assert mode.launches + len(kernels) <= most
