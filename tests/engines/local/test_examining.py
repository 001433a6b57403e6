"""What the embedded engine says of itself to ``omni-agent doctor``."""

from __future__ import annotations

from pathlib import Path

import pytest

from omni_agent.engine import StageOptions
from omni_agent.engines.local.examining import examine
from omni_agent.finding import Finding
from omni_agent.runtime.distribution import install, program


@pytest.fixture(autouse=True)
def no_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMNI_AGENT_MODELS", str(tmp_path / "models"))


def examined(**options: object) -> dict[str, Finding]:
    light = StageOptions(light=bool(options.get("light")))
    thinker = StageOptions(**options)  # type: ignore[arg-type]  # given by name
    found = examine({"thinker": thinker, "talker": light, "ears": light})
    return {finding.what: finding for finding in found}


def a_machine_with(gib: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("omni_agent.engines.local.examining.memory", lambda: gib)


def test_every_model_of_a_call_is_looked_for() -> None:
    assert {what for what, finding in examined().items() if "models fetch" in finding.mend} == {
        "model whisper-base",
        "model qwen2.5-coder-1.5b",
    }
    assert "model qwen2.5-coder-0.5b" in examined(light=True)


def test_a_model_nobody_knows_is_not_to_be_fetched() -> None:
    finding = examined(model="gpt-9000")["mind"]
    assert "smollm2-135m, or a path to a GGUF file" in finding.how
    assert finding.mend == "name one of these"


def test_a_command_that_helps_is_named_once() -> None:
    finding = examined()["model whisper-base"]
    assert finding.mend == f"{program('omni-agent')} models fetch whisper-base"
    assert "fetch" not in finding.how


def test_a_model_file_of_ones_own_only_has_to_be_there(tmp_path: Path) -> None:
    path = tmp_path / "mine.gguf"
    assert examined(model=str(path))["model file"].mend == "there is no such file"
    path.touch()
    assert examined(model=str(path))["model file"] == Finding("model file", str(path))


def test_missing_packages_are_named_with_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    finding = examined()["extra local"]
    assert "xllamacpp" in finding.how
    assert finding.mend == install("local")


def test_too_little_memory_is_mended_by_the_light_models_while_those_fit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    a_machine_with(3.0, monkeypatch)
    assert "--light" in examined()["memory"].mend
    assert examined(light=True)["memory"].mend == ""
    a_machine_with(1.0, monkeypatch)
    assert "2.3 GiB" in examined(light=True)["memory"].mend
    a_machine_with(8.0, monkeypatch)
    assert examined()["memory"] == Finding("memory", "8.0 GiB")


def test_what_comes_along_with_the_packages_is_not_missed_in_the_store() -> None:
    """A call takes its voice activity from faster-whisper, and one voice from hibari."""
    found = examined()
    assert found["voice activity"].how.endswith(".onnx")
    assert found["voice activity"].mend == ""
    assert found["voices"].how.startswith("heart")
    assert found["voices"].mend == ""


def test_a_package_without_its_voice_activity_is_found_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Path, "glob", lambda self, pattern: iter(()))
    assert "pip install" in examined()["voice activity"].mend


def test_nothing_is_imported_to_find_out_that_it_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert not {"voice activity", "voices"} & set(examined())
