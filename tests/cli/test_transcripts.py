"""``omni-agent transcripts``: what was kept of the calls."""

from __future__ import annotations

import json
import re
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from functools import partial
from pathlib import Path

import pytest

from omni_agent.records.database import Records, StoredCall, default_path
from tests.cli.conftest import Ran

Command = Callable[..., Ran]
ESCAPE = "\x1b[2J"


@pytest.fixture(autouse=True)
def two_calls(a_home_of_its_own: None) -> None:
    records = Records(default_path())
    records.begin(StoredCall("rtc_1", "concierge", "ann", 1_700_000_000.0))
    records.put("rtc_1", "a", 1_700_000_001.0, "user", '{"text": "Set [bold] a timer\\u001b[2J"}')
    call = {"call_id": "c", "name": "set_timer", "arguments": {"minutes": 5}}
    records.put("rtc_1", "b", 1_700_000_002.0, "call", json.dumps(call))
    result = {"call_id": "c", "output": "no such timer", "ok": False}
    records.put("rtc_1", "c", 1_700_000_003.0, "result", json.dumps(result))
    answer = {"text": "Sorry,", "interrupted": True}
    records.put("rtc_1", "d", 1_700_000_004.0, "assistant", json.dumps(answer))
    records.end("rtc_1", 1_700_000_063.0, "goodbye")
    records.begin(StoredCall("rtc_2", "tutor", "", 1_700_000_100.0))
    records.close()


@pytest.mark.parametrize("arguments", [["transcripts"], ["transcripts", "list"]])
def test_the_list_says_when_how_long_who_and_how_it_ended(
    arguments: list[str], command: Command
) -> None:
    status, out, _ = command(*arguments)
    when = datetime.fromtimestamp(1_700_000_000).strftime("%Y-%m-%d %H:%M:%S")
    newest, oldest = out.splitlines()
    assert status == 0
    assert newest.split()[0] == "rtc_2"
    assert newest.endswith("tutor  not ended")
    assert re.fullmatch(rf"rtc_1  {when}\s+63 s  concierge  ann  goodbye", oldest)


def test_a_list_without_calls_says_that_there_are_none_and_where(command: Command) -> None:
    command("transcripts", "delete", "--all")
    status, out, _ = command("transcripts", "list")
    assert status == 0
    assert out.startswith(f"no calls are recorded in {default_path()}: `serve` records, ")


def test_one_call_shows_times_tools_arguments_and_results_as_they_were(command: Command) -> None:
    _, out, _ = command("transcripts", "show", "rtc_1")
    assert "concierge, caller ann, 63 s, goodbye" in out
    assert "Set [bold] a timer\\x1b[2J" in out
    assert ESCAPE not in out
    assert 'set_timer({"minutes": 5})' in out
    assert "failed: no such timer" in out
    assert "Sorry, (interrupted)" in out
    assert datetime.fromtimestamp(1_700_000_002).strftime("%H:%M:%S") in out


def test_an_answer_nobody_heard_is_said_to_be_one(command: Command, tmp_path: Path) -> None:
    records = Records(default_path())
    answer = {"text": "", "interrupted": True}
    records.put("rtc_2", "a", 1_700_000_101.0, "assistant", json.dumps(answer))
    records.close()
    unheard = "(interrupted before it was heard)"
    assert command("transcripts", "show", "rtc_2")[1].endswith(f"assistant  {unheard}\n")
    markdown = command("transcripts", "export", "rtc_2", "-f", "md")[1]
    assert f"> {unheard}" in markdown
    assert "*(interrupted)*" not in markdown


def test_one_call_is_not_called_calls(command: Command) -> None:
    assert command("transcripts", "delete", "rtc_1")[1] == "1 call deleted\n"
    assert command("transcripts", "delete", "--all")[1] == "1 call deleted\n"
    assert command("transcripts", "delete", "--all")[1] == "0 calls deleted\n"


def test_calls_are_exported_as_a_line_of_json_each(command: Command) -> None:
    _, out, _ = command("transcripts", "export")
    first, second = (json.loads(line) for line in out.splitlines())
    assert (first["id"], first["caller"], first["seconds"], first["reason"]) == (
        "rtc_1", "ann", 63.0, "goodbye",
    )  # fmt: skip
    assert datetime.fromisoformat(first["started"]).timestamp() == 1_700_000_000
    assert [item["kind"] for item in first["items"]] == ["user", "call", "result", "assistant"]
    assert first["items"][1]["arguments"] == {"minutes": 5}
    assert (second["ended"], second["items"]) == (None, [])


def test_numbers_that_json_does_not_have_are_exported_as_words(command: Command) -> None:
    records = Records(default_path())
    body = '{"output": {"mean": NaN, "range": [-Infinity, 1.5]}}'
    records.put("rtc_2", "a", 1_700_000_101.0, "result", body)
    records.close()
    _, out, _ = command("transcripts", "export", "rtc_2")
    (item,) = json.loads(out, parse_constant=pytest.fail)["items"]
    assert item["output"] == {"mean": "nan", "range": ["-inf", 1.5]}


def test_one_call_is_exported_as_markdown_into_a_private_file(
    command: Command, tmp_path: Path
) -> None:
    file = tmp_path / "call.md"
    file.touch(0o644)
    file.chmod(0o644)
    status, _, _ = command("transcripts", "export", "rtc_1", "-f", "md", "-o", str(file))
    text = file.read_text()
    assert status == 0
    assert text.startswith("# rtc_1, ")
    assert '> set_timer({"minutes": 5})' in text
    assert ESCAPE not in text
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("which", "left"),
    [
        (["rtc_2"], ["rtc_1"]),
        (["rtc_1", "rtc_2"], []),
        (["--all"], []),
        (["--older-than", "30d"], []),
        (["--older-than", "99999w"], ["rtc_2", "rtc_1"]),
    ],
)
def test_calls_are_deleted_by_id_by_age_or_all(
    which: list[str], left: list[str], command: Command
) -> None:
    status, _, _ = command("transcripts", "delete", *which)
    assert status == 0
    records = Records(default_path())
    assert [call.id for call in records.calls()] == left
    records.close()


@pytest.mark.parametrize("which", [[], ["rtc_1", "--all"], ["--all", "--older-than", "1d"]])
def test_nothing_is_deleted_by_a_command_that_does_not_say_what(
    which: list[str], command: Command
) -> None:
    status, _, err = command("transcripts", "delete", *which)
    assert status == 2
    assert "say which calls" in err


def test_an_id_that_is_not_there_deletes_nothing(command: Command) -> None:
    assert command("transcripts", "delete", "rtc_1", "rtc_9")[0] == 2
    assert "rtc_1" in command("transcripts")[1]


@pytest.mark.parametrize("arguments", [["delete", "--all"], ["delete", "rtc_1"]])
def test_a_file_that_others_hold_is_named_with_a_way_out(
    arguments: list[str], command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = partial(Records, timeout_s=0.01)
    monkeypatch.setattr(Records, "opened", lambda path: opened(path))
    with closing(sqlite3.connect(default_path(), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        status, _, err = command("transcripts", *arguments)
    assert status == 2
    assert err.startswith(f"error: {default_path()}: database is locked: ")
    assert "try again" in err


@pytest.mark.parametrize("arguments", [[], ["show", "rtc_1"], ["export"], ["delete", "--all"]])
def test_a_file_that_is_damaged_inside_is_named_with_a_way_out(
    arguments: list[str], command: Command
) -> None:
    content = default_path().read_bytes()
    default_path().write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))
    status, _, err = command("transcripts", *arguments)
    assert status == 2
    assert str(default_path()) in err
    assert "move it away" in err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux")
@pytest.mark.parametrize("form", ["jsonl", "md"])
def test_an_export_to_a_full_disk_is_told(form: str, command: Command) -> None:
    status, _, err = command("transcripts", "export", "-f", form, "-o", "/dev/full")
    assert status == 2
    assert err == "error: /dev/full: cannot be written: No space left on device\n"
