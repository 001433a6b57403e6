"""The command line: what it prints, and its one-line errors."""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path

import pytest
from pydantic import BaseModel

from omni_agent import TextFilter, Tool, Turn, __version__, hookimpl
from omni_agent.audio import AudioFrame, write_wav
from omni_agent.cli import app, main
from omni_agent.registry.registry import Registry
from omni_agent.thinker import ToolSchema


def run(
    *arguments: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[int, str, str]:
    """Exit status, standard output and standard error of a command."""
    monkeypatch.setattr(sys, "argv", ["omni-agent", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    printed = capsys.readouterr()
    code = ended.value.code
    return (code if isinstance(code, int) else 0), printed.out, printed.err


def test_every_command_explains_itself() -> None:
    names = {command.name or command.callback.__name__ for command in app.registered_commands}  # type: ignore[union-attr]  # every command has a callback
    assert "serve" in names
    for group in app.registered_groups:
        assert group.typer_instance is not None
        for command in group.typer_instance.registered_commands:
            assert command.callback is not None
            assert command.callback.__doc__


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["serve", "--persona", "concirge"], "did you mean 'concierge'"),
        (["serve", "--persona", "./nowhere.md"], "there is no such file"),
        (["serve", "--engine", "gpt"], "there is no Thinker 'gpt'"),
        (["serve", "--prot", "1"], "No such option"),
        (["listen", "nothing.wav"], "nothing.wav: there is no such file"),
        (["transcripts", "show", "rtc_1"], "there is no call 'rtc_1'"),
        (["models", "fetch", "gpt-4"], "gpt-4"),
    ],
)
def test_a_mistake_is_one_clear_line_and_status_2(
    arguments: list[str],
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    status, _, err = run(*arguments, monkeypatch=monkeypatch, capsys=capsys)
    assert status == 2
    assert says in err
    assert "Traceback" not in err


def test_the_version_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = run("--version", monkeypatch=monkeypatch, capsys=capsys)
    assert said == (0, f"omni-agent {__version__}\n", "")


def test_a_port_in_use_is_said_before_any_model_is_loaded(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        status, _, err = run("serve", "--port", port, monkeypatch=monkeypatch, capsys=capsys)
    assert status == 2
    assert "is in use already" in err


def test_a_broken_persona_is_named_with_file_line_and_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken.md"
    broken.write_text("---\nname: X\nvoise: ethan\n---\nHello")
    status, _, err = run("serve", "-p", str(broken), monkeypatch=monkeypatch, capsys=capsys)
    assert status == 2
    assert "broken.md:3" in err
    assert "voice" in err


def test_a_file_that_is_no_wav_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "song.wav").write_text("la la la")
    path = str(tmp_path / "song.wav")
    status, _, err = run("listen", path, monkeypatch=monkeypatch, capsys=capsys)
    assert status == 2
    assert "not a PCM WAV file" in err


def test_the_personas_and_plugins_are_listed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, _ = run("personas", monkeypatch=monkeypatch, capsys=capsys)
    assert status == 0
    assert all(name in out for name in ("concierge", "tutor", "engineer"))
    status, out, _ = run("plugins", monkeypatch=monkeypatch, capsys=capsys)
    assert status == 0
    assert all(name in out for name in ("set_timer", "calculate", "get_weather"))
    lines = [line.split() for line in out.partition("engines")[2].splitlines()]
    assert ["remote", "thinker"] in lines
    assert ["local", "thinker,", "talker,", "ears"] in lines


def test_a_persona_in_a_language_without_words_is_listed_with_what_it_goes_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "personas").mkdir()
    (tmp_path / "personas" / "ylva.md").write_text("---\nname: Ylva\nlanguage: sv\n---\nHej.")
    monkeypatch.chdir(tmp_path)
    status, out, _ = run("personas", monkeypatch=monkeypatch, capsys=capsys)
    assert status == 0
    assert "'sv' has no words for taking turns" in " ".join(out.split())


@pytest.mark.parametrize("arguments", [("personas",), ("doctor", "--persona", "jens")])
def test_every_command_that_looks_at_personas_says_all_that_they_go_without(
    arguments: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Of their language, and of the voice that there is for it."""
    pytest.importorskip("hibari")
    (tmp_path / "personas").mkdir()
    (tmp_path / "personas" / "jens.md").write_text("---\nname: Jens\nlanguage: da\n---\nHej.")
    monkeypatch.chdir(tmp_path)
    _, out, _ = run(*arguments, monkeypatch=monkeypatch, capsys=capsys)
    told = " ".join(out.split())
    assert "'da' has no words for taking turns" in told
    assert "the local voice speaks English only and will mangle 'da'" in told
    assert "speaks English only" not in told.partition("jens")[0]


def test_personas_are_held_to_the_engines_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "personas").mkdir()
    (tmp_path / "personas" / "jens.md").write_text("---\nname: Jens\nlanguage: de\n---\nHallo.")
    (tmp_path / "omni-agent.toml").write_text("[talker]\nengine = 'qwen3-omni'")
    monkeypatch.chdir(tmp_path)
    status, out, _ = run("personas", monkeypatch=monkeypatch, capsys=capsys)
    assert status == 0
    assert "speaks English only" not in out


class Retrieval(BaseModel):
    shelf: str = "a"


class WithoutTools:
    """A plugin of everything but tools."""

    @hookimpl
    def register_settings(self) -> type[BaseModel]:
        return Retrieval

    @hookimpl
    def text_filters(self) -> dict[str, TextFilter]:
        return {"hush": lambda deltas: deltas}

    @hookimpl
    def context(self, turn: Turn) -> None: ...

    @hookimpl
    def session_started(self) -> None: ...


def test_a_plugin_that_has_no_tools_is_listed_with_what_it_brings(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module = sys.modules["omni_agent.cli.upkeep"]
    monkeypatch.setattr(module, "Registry", lambda: Registry([WithoutTools()]))
    status, out, _ = run("plugins", monkeypatch=monkeypatch, capsys=capsys)
    assert status == 0
    _, named, brought = out.partition("WithoutTools\n")
    assert named
    assert brought.splitlines()[:3] == [
        "  settings: shelf", "  filters: hush", "  hooks: context, session_started",
    ]  # fmt: skip
    everything = out.splitlines()
    assert "  engines: remote" in everything
    assert "  lines: webrtc" in everything


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("turn: {end: nobody-s}", "no end of turn 'nobody-s'"),
        ("tools: [open_door]", r"a tool of your own comes with Agent(tools=[…]), or in a plugin"),
        ("plugins: {clock: {hom: Rome}}", "did you mean 'home'?"),
        ("filters: [hush]", "no text filter 'hush'"),
    ],
)
def test_a_persona_that_cannot_be_dressed_is_listed_with_the_line_of_what_is_wrong(
    line: str,
    why: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "personas").mkdir()
    (tmp_path / "personas" / "robin.md").write_text(f"---\nname: Robin\n{line}\n---\nHi.")
    monkeypatch.chdir(tmp_path)
    status, out, _ = run("personas", monkeypatch=monkeypatch, capsys=capsys)
    assert status == 1
    told = " ".join(out.split())
    assert "robin.md:3: " in told
    assert why in told
    assert "concierge" in told  # the others are listed


def test_a_tool_that_describes_nothing_is_listed_by_its_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def nothing() -> None: ...

    class Terse:
        @hookimpl
        def register_tools(self) -> list[Tool]:
            return [Tool(ToolSchema("hum", "", {"type": "object"}), nothing)]

    module = sys.modules["omni_agent.cli.upkeep"]
    monkeypatch.setattr(module, "Registry", lambda: Registry([Terse()]))
    _, out, _ = run("plugins", monkeypatch=monkeypatch, capsys=capsys)
    assert "hum" in out


def test_the_persona_schema_is_json_for_editors(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _, out, _ = run("personas", "--schema", monkeypatch=monkeypatch, capsys=capsys)
    assert "greeting" in json.loads(out)["properties"]


def test_models_alone_lists_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OMNI_AGENT_MODELS", str(tmp_path))
    ran = [run("models", *more, monkeypatch=monkeypatch, capsys=capsys) for more in ([], ["list"])]
    assert ran[0] == ran[1]
    assert ran[0][0] == 0
    assert "whisper-base" in ran[0][1]


def test_what_is_fetched_by_name_is_in_the_store_then_though_a_package_carries_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("faster_whisper", reason="the local extra is not installed")
    monkeypatch.setenv("OMNI_AGENT_MODELS", str(tmp_path))
    for _ in range(2):
        status, out, err = run(
            "models", "fetch", "silero-vad", monkeypatch=monkeypatch, capsys=capsys
        )
        assert (status, out) == (0, "all are here: silero-vad\n")
    assert err == ""  # the second time there was nothing to fetch
    status, out, _ = run("models", "verify", monkeypatch=monkeypatch, capsys=capsys)
    assert (status, out.split()) == (0, ["ok", "silero-vad"])


def test_a_missing_model_cannot_be_fetched_offline_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OMNI_AGENT_MODELS", str(tmp_path / "empty"))
    status, _, err = run(
        "listen", "--light", str(_wav(tmp_path)), monkeypatch=monkeypatch, capsys=capsys
    )
    assert status == 2
    assert "OMNI_AGENT_OFFLINE" in err


def _wav(folder: Path) -> Path:
    write_wav(folder / "a.wav", AudioFrame.silence(0.5, 16_000))
    return folder / "a.wav"
