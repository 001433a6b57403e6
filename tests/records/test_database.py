"""The file of recorded calls: keyed by call, private, brought up to date, deleted for good."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from omni_agent.errors import ConfigError
from omni_agent.records.database import Records, StoredCall, default_path, is_database

FIRST = """
CREATE TABLE sessions (
  id TEXT PRIMARY KEY, persona TEXT NOT NULL, started REAL NOT NULL, ended REAL, reason TEXT
);
CREATE TABLE items (
  id TEXT PRIMARY KEY, session TEXT NOT NULL REFERENCES sessions(id),
  created REAL NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL
);
CREATE INDEX items_of_session ON items (session, created);
INSERT INTO sessions VALUES ('old', 'concierge', 100.0, 160.0, 'goodbye');
INSERT INTO items VALUES ('b', 'old', 101.0, 'user', '{"text": "hello"}');
INSERT INTO items VALUES ('a', 'old', 102.0, 'assistant', '{"text": "Good evening."}');
INSERT INTO items VALUES ('c', 'begun before a crash', 103.0, 'user', '{"text": "still here"}');
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "t.sqlite3"


@pytest.fixture
def records(path: Path) -> Iterator[Records]:
    one = Records(path)
    yield one
    one.close()


def fill(
    records: Records, call: str, *texts: str, started: float = 0.0, ended: float = 0.0
) -> None:
    records.begin(StoredCall(call, "concierge", "ann", started))
    for at, text in enumerate(texts):
        records.put(call, f"item_{at}", started + at, "user", f'{{"text": "{text}"}}')
    if ended:
        records.end(call, ended, "hangup")


def touch(path: Path) -> None:
    """As whoever writes it a moment later does."""
    found = path.stat()
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns + 1_000_000))


def words(records: Records, call: str) -> list[str]:
    return [item.body["text"] for item in records.items(call)]


def test_two_calls_whose_clients_name_an_item_alike_keep_both(records: Records) -> None:
    fill(records, "one", "mine")
    fill(records, "two", "yours")
    assert (words(records, "one"), words(records, "two")) == (["mine"], ["yours"])


def test_an_item_is_replaced_in_its_place(records: Records) -> None:
    fill(records, "one", "first", "second")
    records.put("one", "item_0", 9.0, "user", '{"text": "again"}')
    assert words(records, "one") == ["again", "second"]


def test_a_file_of_the_first_version_is_brought_up_to_date_once_and_loses_nothing(
    path: Path,
) -> None:
    path.parent.mkdir()
    with sqlite3.connect(path) as old:
        old.executescript(FIRST)
    old.close()
    for _ in range(2):
        records = Records(path)
        assert words(records, "old") == ["hello", "Good evening."]
        assert words(records, "begun before a crash") == ["still here"]
        assert [call.id for call in records.calls()] == ["begun before a crash", "old"]
        assert records.call("old") == StoredCall("old", "concierge", "", 100.0, 160.0, "goodbye")
        records.close()


def test_a_file_of_a_newer_version_is_left_alone(path: Path) -> None:
    Records(path).close()
    with sqlite3.connect(path) as newer:
        newer.execute("PRAGMA user_version = 99")
    newer.close()
    with pytest.raises(ConfigError, match="newer omni_agent"):
        Records(path)


def test_only_the_owner_can_read_the_files(path: Path, records: Records) -> None:
    fill(records, "one", "secret")
    files = [path, *path.parent.glob(f"{path.name}-*")]
    assert len(files) == 3
    assert {stat.S_IMODE(one.stat().st_mode) for one in files} == {0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_files_that_others_could_read_are_closed_to_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMNI_AGENT_HOME", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    path = default_path()
    path.parent.mkdir()
    path.parent.chmod(0o755)
    path.touch(0o644)
    Records(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_home_may_be_written_as_shells_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("OMNI_AGENT_HOME", "~/calls")
    assert default_path() == tmp_path / "calls" / "transcripts.sqlite3"
    monkeypatch.setenv("OMNI_AGENT_HOME", "~nobody_of_this_name/calls")
    with pytest.raises(ConfigError, match="there is no such user"):
        default_path()


def test_somebody_s_own_folder_is_left_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    Records(tmp_path / "t.sqlite3").close()
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


def test_what_is_deleted_is_on_the_disk_no_more(path: Path, records: Records) -> None:
    fill(records, "one", "the door code is 4711", ended=5.0)
    fill(records, "two", "keep me", ended=6.0)
    on_disk = lambda: b"".join(file.read_bytes() for file in path.parent.iterdir())  # noqa: E731
    assert b"4711" in on_disk()
    assert records.delete(["one", "nobody"]) == 1
    assert b"4711" not in on_disk()
    assert (words(records, "one"), words(records, "two")) == ([], ["keep me"])
    assert [call.id for call in records.calls()] == ["two"]


def test_what_is_deleted_while_others_read_is_said_to_be_on_the_disk_still(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    records = Records(path, timeout_s=0.0)
    fill(records, "one", "the door code is 4711", ended=5.0)
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN").execute("SELECT * FROM items").fetchall()
    assert records.delete(["one"]) == 1
    assert f"what was deleted is in {path.name}-wal still" in caplog.text
    reader.close()
    records.close()
    assert b"4711" not in b"".join(file.read_bytes() for file in path.parent.iterdir())


def test_calls_that_ended_before_a_time_are_deleted_and_those_that_go_on_are_not(
    records: Records,
) -> None:
    fill(records, "old", "a", started=100.0, ended=200.0)
    fill(records, "long", "b", started=100.0, ended=400.0)
    fill(records, "going on", "c", started=250.0)
    fill(records, "its server was killed", "d", started=-86_400.0)
    assert records.delete_before(300.0) == 2
    assert {call.id for call in records.calls()} == {"long", "going on"}
    assert words(records, "old") == []


def in_another_process(path: Path, query: str) -> str:
    """What it reads there; it opens the file as Records does, and closes it."""
    script = (
        "import sys; from pathlib import Path; from omni_agent.records.database import Records\n"
        "records = Records(Path(sys.argv[1])); print(eval(sys.argv[2])); records.close()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(path), query], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.mark.parametrize(
    "look",
    [
        lambda records: (touch(records.path), records.intact),
        lambda records: is_database(records.path),
        lambda records: Records(records.path).close(),
    ],
    ids=["is it intact", "is it a database", "opened twice"],
)
def test_whoever_looks_at_the_file_keeps_the_locks_that_others_heed(
    look: Callable[[Records], object], path: Path, records: Records
) -> None:
    """Another process that closes the file would delete its log, and all that is in it."""
    fill(records, "one", "before")
    look(records)
    in_another_process(path, "records.calls()")
    fill(records, "two", "after")
    assert in_another_process(path, "[call.id for call in records.calls()]") == "['two', 'one']"


def test_looking_at_the_file_often_keeps_no_more_of_it_open(records: Records) -> None:
    assert is_database(records.path)
    few = len(os.listdir("/dev/fd"))
    for _ in range(50):
        assert is_database(records.path)
    assert len(os.listdir("/dev/fd")) <= few  # what others left open may be closed meanwhile


def test_the_file_is_looked_into_only_where_somebody_wrote_it(
    path: Path, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[Path] = []
    monkeypatch.setattr(
        "omni_agent.records.database.is_database",
        lambda path: looked.append(path) or is_database(path),
    )
    for number in range(10):
        fill(records, f"call {number}", "hello")
        assert records.intact
    assert looked == []
    for _ in range(2):
        touch(path)
        assert records.intact
    assert looked == [path, path]


def test_a_file_that_is_overwritten_byte_for_byte_is_not_intact(
    path: Path, records: Records
) -> None:
    size = path.stat().st_size
    path.write_bytes(b"x" * size)
    touch(path)
    assert not records.intact
