"""``omni-agent.toml``: options in a file, checked, laid under the command line's."""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from omni_agent import Agent, Engine, StageOptions, hookimpl
from omni_agent.cli.serve import serve
from omni_agent.engines import remote
from omni_agent.registry.registry import Registry
from omni_agent.testing import ScriptedEars, ScriptedTalker

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """What ``serve`` would have served: ``agent``, ``host``, ``port``, ``options``."""
    found: dict[str, Any] = {}

    def note(agent: Agent, host: str, port: int, options: Any, *rest: Any, **more: Any) -> None:
        found.update(agent=agent, host=host, port=port, options=options, **more)

    monkeypatch.setattr("omni_agent.server.serving.serve", note)
    monkeypatch.chdir(tmp_path)
    return found


def write(text: str, mode: int = 0o600) -> None:
    path = Path("omni-agent.toml")
    path.write_text(text)
    path.chmod(mode)


def models(agent: Agent) -> dict[str, tuple[str, str | None]]:
    return {
        stage: (role.engine.name, role.options.model) for stage, role in agent.lineup.roles.items()
    }


def serving(command: Command, *arguments: str) -> str:
    """What was said on standard error."""
    status, _, err = command("serve", *arguments)
    assert status == 0, err
    return err


def test_the_file_in_this_folder_is_read_and_said_so(
    command: Command, served: dict[str, Any]
) -> None:
    write('port = 7000\norigin = ["https://a.example"]\nmax-calls = 3\nmetrics = "off"')
    assert "options of omni-agent.toml" in serving(command)
    assert served["port"] == 7000
    assert served["options"].origins == ("https://a.example",)
    assert served["options"].metrics == "off"
    assert served["options"].limits.calls == 3


def test_without_a_file_nothing_is_said_of_one(command: Command, served: dict[str, Any]) -> None:
    assert "options of" not in serving(command)
    assert served["port"] == 7860


def test_another_file_can_be_named(command: Command, served: dict[str, Any]) -> None:
    write("port = 7000")
    Path("other.toml").write_text("port = 7001")
    assert "options of other.toml" in serving(command, "--config", "other.toml")
    assert served["port"] == 7001


def test_the_command_line_comes_first_then_the_environment_then_the_file(
    command: Command, served: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    write('port = 7000\nserver_key = "of the file"\nturn_secret = "of the file"')
    monkeypatch.setenv("OMNI_AGENT_SERVER_KEY", "of the environment")
    serving(command, "--port", "7001")
    assert served["port"] == 7001
    assert served["options"].api_key == "of the environment"
    assert served["options"].network.turn_secret == "of the file"


def test_each_stage_has_a_table(command: Command, served: dict[str, Any]) -> None:
    write("""
        light = true
        [thinker]
        engine = "remote"
        base_url = "http://gpu1:8000/v1"
        model = "llama"
        [talker]
        engine = "qwen3-omni"
        model = "/models/omni"
        device = "cuda:1"
        slots = 8
    """)
    serving(command)
    roles = served["agent"].lineup.roles
    assert models(served["agent"]) == {
        "thinker": ("remote", "llama"),
        "talker": ("qwen3-omni", "/models/omni"),
        "ears": ("local", None),
    }
    assert roles["talker"].options.device == "cuda:1"
    assert roles["talker"].options.options == {"slots": 8}
    assert roles["ears"].options.light


def test_the_command_line_changes_one_key_of_a_stage_or_begins_afresh_with_another_engine(
    command: Command, served: dict[str, Any]
) -> None:
    write('[thinker]\nbase_url = "http://gpu1:8000/v1"\nmodel = "llama"')
    serving(command, "--thinker", "model=qwen")
    assert models(served["agent"])["thinker"] == ("remote", "qwen")
    serving(command, "--thinker", "local", "--thinker", "threads=1")
    assert models(served["agent"])["thinker"] == ("local", None)
    assert served["agent"].lineup.roles["thinker"].options.options == {"threads": "1"}


def test_an_address_may_have_commas_and_equals_signs(
    command: Command, served: dict[str, Any]
) -> None:
    serving(command, "--thinker", "base_url=http://a/v1?x=1,http://b/v1")
    options = served["agent"].lineup.roles["thinker"].options
    assert options.base_url == "http://a/v1?x=1,http://b/v1"


@pytest.mark.parametrize("option", ["--engine=local", "--base-url=http://b/v1"])
def test_what_is_said_for_all_on_the_command_line_puts_the_tables_aside(
    option: str, command: Command, served: dict[str, Any]
) -> None:
    write('[talker]\nengine = "qwen3-omni"\nmodel = "/models/omni"')
    err = serving(command, option)
    assert "the tables of omni-agent.toml are put aside" in err
    assert models(served["agent"])["talker"] == ("local", None)


def test_secrets_come_from_the_environment(
    command: Command, served: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GPU", "gpu1")
    monkeypatch.setenv("KEY", "sk-1")
    write('[thinker]\nbase_url = "http://${GPU}/v1"\napi_key = "${KEY}"', 0o644)
    assert "can be read" not in serving(command)
    options = served["agent"].lineup.roles["thinker"].options
    assert (options.base_url, options.api_key) == ("http://gpu1/v1", "sk-1")
    assert "sk-1" not in repr(served["agent"].lineup)


@pytest.mark.skipif(os.name != "posix", reason="modes of files")
@pytest.mark.parametrize(("mode", "warned"), [(0o644, True), (0o640, True), (0o600, False)])
def test_a_secret_that_other_users_can_read_is_warned_of(
    mode: int, warned: bool, command: Command, served: dict[str, Any]
) -> None:
    write('port = 1\n[thinker]\nbase_url = "http://a/v1"\napi_key = "sk-1"', mode)
    err = serving(command)
    assert ("omni-agent.toml:4: thinker.api_key can be read by other users" in err) == warned
    assert "sk-1" not in err


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "port = 7000\nprot = 1",
            "omni-agent.toml:2: prot is no option; did you mean 'port'? there are: ",
        ),
        ("[thinkre]\nmodel = 'x'", "omni-agent.toml:1: thinkre is no option; did you mean 'think"),
        ("port = 'many'", "omni-agent.toml:1: port: "),
        ("port = 70000", "omni-agent.toml:1: port: "),
        ("port = true", "omni-agent.toml:1: port: True cannot be its value"),
        ("port = [1]", "omni-agent.toml:1: port: [1] cannot be its value"),
        ("light = 'yes'", "omni-agent.toml:1: light: 'yes' cannot be its value"),
        (
            "keep_transcripts = 'soon'",
            "omni-agent.toml:1: keep_transcripts: 'soon' is not",
        ),
        ("a = 1\na 2", "omni-agent.toml:2: not TOML"),
        ("x = " + "[" * 5000, "not TOML"),
        ("config = 'x'", "omni-agent.toml:1: config is no option"),
        ("thinker = 'local'", "omni-agent.toml:1: thinker is a table: write [thinker]"),
        ("[thinker]\nmodle = 'x'", "omni-agent.toml:2: thinker.modle: the local engine's Thinker"),
        ("[thinker]\nmodle = 'x'", "cannot be told modle; did you mean 'model'? what it can"),
        ("[thinker]\nmodel = 5", "omni-agent.toml:2: thinker.model: "),
        ("[thinker]\nthreads = 0", "omni-agent.toml:2: thinker.threads: option threads"),
        ("[thinker]\nthreads = 'no'", "omni-agent.toml:2: thinker.threads: option threads"),
        ("[talker]\nengine = 'gpt'", "omni-agent.toml:2: talker.engine: there is no Talker 'gpt'"),
        (
            "port = 1\nengine = 'lokal'",
            "omni-agent.toml:2: engine: there is no Thinker 'lokal'; did you mean 'local'?",
        ),
        ("[thinker]\nmodel = 'nix'", "omni-agent.toml:2: thinker.model: model 'nix': unknown"),
        ("port = 1\nmodel = 'nix'", "omni-agent.toml:2: model: model 'nix': unknown"),
        ("[ears]\nmodel = 'nix'", "omni-agent.toml:2: ears.model: model 'nix': unknown"),
        ("base_url = 'gpu1'", "omni-agent.toml:1: base_url: base_url 'gpu1' is not an address"),
        ("[thinker]\nbase-url = 'gpu1'", "omni-agent.toml:2: thinker.base-url"),
        (
            "[thinker]\nbase_url = 'gpu1'",
            "omni-agent.toml:2: thinker.base_url: base_url 'gpu1' is not an address",
        ),
        (
            "[thinker]\nbase_url = 'ftp://gpu1'",
            "omni-agent.toml:2: thinker.base_url: base_url 'ftp://gpu1' must begin with http",
        ),
        (
            "[thinker]\nbase_url = 'http://gpu1'\napi_key = 'é'",
            "omni-agent.toml:3: thinker.api_key: the server's api_key has characters",
        ),
        (
            "[talker]\nengine = 'qwen3-omni'\ndevice = 'gpu'",
            "omni-agent.toml:3: talker.device: device 'gpu' of the qwen3-omni Talker",
        ),
        ("api_key = 'é'", "omni-agent.toml:1: api_key: the server's api_key has characters"),
        ("external_ip = 'x'", "omni-agent.toml:1: external_ip: external IP 'x' is not"),
        ("udp_ports = '9-8'", "omni-agent.toml:1: udp_ports: UDP ports 9-8"),
        ("origin = ['a']", "omni-agent.toml:1: origin: origin 'a' is not a site"),
        ("name = ['a b']", "omni-agent.toml:1: name: name 'a b' is not a host"),
        ("trusted_proxy = ['a']", "omni-agent.toml:1: trusted_proxy: trusted proxy 'a'"),
        ("ice_server = ['a']", "omni-agent.toml:1: ice_server: ICE server 'a' is not"),
        ("server-key = 'é'", "omni-agent.toml:1: server-key: the server key"),
        ("host = ''", "omni-agent.toml:1: host: --host is empty"),
        ("server_key = '${NO_SUCH}'", "omni-agent.toml:1: server_key: there is no environment"),
        ("persona = 'nobody'", "omni-agent.toml:1: persona: nobody: no such persona"),
        ("personas = 'nobody'", "omni-agent.toml:1: personas: nobody: no such persona"),
        ("\udcff", "omni-agent.toml:1: is not UTF-8"),
    ],
)
def test_what_is_wrong_is_named_with_file_line_and_key(
    text: str, says: str, command: Command, served: dict[str, Any]
) -> None:
    Path("omni-agent.toml").write_bytes(text.encode(errors="surrogateescape"))
    status, _, err = command("serve")
    assert status == 2
    assert says in " ".join(err.split())
    assert "Traceback" not in err
    assert not served


FOLLOWING = {"chat": ("chat",), "demo": ("demo",), "say": ("say", "hello"), "doctor": ("doctor",)}


@pytest.mark.parametrize("arguments", FOLLOWING.values(), ids=FOLLOWING)
@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[ears]\nthreads = 3", "omni-agent.toml:2: ears.threads: the local engine's ears cannot"),
        ("[talker]\nvoice = 'x'", "omni-agent.toml:2: talker.voice: the local engine's Talker"),
        ("[thinker]\nmodel = 'nix'", "omni-agent.toml:2: thinker.model: model 'nix': unknown"),
        ("external_ip = 'x'", "omni-agent.toml:1: external_ip: external IP 'x' is not"),
        ("base_url = 'x'", "omni-agent.toml:1: base_url: base_url 'x' is not"),
    ],
)
def test_the_whole_file_is_checked_by_every_command_that_reads_it(
    text: str,
    says: str,
    arguments: tuple[str, ...],
    command: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the command itself has no use for, too."""
    monkeypatch.chdir(tmp_path)
    write(text)
    status, _, err = command(*arguments)
    assert status == 2
    assert says in " ".join(err.split())


@pytest.mark.parametrize(
    ("said", "says"),
    [
        (("--thinker", "model=nix"), "error: --thinker model: model 'nix': unknown"),
        (("--thinker", "model"), "error: --thinker: 'model' needs a value: write model=…"),
        (("--ears", "light"), "error: --ears: 'light' needs a value: write light=…"),
        (("--model", "nix"), "error: --model: model 'nix': unknown"),
        (("--thinker", "base_url=gpu1"), "error: --thinker base_url: base_url 'gpu1' is not"),
        (("--talker", "threads=3"), "error: --talker threads: the local engine's Talker cannot"),
        (("--thinker", "light=perhaps"), "error: --thinker light: light: "),
    ],
)
def test_what_the_command_line_says_wrong_names_the_option(
    said: tuple[str, str], says: str, command: Command, served: dict[str, Any]
) -> None:
    write("[thinker]\nmodel = 'qwen2.5-coder-0.5b'")
    status, _, err = command("serve", *said)
    assert status == 2
    told = " ".join(err.split())
    assert says in told
    assert "omni-agent.toml:" not in told


def test_a_key_of_the_environment_that_cannot_be_one_names_the_variable(
    command: Command, served: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "é")
    assert (
        "error: OPENAI_API_KEY: the server's api_key"
        in command("serve", "--base-url", "http://gpu1/v1")[2]
    )


@pytest.mark.parametrize("said", [("--thinker", "lokal"), ("--engine", "lokal")])
def test_what_the_command_line_says_wrong_is_no_line_of_the_file(
    said: tuple[str, str], command: Command, served: dict[str, Any]
) -> None:
    write("engine = 'local'\n[thinker]\nengine = 'local'")
    status, _, err = command("serve", *said)
    assert status == 2
    told = " ".join(err.split())
    assert "there is no Thinker 'lokal'; did you mean 'local'?" in told
    assert "omni-agent.toml:" not in told


@pytest.mark.parametrize(
    ("name", "says"),
    [("none.toml", "cannot be read: No such file"), (".", "cannot be read: Is a directory"),
     ("/dev/zero", "is over 1 MB")],
)  # fmt: skip
def test_a_file_that_cannot_be_read_is_named(
    name: str, says: str, command: Command, served: dict[str, Any]
) -> None:
    status, _, err = command("serve", "--config", name)
    assert status == 2
    assert says in err


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="owners of files")
def test_a_file_that_somebody_else_put_here_is_obeyed_only_where_it_is_named(
    command: Command, served: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    write("port = 7000")
    if os.geteuid() == 0:
        os.chown("omni-agent.toml", 4321, -1)
    monkeypatch.setattr(os, "geteuid", lambda: 1234)
    assert "belongs to somebody else" in command("serve")[2]
    serving(command, "--config", "omni-agent.toml")
    assert served["port"] == 7000


VALUES: dict[str, Any] = {
    "metrics": "off", "udp_ports": "40000-40100", "external_ip": "192.0.2.1",
    "origin": "https://x.example", "trusted_proxy": "192.0.2.0/24", "ice_server": "stun:x",
    "keep_transcripts": "30d", "allow_private": True, "max_calls": 3,
}  # fmt: skip


def test_every_option_of_serve_can_be_in_the_file(command: Command, served: dict[str, Any]) -> None:
    """What each of them does then is not of interest: none is unknown, none of a wrong kind."""
    lines = []
    for name, option in inspect.signature(serve).parameters.items():
        default = VALUES.get(name, "x" if option.default in (None, "") else option.default)
        if name not in ("thinker", "talker", "ears", "config"):
            lines.append(f"{name} = {json.dumps(default)}")
    write("\n".join([*lines, "[thinker]", "[talker]", "[ears]"]))
    _, _, err = command("serve")
    assert "options of omni-agent.toml" in err
    assert "omni-agent.toml:" not in err


class Tape:
    """An engine with a voice and ears alone, and what they were told."""

    def __init__(self) -> None:
        self.told: list[StageOptions] = []

    @hookimpl
    def register_engines(self) -> list[Engine]:
        async def talker(options: StageOptions) -> ScriptedTalker:
            self.told.append(options)
            return ScriptedTalker()

        async def ears(options: StageOptions) -> ScriptedEars:
            self.told.append(options)
            return ScriptedEars()

        return [Engine("tape", talker=talker, ears=ears, takes={"talker": ("model", "reels")})]


def test_other_commands_read_what_they_can_use(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tape = Tape()
    stages = import_module("omni_agent.cli.stages")
    monkeypatch.setattr(stages, "Registry", lambda: Registry([tape, remote], discover=False))
    monkeypatch.chdir(tmp_path)
    write('port = 7000\n[talker]\nengine = "tape"\nreels = 2\n[thinker]\nbase_url = "http://a/v1"')
    status, out, err = command("say", "hello", "--talker", "model=C90")
    assert (status, "said.wav: " in out) == (0, True), err
    (told,) = tape.told
    assert (told.model, told.options) == ("C90", {"reels": 2})
