"""vLLM's processes, when they are ours: our model class, and no life without their parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from vllm.platforms import current_platform

from omni_agent.engines.qwen3_omni.thinker.vllm_plugin import OURS, register

ROOT = Path(__file__).parents[4]
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="prctl")
THEIRS = """
import sys
from omni_agent.engines.qwen3_omni.thinker.vllm_plugin import register
register()
print("vllm" in sys.modules, flush=True)
"""
REGISTERED = """
import ctypes
from omni_agent.engines.qwen3_omni.thinker.vllm_plugin import register
register()
from vllm import ModelRegistry
signal = ctypes.c_int()
ctypes.CDLL(None).prctl(2, ctypes.byref(signal))  # PR_GET_PDEATHSIG
print(signal.value, ModelRegistry.models["Qwen3OmniMoeForConditionalGeneration"].module_name)
"""
SAMPLED = """
import torch
from omni_agent.engines.qwen3_omni.thinker.vllm_plugin import register
register()
from vllm.platforms import current_platform
from vllm.v1.sample.rejection_sampler import expand_batch_to_tokens
current_platform.import_kernels()
current_platform.register_triton_kernel_overrides()
ends = torch.tensor([1, 3], dtype=torch.int32)
temperature = torch.tensor([0.5, 0.0])
print(expand_batch_to_tokens(temperature, ends, 3, replace_from=0, replace_to=1).tolist())
"""
ORPHAN = """
import multiprocessing, os, sys, time

def live(parent):
    from omni_agent.engines.qwen3_omni.thinker.vllm_plugin import register
    print(os.getpid(), flush=True)
    while os.getppid() == parent:
        time.sleep(0.001)
    register()
    print("lives", flush=True)

if __name__ == "__main__":
    multiprocessing.set_start_method("fork")
    multiprocessing.Process(target=live, args=(os.getpid(),)).start()
"""


def python(program: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )


def test_vllm_finds_it() -> None:
    (ours,) = [
        point for point in entry_points(group="vllm.general_plugins") if point.name == "omni_agent"
    ]
    assert ours.load() is register


def test_in_processes_of_others_it_does_nothing() -> None:
    with python(THEIRS, **{OURS: ""}) as process:
        said, _ = process.communicate()
    assert said == "False\n"


@LINUX
def test_in_ours_it_registers_the_model_and_ends_with_the_parent() -> None:
    with python(REGISTERED, **{OURS: "1"}) as process:
        said, _ = process.communicate()
    number, module = said.split()
    assert int(number) == signal.SIGKILL
    assert module == "omni_agent.engines.qwen3_omni.thinker.model"


def test_on_a_cpu_each_token_is_sampled_at_its_request_s_temperature() -> None:
    if not current_platform.is_cpu():
        pytest.skip("vLLM for a GPU")
    with python(SAMPLED, **{OURS: "1"}) as process:
        said, _ = process.communicate()
    assert said.splitlines()[-1] == "[0.5, 1.0, 1.0]"


@LINUX
def test_a_process_whose_parent_was_killed_before_it_was_asked_ends_at_once() -> None:
    with python(ORPHAN, **{OURS: "1"}) as parent:
        assert parent.stdout is not None
        assert int(parent.stdout.readline()) > 0
        parent.kill()
        rest = parent.stdout.read()  # until nobody holds the other end any more
    assert rest == ""
