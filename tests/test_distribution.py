"""The package as strangers get it: a wheel, in a clean environment, in an empty folder."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import tomllib
import venv
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

from omni_agent import __version__
from omni_agent.runtime.distribution import NAME, install, program

ROOT = Path(__file__).parent.parent
OTHERS = re.compile(r"omni[_-]agent\[|pip install[^\n]*?[\s'\"]omni[_-]agent(?=[\s'\"`\[]|$)", re.M)
"""A hint that would install somebody else's package, which has our import's name."""


def installed_from(noted: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """noted: what the installer wrote (PEP 610); None: that it was the index."""
    text = None if noted is None else json.dumps(noted)
    found = SimpleNamespace(read_text=lambda name: text)
    monkeypatch.setattr("importlib.metadata.distribution", lambda name: found)


@pytest.mark.parametrize("editable", [True, False])
def test_who_runs_from_a_clone_is_pointed_to_the_clone(
    editable: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clone = tmp_path / "my clone"
    clone.mkdir()
    (clone / "pyproject.toml").touch()
    info = {"editable": True} if editable else {}
    installed_from({"url": clone.as_uri(), "dir_info": info}, monkeypatch)
    assert install("local") == f"pip install {'-e ' if editable else ''}'{clone}[local]'"
    (clone / "pyproject.toml").unlink()
    assert install("local") == f"pip install '{NAME}[local]'"


@pytest.mark.parametrize(
    "noted", [None, [], {"url": "file:///tmp/a.whl"}, {"url": None, "dir_info": None}]
)
def test_whoever_has_no_clone_is_pointed_to_the_index(
    noted: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed_from(noted, monkeypatch)
    assert install("local") == f"pip install '{NAME}[local]'"


@pytest.mark.parametrize(
    ("noted", "origin"),
    [
        ({"url": "https://x.example/a.whl", "archive_info": {}}, "https://x.example/a.whl"),
        (
            {"url": "https://x.example/r", "vcs_info": {"vcs": "git", "commit_id": "4f2a"}},
            "git+https://x.example/r@4f2a",
        ),
    ],
    ids=["an archive", "a repository"],
)
def test_whoever_installed_it_from_elsewhere_is_pointed_there(
    noted: object, origin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed_from(noted, monkeypatch)
    assert install("local", "webrtc") == f"pip install '{NAME}[local,webrtc] @ {origin}'"


def test_a_program_that_the_shell_would_not_find_is_named_by_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "system"))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "venv" / "python"))
    assert program("sing") == "sing"
    for folder in ("venv", "system"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "sing").touch(0o755)
        assert program("sing") == (str(tmp_path / "venv/sing") if folder == "venv" else "sing")


def test_the_name_is_the_one_the_project_is_built_under(monkeypatch: pytest.MonkeyPatch) -> None:
    installed_from(None, monkeypatch)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["name"] == NAME
    extras = project["optional-dependencies"]
    assert install("local", "webrtc") == f"pip install '{NAME}[local,webrtc]'"
    assert {"local", "webrtc", "qwen3-omni", "vllm"} <= set(extras)


def test_the_version_is_written_in_one_place() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert "version" in project["dynamic"]
    assert version(NAME) == __version__


def pages() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "*.py", "*.md", "*.toml", "*.js", "*.html", "scripts"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [
        ROOT / line for line in listed.stdout.splitlines() if line != "tests/test_distribution.py"
    ]


def test_no_hint_names_the_package_that_is_somebody_elses() -> None:
    assert OTHERS.search("pip install 'omni_agent[local]'")
    assert OTHERS.search('dependencies = ["x"]\npip install omni-agent\n')
    wrong = [str(page) for page in pages() if OTHERS.search(page.read_text())]
    assert wrong == []


class Stranger:
    """An environment with nothing but the wheel, and an empty folder to be in."""

    def __init__(self, folder: Path) -> None:
        self.bin, self.here = folder / "venv" / "bin", folder / "empty"
        self.here.mkdir()
        venv.create(folder / "venv", with_pip=True)
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL_ENV"))}
        self.environment = kept | {"OMNI_AGENT_HOME": str(folder / "home"), "COLUMNS": "200"}

    def run(self, *command: str) -> str:
        done = subprocess.run(
            [self.bin / command[0], *command[1:]],
            cwd=self.here, env=self.environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def install(self, *what: str) -> None:
        self.run("python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *what)


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Stranger:
    folder = tmp_path_factory.mktemp("stranger")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--outdir", folder, ROOT],
        check=True, capture_output=True,
    )  # fmt: skip
    (wheel,) = folder.glob("omni_voice_agent-*.whl")
    stranger = Stranger(folder)
    stranger.install(f"{wheel}[local,webrtc]")
    return stranger


@pytest.mark.models
def test_the_wheel_brings_its_plugins_and_personas(stranger: Stranger) -> None:
    where = stranger.run("python", "-c", "import omni_agent; print(omni_agent.__file__)")
    assert where.startswith(str(stranger.bin.parent))
    plugins = stranger.run("omni-agent", "plugins")
    assert all(name in plugins for name in ("calculator", "clock", "home", "notes", "weather"))
    assert "concierge" in stranger.run("omni-agent", "personas")


@pytest.mark.models
def test_doctor_finds_a_fresh_installation_well(stranger: Stranger) -> None:
    stranger.run("omni-agent", "doctor")


@pytest.mark.models
@pytest.mark.parametrize("name", ["dice", "library"])
def test_a_plugin_package_is_installed_beside_the_wheel(stranger: Stranger, name: str) -> None:
    stranger.install(str(ROOT / "examples" / f"omni_agent_{name}"))
    assert name in stranger.run("omni-agent", "plugins")


@pytest.fixture
def url(stranger: Stranger) -> Iterator[str]:
    """Where ``omni-agent serve`` from the wheel answers, in the empty folder."""
    serving = subprocess.Popen(
        [stranger.bin / "omni-agent", "serve", "--port", "0"],
        cwd=stranger.here, env=stranger.environment, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    with serving:
        assert serving.stdout is not None
        said = ""
        for line in serving.stdout:
            said += line
            if found := re.search(r"http://localhost:\d+", said):
                break
        else:
            raise AssertionError(f"no URL: {said}")
        yield found.group()
        serving.terminate()
        serving.stdout.read()
    assert serving.returncode in (0, -signal.SIGTERM)


@pytest.mark.models
def test_one_command_from_an_empty_folder_takes_calls(url: str) -> None:
    with httpx.Client(base_url=url, timeout=300) as client:
        assert "<!doctype html>" in client.get("/").text.lower()
        assert client.get("/css/base.css").status_code == 200
        names = {persona["name"] for persona in client.get("/v1/personas").json()["personas"]}
        assert len(names) >= 3
        deadline = time.monotonic() + 300
        while (health := client.get("/healthz").json())["status"] == "starting":
            assert time.monotonic() < deadline, health
            time.sleep(0.1)  # another process, which can only be looked at
        assert health["status"] == "ready", health
