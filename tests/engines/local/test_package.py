"""The engine as a plugin: light to import, found by name, clear about what is missing."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from omni_agent.engine import StageOptions
from omni_agent.engines import local, remote
from omni_agent.engines.local import needs
from omni_agent.errors import ConfigError, EngineUnavailable, ModelStoreError
from omni_agent.models import ModelStore, Progress, Report
from omni_agent.registry.registry import Registry


def test_both_engines_register_under_their_names() -> None:
    registry = Registry([local, remote], discover=False)
    assert registry.problems == ()
    named = registry.engines.named
    assert {named(stage, "local").name for stage in ("thinker", "talker", "ears")} == {"local"}
    assert named("thinker", "remote").served == {"thinker"}


def test_no_model_library_is_loaded_into_the_media_process() -> None:
    program = (
        "import sys\n"
        "import omni_agent.engines.local, omni_agent.engines.local.thinker\n"
        "import omni_agent.engines.local.ears, omni_agent.engines.local.talker\n"
        "heavy = {'xllamacpp', 'ctranslate2', 'onnxruntime', 'hibari', 'faster_whisper'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    out = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
    assert out.stdout.decode().strip() == "[]"


def test_the_models_processes_go_without_what_checks_data() -> None:
    program = (
        "import sys\n"
        "from omni_agent.engines.local import hearing, minding, voicing\n"
        "print('pydantic' in sys.modules)\n"
    )
    out = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
    assert out.stdout.decode().strip() == "False"


async def test_a_missing_package_is_told_with_the_command_that_helps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(EngineUnavailable, match=r"xllamacpp: pip install .*\[local\]'"):
        await local.start_thinker(StageOptions())
    with pytest.raises(EngineUnavailable, match="hibari"):
        await local.start_talker(StageOptions())
    with pytest.raises(EngineUnavailable, match="ctranslate2"):
        await local.start_ears(StageOptions())


async def test_a_model_file_that_is_not_there_is_named() -> None:
    with pytest.raises(EngineUnavailable, match=r"/nowhere/my\.gguf"):
        await local.start_thinker(StageOptions(model="/nowhere/my.gguf"))


async def test_a_model_nobody_knows_is_named() -> None:
    with pytest.raises(ConfigError, match="gpt-9000"):
        await local.start_thinker(StageOptions(model="gpt-9000"))


@pytest.mark.parametrize("name", ["whisper-base", "silero-vad", "smart-turn-v3.2", "nope"])
def test_only_models_that_think_can_be_its_mind(name: str) -> None:
    with pytest.raises(ConfigError, match=name) as refused:
        needs.check("thinker", StageOptions(model=name))
    known = str(refused.value).partition("thinks with")[2]
    assert "qwen2.5-coder-1.5b" in known
    assert "whisper" not in known


@pytest.mark.parametrize("name", ["smollm2-135m", "./mine.gguf", needs.LIGHT_LANGUAGE_MODEL])
def test_a_language_model_can_be_its_mind(name: str) -> None:
    needs.check("thinker", StageOptions(model=name))


async def test_a_start_that_is_cancelled_stops_the_fetching(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A process that ends waits for the thread, and so would Ctrl-C."""
    begun, stopped, over = threading.Event(), threading.Event(), threading.Event()

    def fetch(store: ModelStore, name: str, report: Report) -> Path:
        try:
            while not over.wait(0.001):
                report(Progress(name, 0, 1, "from the hub"))
                begun.set()
        except ModelStoreError:
            stopped.set()
        return Path()

    monkeypatch.setattr(ModelStore, "fetch", fetch)
    starting = asyncio.ensure_future(local.start_ears(StageOptions()))
    assert await asyncio.to_thread(begun.wait, 60)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    try:
        assert await asyncio.to_thread(stopped.wait, 60)
    finally:
        over.set()
