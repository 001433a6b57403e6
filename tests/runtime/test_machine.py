"""What this process may use: the machine's own, or its container's share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from omni_agent.engines.local.states import states_folder
from omni_agent.errors import ConfigError
from omni_agent.models.store import default_root
from omni_agent.records.folders import data_dir
from omni_agent.runtime import machine


@pytest.fixture
def cgroup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty control group on a machine with 8 processors and 64 GiB."""
    monkeypatch.setattr(machine, "CGROUP", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    sizes = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 64 * 2**30 // 4096}
    monkeypatch.setattr(os, "sysconf", sizes.__getitem__)
    return tmp_path


def test_without_limits_it_is_the_machine(cgroup: Path) -> None:
    (cgroup / "cpu.max").write_text("max 100000\n")
    (cgroup / "memory.max").write_text("max\n")
    assert (machine.cores(), machine.memory()) == (8, 64.0)


@pytest.mark.parametrize(("quota", "cores"), [(50_000, 1), (150_000, 2), (400_000, 4), (10**9, 8)])
def test_a_share_of_the_processors_is_rounded_up(cgroup: Path, quota: int, cores: int) -> None:
    (cgroup / "cpu.max").write_text(f"{quota} 100000\n")
    assert machine.cores() == cores


@pytest.mark.parametrize("name", ["memory.max", "memory/memory.limit_in_bytes"])
def test_a_containers_memory_is_its_own(cgroup: Path, name: str) -> None:
    (cgroup / name).parent.mkdir(exist_ok=True)
    (cgroup / name).write_text(f"{2 * 2**30}\n")
    assert machine.memory() == 2.0


def test_processors_it_may_not_run_on_do_not_count(
    cgroup: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3, 5}, raising=False)
    assert machine.cores() == 2


def test_a_user_without_a_home_is_told_which_variable_would_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def nobody(*_: object) -> str:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(machine.Path, "home", nobody)
    for variable in ("OMNI_AGENT_HOME", "XDG_DATA_HOME", "OMNI_AGENT_MODELS", "XDG_CACHE_HOME"):
        monkeypatch.delenv(variable, raising=False)
    for find, variable in (
        (data_dir, "OMNI_AGENT_HOME"),
        (default_root, "OMNI_AGENT_MODELS"),
        (states_folder, "XDG_CACHE_HOME"),
    ):
        with pytest.raises(ConfigError, match=f"no home folder: set {variable}"):
            find()
