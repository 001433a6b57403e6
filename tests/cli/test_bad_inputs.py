"""Whatever is wrong with a command is said in a line, with status 2 and no traceback."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from omni_agent.audio import AudioFrame, write_wav
from tests.cli.conftest import Ran

Command = Callable[..., Ran]
LONG = "a" * 300
"""No file's name: an error of the system's own, as a folder that one may not enter is."""


def riff(rate: int = 16_000, bits: int = 16, tag: int = 1, channels: int = 1) -> bytes:
    frame = channels * bits // 8
    form = struct.pack("<HHIIHH", tag, channels, rate, rate * frame, frame, bits)
    data = bytes(64)
    chunks = b"fmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", 64) + data
    return b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WAVE" + chunks


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Files that are wrong in one way each, and one that is right."""
    files = {
        "letter.wav": b"la la la",
        "empty.wav": b"",
        "silent_rate.wav": riff(rate=0),
        "bytes.wav": riff(bits=8),
        "float.wav": riff(bits=32, tag=3),
        "nobody.wav": riff(channels=0),
        "cut.wav": riff()[:30],
        "bad.pem": b"-----BEGIN CERTIFICATE-----\nnothing\n-----END CERTIFICATE-----\n",
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    write_wav(tmp_path / "right.wav", AudioFrame.silence(0.2, 16_000))
    return tmp_path


WAVS = [
    ("missing.wav", "there is no such file"),
    (".", "is a folder"),
    ("letter.wav", "not a PCM WAV file"),
    ("empty.wav", "not a PCM WAV file"),
    ("silent_rate.wav", "at 0 Hz"),
    ("bytes.wav", "got 8-bit"),
    ("float.wav", "got 32-bit"),
    ("nobody.wav", "0 channels"),
    ("cut.wav", "not a PCM WAV file"),
]


def clean(ran: Ran, says: str) -> None:
    status, _, err = ran
    assert status == 2, err
    assert says in " ".join(err.split())
    assert "Traceback" not in err


@pytest.mark.parametrize("name", ["listen", "demo"])
@pytest.mark.parametrize(("file", "says"), WAVS)
def test_a_sound_file_that_cannot_be_read(
    name: str, file: str, says: str, command: Command, folder: Path
) -> None:
    clean(command(name, str(folder / file)), says)


@pytest.mark.parametrize("name", ["say", "demo"])
@pytest.mark.parametrize(
    ("output", "says"),
    [
        ("no/such/folder/x.wav", "there is no folder"),
        (".", "is a folder"),
        ("letter.wav/x.wav", "there is no folder"),
    ],
)
def test_an_answer_that_cannot_be_written(
    name: str, output: str, says: str, command: Command, folder: Path
) -> None:
    """Said before any model is loaded."""
    what = "hello" if name == "say" else str(folder / "right.wav")
    clean(command(name, what, "-o", str(folder / output)), says)


@pytest.fixture(scope="module")
def taken() -> Iterator[str]:
    """A port in use: a server that does not refuse ends there, with another message."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield str(listening.getsockname()[1])


SERVE = [
    (["--ice-server", "foo"], "not a STUN or TURN URL"),
    (["--ice-server", "turn:turn.example"], "--ice-credential"),
    (["--ice-server", "turn:turn.example", "--ice-username", "ann"], "--ice-credential"),
    (["--udp-ports", "many"], "such as 40000-40100"),
    (["--udp-ports", "40100-40000"], "UDP ports"),
    (["--external-ip", "example.com"], "not an IP address"),
    (["--server-key", ""], "the server key is empty"),
    (["--trusted-proxy", "proxy.example"], "--trusted-proxy"),
    (["--origin", "abc"], "--origin"),
    (["--origin", "https://friend.example/page"], "without a path"),
    (["--name", "http://x y"], "--name"),
    (["--base-url", "foo"], "--base-url"),
    (["--base-url", "http://127.0.0.1:9", "--api-key", "sk-1\n"], "--api-key"),
    (["--base-url", "http://127.0.0.1:9", "--api-key", "sk-é"], "--api-key"),
    (["--host", ""], "--host is empty"),
    (["--persona", f"{LONG}.md"], "File name too long"),
    (["--personas", f"./{LONG}"], "File name too long"),
    (["--tls-cert", "missing.pem"], "there is no such file"),
    (["--tls-cert", "bad.pem"], "not a certificate"),
    (["--tls-key", "bad.pem"], "--tls-cert"),
    (["--keep-transcripts", "soon"], "such as 30d"),
    (["--keep-transcripts", "0d"], "such as 30d"),
    (["--keep-transcripts", "9" * 400 + "d"], "such as 30d"),
    (["--udp-ports", "9" * 5000 + "-2"], "such as 40000-40100"),
    (["--keep-transcripts", "30d", "--no-transcripts"], "keeps nothing"),
    (["--max-calls", "0"], "max-calls"),
    (["--metrics", "loud"], "metrics"),
    (["--port", "70000"], "port"),
    (["--host", "no.such.host.invalid"], "cannot listen on"),
    (["--persona", "."], ""),
    (["--persona", "nobody"], "nobody"),
    (["--engine", "gpt"], "there is no Thinker 'gpt'"),
    (["--model", "whisper-base"], "it cannot think"),
    (["--model", "nope"], "or a path to a GGUF file"),
    ([], "is in use already"),
]


@pytest.mark.parametrize(("options", "says"), SERVE, ids=lambda value: str(value)[:40])
def test_a_server_that_cannot_be_as_it_was_asked_to(
    options: list[str],
    says: str,
    command: Command,
    taken: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(folder)
    port = [] if "--port" in options else ["--port", taken]
    clean(command("serve", *port, *options), says)


def test_a_server_key_that_came_out_empty_is_not_none(
    command: Command, taken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As ``OMNI_AGENT_SERVER_KEY=$KEY`` does where nobody set KEY."""
    monkeypatch.setenv("OMNI_AGENT_SERVER_KEY", "")
    clean(command("serve", "--port", taken), "the server key is empty")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["chat", "--engine", "gpt"], "there is no Thinker 'gpt'"),
        (["say", "hello", "--engine", "gpt"], "there is no Talker 'gpt'"),
        (["say", " "], "there is nothing to say"),
        (["say", "hello", "--speed", "9"], "speed"),
        (["say", "hello", "--speed", "nan"], "speed"),
        (["listen", "right.wav", "--engine", "gpt"], "there is no ears 'gpt'"),
        (["demo", "right.wav", "--persona", "nobody"], "nobody"),
        (["doctor", "--engine", "gpt"], "there is no Thinker 'gpt'"),
        (["models", "fetch", "gpt-4"], "gpt-4"),
        (["models", "verify", "gpt-4"], "gpt-4"),
        (["models", "remove", "gpt-4"], "gpt-4"),
        (["transcripts", "list", "--limit", "0"], "limit"),
        (["transcripts", "list", "--limit", "9" * 30], "limit"),
        (["transcripts", "show", "rtc_1"], "there is no call"),
        (["transcripts", "show", "\udcff"], "there is no call"),
        (["transcripts", "delete", "rtc\udcff"], "there is no call"),
        (["chat", "--model", f"{LONG}.gguf"], "File name too long"),
        (["chat", "--engine", "remote"], "--base-url"),
        (["say", "hello", "-o", f"{LONG}.wav"], "File name too long"),
        (["transcripts", "export", "rtc_1"], "there is no call"),
        (["transcripts", "export", "-o", "no/such/file"], "cannot be written"),
        (["transcripts", "export", "-f", "pdf"], "pdf"),
        (["transcripts", "delete", "--older-than", "9" * 400 + "d"], "such as 30d"),
        (["transcripts", "delete", "--older-than", "long"], "such as 30d"),
        (["serv"], "serv"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_what_cannot_be_done(
    arguments: list[str],
    says: str,
    command: Command,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(folder)
    clean(command(*arguments), says)


@pytest.mark.parametrize("arguments", [["list"], ["fetch"], ["verify"]])
@pytest.mark.parametrize(("folder", "says"), [("~nobody at all/m", "no such user"), (LONG, "long")])
def test_a_folder_of_models_that_cannot_be(
    folder: str, says: str, arguments: list[str], command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMNI_AGENT_MODELS", folder)
    clean(command("models", *arguments), says)


@pytest.mark.parametrize("arguments", [["transcripts"], ["serve"]])
def test_a_home_that_is_a_file(
    arguments: list[str], command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMNI_AGENT_HOME", str(folder / "letter.wav"))
    clean(command(*arguments), "transcripts cannot be kept here")
