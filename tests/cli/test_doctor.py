"""``omni-agent doctor``: what every call needs, and what the chosen engine says of itself."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from omni_agent import hookimpl
from omni_agent.cli import main
from omni_agent.cli.doctor import examine
from omni_agent.cli.engines import Said
from omni_agent.engine import Engine, StageName, StageOptions
from omni_agent.errors import ConfigError
from omni_agent.finding import Finding
from omni_agent.runtime.distribution import program


@pytest.fixture(autouse=True)
def a_home_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMNI_AGENT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("OMNI_AGENT_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("OMNI_AGENT_OFFLINE", "1")
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def robot(monkeypatch: pytest.MonkeyPatch) -> list[StageOptions]:
    """An installed engine that reports for itself, and the options it was asked with."""
    asked: list[StageOptions] = []

    async def start(options: StageOptions) -> Any:
        raise AssertionError("the doctor starts nothing")

    def examine(stages: Mapping[StageName, StageOptions]) -> Iterable[Finding]:
        asked.extend(stages.values())
        yield Finding("arm", "there [left]")
        if stages["thinker"].model is None:
            yield Finding("hand", "missing", "screw on the hand: pip install 'hand[five]'")

    module = ModuleType("robot_engine")
    engine = Engine(
        "robot",
        thinker=start,
        talker=start,
        ears=start,
        takes={"thinker": ("model",)},
        examine=examine,
    )
    module.register_engines = hookimpl(lambda: [engine])  # type: ignore[attr-defined]  # made here
    monkeypatch.setitem(sys.modules, "robot_engine", module)
    entries = [
        EntryPoint("robot", "robot_engine", "omni_agent.engines"),
        EntryPoint("webrtc", "omni_agent_webrtc", "omni_agent.transports"),
    ]
    monkeypatch.setattr("omni_agent.registry.registry.entry_points", lambda: EntryPoints(entries))
    return asked


def doctor(
    *arguments: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[int, str, str]:
    """Exit status, standard output and standard error."""
    monkeypatch.setattr(sys, "argv", ["omni-agent", "doctor", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    printed = capsys.readouterr()
    code = ended.value.code
    return (code if isinstance(code, int) else 0), printed.out, printed.err


def test_missing_models_are_named_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, _ = doctor(monkeypatch=monkeypatch, capsys=capsys)
    assert status == 1
    assert f"→ {program('omni-agent')} models fetch whisper-base" in out
    assert "persona concierge" in out


def test_light_asks_for_the_light_models(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _, out, _ = doctor("--light", monkeypatch=monkeypatch, capsys=capsys)
    assert "models fetch whisper-tiny.en" in out
    assert "whisper-base" not in out


def test_an_engine_reports_for_itself_and_the_others_stay_silent(
    robot: list[StageOptions], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, _ = doctor("--engine", "robot", monkeypatch=monkeypatch, capsys=capsys)
    assert status == 1
    assert "→ screw on the hand: pip install 'hand[five]'" in out
    assert "there [left]" in out
    assert "whisper" not in out


def test_an_engine_is_told_of_the_model(robot: list[StageOptions]) -> None:
    found = [finding.what for finding in examine(Said(engine="robot", model="m"))]
    assert "arm" in found
    assert "hand" not in found
    assert [options.model for options in robot] == ["m", None, None]


def test_what_every_engine_needs_is_always_looked_at(robot: list[StageOptions]) -> None:
    found = {finding.what for finding in examine(Said(engine="robot"))}
    assert found >= {"python", "line webrtc", "cores", "data folder"}


def test_a_line_whose_packages_are_missing_is_named_with_what_to_do(
    robot: list[StageOptions], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("omni_agent_webrtc.PACKAGES", ("aiortc", "no_such_package"))
    (line,) = (f for f in examine(Said(engine="robot")) if f.what == "line webrtc")
    assert line.how == "missing: no_such_package"
    assert "[webrtc]" in line.mend


def test_a_data_folder_that_cannot_be_is_named_with_what_to_do(
    robot: list[StageOptions], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("a" * 300, "robot.txt/home"):
        (tmp_path / "robot.txt").touch()
        monkeypatch.setenv("OMNI_AGENT_HOME", str(tmp_path / name))
        folder = next(f for f in examine(Said(engine="robot")) if f.what == "data folder")
        assert str(tmp_path / name) in folder.how


def test_an_engine_that_nobody_can_examine_is_one_clear_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    status, _, err = doctor("--engine", "gpt", monkeypatch=monkeypatch, capsys=capsys)
    assert status == 2
    assert "there is no Thinker 'gpt'; engines that have one: local" in err
    with pytest.raises(ConfigError):
        list(examine(Said(engine="gpt")))


def test_a_persona_that_is_named_is_looked_at_wherever_its_file_is(
    robot: list[StageOptions],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    robin = tmp_path / "robin.md"
    robin.write_text("---\nname: Robin\nturn: {end: nobody-s}\n---\nHi.")
    arguments = ("--engine", "robot", "--model", "m", "--persona", str(robin))
    status, out, _ = doctor(*arguments, monkeypatch=monkeypatch, capsys=capsys)
    assert status == 1
    assert f"{robin}:3: no end of turn 'nobody-s'" in " ".join(out.split())
    robin.write_text("---\nname: Robin\n---\nHi.")
    _, out, _ = doctor(*arguments, monkeypatch=monkeypatch, capsys=capsys)
    assert "fine" in out.partition("robin.md")[2].splitlines()[0]
