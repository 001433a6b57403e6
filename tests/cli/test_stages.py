"""One stage by itself, and what is said where its model fails."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from omni_agent import Engine, StageOptions, hookimpl
from omni_agent.audio import write_wav
from omni_agent.errors import EngineError
from omni_agent.registry.registry import Registry
from omni_agent.testing import ScriptedEars, ScriptedTalker
from tests.cli.conftest import Ran

Command = Callable[..., Ran]
FAILURE = EngineError("the model is gone")
stages = importlib.import_module("omni_agent.cli.stages")


class Broken:
    """An engine whose models start, and fail."""

    def __init__(self, error: Exception) -> None:
        self.ears = ScriptedEars()
        self.audio = self.ears.say("hello there")
        self.ears.error = self.error = error

    @hookimpl
    def register_engines(self) -> list[Engine]:
        async def start_ears(options: StageOptions) -> ScriptedEars:
            return self.ears

        async def start_talker(options: StageOptions) -> ScriptedTalker:
            return ScriptedTalker(error=self.error)

        return [Engine("broken", ears=start_ears, talker=start_talker)]


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Broken:
    engine = Broken(FAILURE)
    monkeypatch.setattr(stages, "Registry", lambda: Registry([engine], discover=False))
    return engine


def test_what_the_models_fail_with_is_one_line(
    broken: Broken, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_wav(tmp_path / "hello.wav", broken.audio)
    for arguments in (["listen", "hello.wav"], ["say", "hello"]):
        status, _, err = command(*arguments, "--engine", "broken")
        assert (status, err) == (2, "error: the model is gone\n")
    assert not (tmp_path / "said.wav").exists()


def test_a_text_is_said_in_its_language(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Command
) -> None:
    talker = ScriptedTalker()

    async def start(options: StageOptions) -> ScriptedTalker:
        return talker

    plugin = SimpleNamespace(register_engines=hookimpl(lambda: [Engine("noting", talker=start)]))
    monkeypatch.setattr(stages, "Registry", lambda: Registry([plugin], discover=False))
    monkeypatch.chdir(tmp_path)
    assert command("say", "Hallo", "--language", "de-AT", "--engine", "noting")[0] == 0
    assert [voice.language for voice in talker.voices] == ["de-AT"]


def test_a_text_without_a_sound_is_no_file(
    broken: Broken, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Command
) -> None:
    broken.error = None  # type: ignore[assignment]  # it works
    monkeypatch.chdir(tmp_path)
    status, _, err = command("say", "", "--engine", "broken")
    assert (status, err) == (2, "error: there is nothing to say: the text is empty\n")
    assert not (tmp_path / "said.wav").exists()
