"""Transcripts that survive a crash, and calls that survive what happens to transcripts."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from omni_agent import events
from omni_agent.conversation import Message, TextPart, ToolCall, ToolResult, user
from omni_agent.errors import ConfigError
from omni_agent.records import transcripts as store
from omni_agent.records.database import Records, StoredCall, StoredItem
from omni_agent.records.transcripts import TranscriptStore

WAIT_S = 20


class Told(logging.Handler):
    """What the log says of transcripts; ``failing`` and ``works`` are set by it."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.failing, self.works = threading.Event(), threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())
        (self.failing if "are not written" in self.lines[-1] else self.works).set()


@pytest.fixture
def told() -> Iterator[Told]:
    handler = Told()
    store.log.addHandler(handler)
    yield handler
    store.log.removeHandler(handler)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "t.sqlite3"


@pytest.fixture(autouse=True)
def closing_has_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine is no failure."""
    monkeypatch.setattr(store, "CLOSE_S", WAIT_S)


@pytest.fixture
def kept(path: Path) -> Iterator[TranscriptStore]:
    one = TranscriptStore(path, retry_s=0.01)
    yield one
    one.close()


def started(call: str = "s1", caller: str = "") -> events.SessionStarted:
    return events.SessionStarted(0.0, call, "concierge", caller)


def said(text: str) -> events.ItemAdded:
    return events.ItemAdded(0.0, user(text))


def read(path: Path, call: str = "s1") -> list[StoredItem]:
    records = Records(path)
    items = list(records.items(call))
    records.close()
    return items


def words(path: Path, call: str = "s1") -> list[str]:
    return [item.body["text"] for item in read(path, call)]


def test_items_are_kept_in_order_and_replaced_in_place(path: Path, kept: TranscriptStore) -> None:
    kept.record("s1", started(caller="ann"))
    empty = Message("assistant", (), "a1")
    for item in (user("hi"), empty, ToolCall("c1", "f", {"x": 1}), ToolResult("c1", "ok")):
        kept.record("s1", events.ItemAdded(0.0, item))
    heard = Message("assistant", (TextPart("hel"),), "a1", interrupted=True)
    kept.record("s1", events.ItemAdded(0.0, heard))
    kept.record("s1", events.SessionEnded(0.0, "hangup"))
    kept.settle()
    items = read(path)
    assert [item.kind for item in items] == ["user", "assistant", "call", "result"]
    assert items[1].body == {"text": "hel", "interrupted": True}
    assert items[2].body["name"] == "f"
    assert items[2].body["arguments"] == {"x": 1}
    assert [item.created for item in items] == sorted(item.created for item in items)
    records = Records(path)
    call = records.call("s1")
    records.close()
    assert call is not None
    assert (call.persona, call.caller, call.reason) == ("concierge", "ann", "hangup")
    assert call.seconds is not None
    assert kept.health == {"failing": False, "lost": 0, "why": ""}


def test_what_was_written_survives_a_killed_process(path: Path) -> None:
    script = f"""
        import os, signal
        from pathlib import Path
        from omni_agent import events
        from omni_agent.conversation import user
        from omni_agent.records.transcripts import TranscriptStore
        store = TranscriptStore(Path({str(path)!r}))
        store.record("s1", events.SessionStarted(0.0, "s1", "p"))
        store.record("s1", events.ItemAdded(0.0, user("do not lose me")))
        store.settle()
        os.kill(os.getpid(), signal.SIGKILL)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=False)
    assert done.returncode == -9
    assert words(path) == ["do not lose me"]


def transcripts(home: Path, *arguments: str) -> str:
    """What the command prints, beside the process that records."""
    return subprocess.run(
        [sys.executable, "-m", "omni_agent", "transcripts", *arguments],
        env=os.environ | {"OMNI_AGENT_HOME": str(home)}, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip


def test_the_command_beside_a_server_hides_nothing_and_breaks_nothing(tmp_path: Path) -> None:
    path = tmp_path / "transcripts.sqlite3"
    script = f"""
        import sys
        from pathlib import Path
        from omni_agent import events
        from omni_agent.conversation import user
        from omni_agent.records.transcripts import TranscriptStore
        store = TranscriptStore(Path({str(path)!r}))
        for line in sys.stdin:
            for number in range(60):
                call = f"{{line.strip()}}{{number}}"
                store.record(call, events.SessionStarted(0.0, call, "p"))
                store.record(call, events.ItemAdded(0.0, user(f"words of {{call}} " * 50)))
                store.record(call, events.SessionEnded(1.0, "hangup"))
            store.settle()
            print("written", flush=True)
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as server:  # fmt: skip
        assert server.stdin is not None
        assert server.stdout is not None

        def write(prefix: str) -> None:
            print(prefix, file=server.stdin, flush=True)
            assert server.stdout is not None
            assert server.stdout.readline() == "written\n"

        def listed() -> int:
            return len(transcripts(tmp_path, "list", "--limit", "1000").splitlines())

        write("a")
        assert listed() == 60
        write("b")
        assert listed() == 120
        assert transcripts(tmp_path, "delete", "--all") == "120 calls deleted\n"
        assert not any(b"words of" in one.read_bytes() for one in tmp_path.iterdir())
        write("c")
        assert listed() == 60
        server.kill()
    with contextlib.closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    records = Records(path)
    assert {call.id for call in records.calls()} == {f"c{number}" for number in range(60)}
    records.close()
    assert words(path, "c59") == ["words of c59 " * 50]


def test_a_process_that_ends_writes_what_waits(path: Path) -> None:
    script = f"""
        from pathlib import Path
        from omni_agent import events
        from omni_agent.conversation import user
        from omni_agent.records.transcripts import TranscriptStore
        store = TranscriptStore(Path({str(path)!r}))
        store.record("s1", events.ItemAdded(0.0, user("do not lose me")))
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=True)
    assert words(path) == ["do not lose me"]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ConfigError, match="transcripts cannot be kept here"):
        TranscriptStore(tmp_path / "file" / "t.sqlite3")


def test_a_file_that_is_no_database_is_named_at_the_start(path: Path) -> None:
    path.write_text("a letter to my grandmother, long before there were databases" * 20)
    with pytest.raises(ConfigError, match="file is not a database"):
        TranscriptStore(path)


@contextlib.contextmanager
def locked(path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield
    other.execute("ROLLBACK")
    other.close()


def spoilt(pragma: str) -> Callable[[Path, pytest.MonkeyPatch], Any]:
    """The connection cannot write, as SQLite itself says."""

    @contextlib.contextmanager
    def spoil(path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        begin = Records.begin

        def begin_spoilt(records: Records, call: StoredCall) -> None:
            records._database.execute(pragma)
            begin(records, call)

        with monkeypatch.context() as patched:
            patched.setattr(Records, "begin", begin_spoilt)
            yield

    return spoil


@pytest.mark.parametrize(
    ("outage", "why"),
    [
        (locked, "locked"),
        (spoilt("PRAGMA query_only=ON"), "readonly"),
        (spoilt("PRAGMA max_page_count=1"), "full"),
    ],
    ids=["locked", "read-only", "full"],
)
def test_while_nothing_can_be_written_words_wait_and_what_is_lost_is_counted_and_said_once(
    outage: Callable[[Path, pytest.MonkeyPatch], contextlib.AbstractContextManager[None]],
    why: str,
    path: Path,
    kept: TranscriptStore,
    told: Told,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept.record("s1", started())
    kept.settle()
    too_many = store.MAX_WAITING + 50
    with outage(path, monkeypatch):
        kept.record("s1", said("long " * 10_000))
        assert told.failing.wait(WAIT_S)
        for number in range(1, too_many):
            kept.record("s1", said(str(number)))
        assert kept.health["failing"]
        assert kept.health["lost"] == 49  # one is being written, MAX_WAITING wait
    assert told.works.wait(WAIT_S)
    kept.settle()
    assert words(path)[1:] == [str(number) for number in range(1, too_many - 49)]
    assert not kept.health["failing"]
    assert why in kept.health["why"]
    assert why in told.lines[0]
    assert len([line for line in told.lines if "are not written" in line]) == 1
    assert told.lines[-1] == "transcripts are written again; lost since the start: 49"


def test_closing_while_nothing_can_be_written_says_how_many_events_are_lost_in_all(
    path: Path, kept: TranscriptStore, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept.record("s1", started())
    kept.settle()
    with spoilt("PRAGMA max_page_count=1")(path, monkeypatch):
        for number in range(10):
            kept.record("s1", said(f"{number} " * 10_000))
        assert told.failing.wait(WAIT_S)
        kept.close()
    assert kept.health["lost"] == 10
    assert told.lines[-1].startswith("transcripts are closed; lost since the start: 10: ")


def test_what_waits_behind_a_write_that_takes_too_long_is_lost_when_it_closes(
    kept: TranscriptStore, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def hold(*_: object) -> None:
        begun.set()
        go_on.wait(WAIT_S)

    monkeypatch.setattr(store, "CLOSE_S", 0.0)
    monkeypatch.setattr(kept, "_put", hold)
    for number in range(10):
        kept.record("s1", said(str(number)))
        assert begun.wait(WAIT_S)
    kept.close()
    assert kept.health["lost"] == 9
    assert told.lines == [
        "transcripts are closed; lost since the start: 9, and one is still being written: no time"
    ]
    go_on.set()


def test_what_is_said_after_it_closed_is_lost_and_told_once_a_call(
    kept: TranscriptStore, told: Told
) -> None:
    kept.close()
    for number in range(3):
        kept.record("s1", said(str(number)))
    assert kept.health["lost"] == 3
    assert told.lines == ["call s1: a part is not in its transcript: transcripts are closed"]
    kept.settle()


def test_a_deleted_file_is_made_anew_and_the_call_is_in_it(
    path: Path, kept: TranscriptStore, told: Told
) -> None:
    kept.record("s1", started())
    kept.record("s1", said("before"))
    kept.settle()
    path.unlink()
    kept.record("s1", said("after"))
    kept.settle()
    assert words(path) == ["after"]
    records = Records(path)
    assert [call.persona for call in records.calls()] == ["concierge"]
    records.close()
    assert "deleted or overwritten" in told.lines[0]


@pytest.mark.parametrize("content", [b"", b"overwritten " * 10_000])
def test_an_overwritten_file_is_set_aside_and_recording_goes_on(
    content: bytes, path: Path, kept: TranscriptStore, told: Told
) -> None:
    kept.record("s1", started())
    kept.record("s1", said("before"))
    kept.settle()
    path.write_bytes(content)
    for text in ("after", "and more"):
        kept.record("s1", said(text))
    kept.settle()
    assert words(path) == ["after", "and more"]
    assert [one.read_bytes() for one in path.parent.glob("*.damaged-*[0-9]")] == [content]
    assert not kept.health["failing"]


def test_an_empty_file_that_a_full_disk_leaves_behind_is_not_taken_for_a_damaged_one(
    path: Path, kept: TranscriptStore, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept.record("s1", started())
    kept.settle()
    tried = threading.Event()

    def full(path: Path, **options: Any) -> Records:
        path.touch()
        tried.set()
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(store, "Records", full)
        path.unlink()
        kept.record("s1", said("after"))
        assert tried.wait(WAIT_S)
    kept.settle()
    assert words(path) == ["after"]
    assert not list(path.parent.glob("*.damaged-*"))


def test_a_file_damaged_inside_is_set_aside_and_recording_goes_on(
    path: Path, kept: TranscriptStore, told: Told
) -> None:
    for number in range(300):
        kept.record("s1", said(f"{number} " * 100))
    kept.settle()
    sqlite3.connect(path).execute("PRAGMA wal_checkpoint(TRUNCATE)").connection.close()
    content = path.read_bytes()
    path.write_bytes(content[:100] + b"\xff" * (len(content) - 100))
    kept.record("s1", said("after"))
    kept.settle()
    assert words(path)[-1] == "after"


def test_a_caller_who_says_too_much_fills_one_call_s_share_and_no_more(
    path: Path, kept: TranscriptStore, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "MAX_CALL", 2**20)
    for _ in range(100):
        kept.record("s1", said("x" * 60_000))
        kept.record("s2", said("fine"))
    kept.settle()
    assert 15 <= len(read(path)) <= 17
    assert len(read(path, "s2")) == 100
    assert 83 <= kept.health["lost"] <= 85
    assert len(told.lines) == 1


@pytest.mark.parametrize(
    "item",
    [
        user("é" * 100_000),
        ToolCall("c1", "f", {"x": ["y" * 100_000]}),
        ToolResult("c1", "z" * 100_000),
    ],
)
def test_a_long_item_is_cut_and_says_so(item: Any, path: Path, kept: TranscriptStore) -> None:
    kept.record("s1", events.ItemAdded(0.0, item))
    kept.settle()
    (stored,) = read(path)
    assert stored.body["cut"] is True
    size = sum(len(str(value)) for value in stored.body.values())
    assert 8_000 < size < 70_000


def test_what_can_never_be_written_is_lost_alone(
    path: Path, kept: TranscriptStore, told: Told
) -> None:
    """Half a surrogate pair in an id is nothing that SQLite stores."""
    kept.record("s1", events.ItemAdded(0.0, Message("user", (TextPart("a"),), "\ud800")))
    kept.record("s1", said("\ud800 in the words is fine"))
    kept.settle()
    assert words(path) == ["\ud800 in the words is fine"]
    assert kept.health["lost"] == 1
    assert not kept.health["failing"]


def test_why_something_was_lost_is_told_to_anybody_without_paths_and_words(
    path: Path, kept: TranscriptStore, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise error

    monkeypatch.setattr(Records, "put", refuse)
    for error in (
        ConfigError(f"{path}: secret"),
        ValueError("secret"),
        OSError(5, "no disk", path),
    ):
        kept.record(error.__class__.__name__, said("hello"))
        if isinstance(error, OSError):
            assert told.failing.wait(WAIT_S)
            monkeypatch.undo()
        kept.settle()
        assert not any(secret in kept.health["why"] for secret in ("secret", str(path.parent)))
    assert "secret" in told.lines[0]


def test_old_calls_that_cannot_be_deleted_keep_no_server_from_starting(
    path: Path, kept: TranscriptStore, told: Told
) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    TranscriptStore(path, keep_days=1, retry_s=0.01).close()
    other.close()
    assert "old transcripts could not be deleted" in told.lines[0]


def test_old_calls_are_deleted_at_the_start_and_daily(path: Path) -> None:
    now = [1000.0 * 86_400]
    kept = TranscriptStore(path, keep_days=30, now=lambda: now[0])
    for call in ("old", "new"):
        kept.record(call, started(call))
        kept.record(call, said("hello"))
        kept.record(call, events.SessionEnded(0.0, "hangup"))
        kept.settle()
        now[0] += 29 * 86_400
    kept.record("third", said("it is two days later"))
    kept.settle()
    assert (words(path, "old"), words(path, "new")) == ([], ["hello"])
    kept.close()
    now[0] += 31 * 86_400
    TranscriptStore(path, keep_days=30, now=lambda: now[0]).close()
    assert words(path, "new") == []


def test_old_calls_are_deleted_where_nobody_calls(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "LOOK_S", 0.01)
    now = [1000.0 * 86_400]
    kept = TranscriptStore(path, keep_days=1, now=lambda: now[0])
    kept.record("s1", said("hello"))
    kept.record("s1", events.SessionEnded(0.0, "hangup"))
    kept.settle()
    deleted, delete_before = threading.Event(), Records.delete_before

    def told(records: Records, at: float) -> int:
        gone = delete_before(records, at)
        deleted.set()
        return gone

    monkeypatch.setattr(Records, "delete_before", told)
    now[0] += 3 * 86_400
    assert deleted.wait(WAIT_S)
    assert words(path) == []
    kept.close()


def test_closing_does_not_wait_for_a_file_that_cannot_be_written(path: Path, told: Told) -> None:
    kept = TranscriptStore(path, retry_s=0.01)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    kept.record("s1", said("never"))
    assert told.failing.wait(WAIT_S)
    kept.close()
    other.close()
    assert kept.health["lost"] == 1
