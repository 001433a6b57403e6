"""Notes: kept, found, deleted, and never lost to a crowd or a broken file."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sqlite3
import stat
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import omni_agent_notes as notes
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from omni_agent_notes import notebook
from omni_agent_notes.notebook import MAX_CHARS, Note, Notebook, NotesProblem, default_path

from omni_agent import Tool, ToolError
from omni_agent.testing import FakeCall


@pytest.fixture
def call() -> FakeCall:
    return FakeCall()


@pytest.fixture(autouse=True)
def _own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OMNI_AGENT_HOME", str(tmp_path / "home"))


async def do(tool: Tool, call: FakeCall, **arguments: Any) -> str:
    output = await tool.call(arguments, call)
    await asyncio.sleep(0)  # what a thread told the page arrives with the loop's next step
    return output


async def test_a_note_is_kept_and_read(call: FakeCall) -> None:
    assert await do(notes.read_notes, call) == "There are no notes."
    assert (
        await do(notes.add_note, call, text=" The key is\nunder the mat ") == "I wrote that down."
    )
    assert await do(notes.read_notes, call) == "There is one note: The key is under the mat."
    assert "notes" in call.panels
    assert [row.value for row in call.panels["notes"].rows] == ["The key is under the mat"]


async def test_notes_are_found_by_their_words(call: FakeCall) -> None:
    for text in ("Buy milk", "The spare keys are under the mat", "Call Anna at 5!"):
        await do(notes.add_note, call, text=text)
    assert "Call Anna at 5! The spare keys" in await do(notes.read_notes, call)
    for about in ("key", "the keys", "KEYS", "my note about the mat"):
        found = await do(notes.read_notes, call, about=about)
        assert found == "There is one note: The spare keys are under the mat."
    assert await do(notes.read_notes, call, about="cars") == "There is no note about cars."


async def test_many_notes_are_not_all_read_aloud(call: FakeCall) -> None:
    for number in range(9):
        await do(notes.add_note, call, text=f"number {number}")
    heard = await do(notes.read_notes, call)
    assert heard.startswith("There are 9 notes. The latest 5 are: number 8. number 7.")
    assert "number 3" not in heard


async def test_the_note_that_is_meant_is_deleted(call: FakeCall) -> None:
    for text in ("Buy milk", "Buy bread", "Call Anna"):
        await do(notes.add_note, call, text=text)
    assert await do(notes.delete_note, call, about="milk") == "Deleted: Buy milk."
    assert await do(notes.delete_note, call, about="the last note") == "Deleted: Call Anna."
    assert [note.text for note in Notebook().find()] == ["Buy bread"]
    assert "notes" in call.panels
    assert len(call.panels["notes"].rows) == 1


async def test_when_it_is_not_clear_which_note_is_meant_none_is_deleted(call: FakeCall) -> None:
    for text in ("Buy milk", "Buy bread"):
        await do(notes.add_note, call, text=text)
    with pytest.raises(ToolError, match=r"Which one of 2\? Buy bread\. Buy milk\."):
        await do(notes.delete_note, call, about="buy")
    with pytest.raises(ToolError, match="There is no note about cars"):
        await do(notes.delete_note, call, about="cars")
    with pytest.raises(ToolError, match="Which note should I delete"):
        await do(notes.delete_note, call, about=" ")
    assert len(Notebook().find()) == 2


async def test_what_is_no_note_is_refused(call: FakeCall) -> None:
    with pytest.raises(ToolError, match="What should I write down"):
        await do(notes.add_note, call, text=" \n ")
    with pytest.raises(ToolError, match="too long"):
        await do(notes.add_note, call, text="x" * (MAX_CHARS + 1))


async def test_every_caller_has_a_notebook_of_their_own() -> None:
    anna, ben, nobody = FakeCall(caller="anna"), FakeCall(caller="ben"), FakeCall()
    await do(notes.add_note, anna, text="The door code is 4711")
    await do(notes.add_note, nobody, text="Buy milk")
    for call in (ben, FakeCall(caller="Anna"), FakeCall(caller="' OR 1=1 --")):
        assert await do(notes.read_notes, call) == "There are no notes."
        assert call.panels["notes"].rows == []
        with pytest.raises(ToolError, match="There is no note about door"):
            await do(notes.delete_note, call, about="door")
    assert "4711" not in await do(notes.read_notes, nobody)
    assert "4711" in await do(notes.read_notes, anna)
    assert not Notebook(caller="ben").delete(Notebook(caller="anna").find()[0].id)


def test_one_callers_notes_fill_one_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notebook, "MOST", 1)
    Notebook(caller="anna").add("one")
    with pytest.raises(NotesProblem, match="full"):
        Notebook(caller="anna").add("two")
    Notebook(caller="ben").add("one")
    monkeypatch.setattr(notebook, "MOST_IN_ALL", 2)
    with pytest.raises(NotesProblem, match="full"):
        Notebook(caller="carla").add("one")


def test_notes_from_before_there_were_callers_belong_to_nobody_known() -> None:
    default_path().parent.mkdir(parents=True)
    with sqlite3.connect(default_path()) as database:
        database.execute(
            "CREATE TABLE notes ("
            "id INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT NOT NULL, written TEXT NOT NULL)"
        )
        row = ("Buy milk", "2026-01-01T00:00:00+00:00")
        database.execute("INSERT INTO notes (text, written) VALUES (?, ?)", row)
    database.close()
    assert Notebook(caller="anna").find() == []
    assert [note.text for note in Notebook().find()] == ["Buy milk"]
    Notebook(caller="anna").add("Buy bread")
    assert [note.text for note in Notebook().find()] == ["Buy milk"]


@pytest.mark.skipif(os.name == "nt", reason="POSIX modes")
def test_notes_are_for_their_owners_eyes_alone() -> None:
    Notebook().add("Buy milk")
    with contextlib.closing(sqlite3.connect(default_path())) as holding:
        holding.execute("SELECT count(*) FROM notes").fetchone()  # keeps the log there
        files = sorted(default_path().parent.iterdir())
        assert [file.name for file in files] == ["notes.db", "notes.db-shm", "notes.db-wal"]
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert stat.S_IMODE(default_path().parent.stat().st_mode) == 0o700


@pytest.mark.skipif(os.name == "nt", reason="POSIX modes")
def test_a_notebook_that_everybody_could_read_is_closed_to_them() -> None:
    Notebook().add("Buy milk")
    default_path().chmod(0o644)
    Notebook().find()
    assert stat.S_IMODE(default_path().stat().st_mode) == 0o600


def test_notes_outlive_the_call_and_are_in_a_write_ahead_log() -> None:
    Notebook().add("Buy milk")
    assert [note.text for note in Notebook().find()] == ["Buy milk"]
    with sqlite3.connect(default_path()) as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    database.close()


def test_many_calls_may_write_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notebook, "_BUSY_S", 60.0)  # on a slow disk
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda number: Notebook().add(f"note {number}"), range(40)))
    assert len(Notebook().find()) == 40


async def test_a_file_that_is_no_notebook_is_a_sentence(call: FakeCall) -> None:
    default_path().parent.mkdir(parents=True)
    default_path().write_bytes(b"this is no database" * 100)
    for tool, arguments in (
        (notes.add_note, {"text": "x"}),
        (notes.read_notes, {}),
        (notes.delete_note, {"about": "x"}),
    ):
        with pytest.raises(ToolError, match="I cannot use the notebook: file is not a database"):
            await do(tool, call, **arguments)


async def test_a_damaged_row_is_a_sentence(call: FakeCall) -> None:
    Notebook().add("Buy milk")
    with sqlite3.connect(default_path()) as database:
        database.execute("UPDATE notes SET written = 'once'")
    database.close()
    with pytest.raises(ToolError, match="I cannot use the notebook"):
        await do(notes.read_notes, call)


async def fill(call: FakeCall) -> None:
    for _ in range(20):  # what is full may have room for a few
        await do(notes.add_note, call, text="x" * MAX_CHARS)


@contextlib.contextmanager
def locked(patched: pytest.MonkeyPatch) -> Iterator[None]:
    patched.setattr(notebook, "_BUSY_S", 0.05)
    with contextlib.closing(sqlite3.connect(default_path(), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@contextlib.contextmanager
def full(patched: pytest.MonkeyPatch) -> Iterator[None]:
    connect = sqlite3.connect

    def connect_to_full(*arguments: Any, **options: Any) -> sqlite3.Connection:
        database: sqlite3.Connection = connect(*arguments, **options)
        database.execute("PRAGMA max_page_count = 1")  # as many as there are: not one more
        return database

    patched.setattr(sqlite3, "connect", connect_to_full)
    yield


@contextlib.contextmanager
def read_only(patched: pytest.MonkeyPatch) -> Iterator[None]:
    connect = sqlite3.connect
    uri = f"file:{default_path()}?mode=ro"  # to root, no file is read-only
    patched.setattr(sqlite3, "connect", lambda _, **options: connect(uri, uri=True, **options))
    yield


@pytest.mark.parametrize(
    ("outage", "said"),
    [(locked, "in use elsewhere"), (full, "no room left"), (read_only, "not written")],
)
async def test_a_notebook_that_cannot_be_written_is_a_sentence_and_works_again(
    outage: Callable[[pytest.MonkeyPatch], contextlib.AbstractContextManager[None]],
    said: str,
    call: FakeCall,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await do(notes.add_note, call, text="Buy milk")
    with monkeypatch.context() as patched, outage(patched):
        with pytest.raises(ToolError, match=said) as told:
            await fill(call)
        assert str(default_path()) not in str(told.value)
    await do(notes.add_note, call, text="Buy bread")
    assert [note.text for note in Notebook().find("buy")] == ["Buy bread", "Buy milk"]


@pytest.mark.skipif(os.name == "nt", reason="an open file cannot be deleted")
@pytest.mark.parametrize("what", ["the file", "the folder"])
async def test_a_notebook_that_is_deleted_in_a_call_is_begun_anew(
    what: str, call: FakeCall
) -> None:
    await do(notes.add_note, call, text="Buy milk")
    with contextlib.closing(sqlite3.connect(default_path())) as other:
        other.execute("SELECT count(*) FROM notes").fetchone()  # its log stays there
        if what == "the file":
            default_path().unlink()
        else:
            shutil.rmtree(default_path().parent)
        assert await do(notes.read_notes, call) == "There are no notes."
        await do(notes.add_note, call, text="Buy bread")
    assert [note.text for note in Notebook().find()] == ["Buy bread"]


async def test_a_folder_that_cannot_be_made_is_a_sentence(
    call: FakeCall, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("OMNI_AGENT_HOME", str(tmp_path / "file" / "home"))
    with pytest.raises(ToolError, match="I cannot open the notebook") as told:
        await do(notes.add_note, call, text="x")
    assert str(tmp_path) not in str(told.value)


def test_a_home_is_the_one_of_the_transcripts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("OMNI_AGENT_HOME", "~/kept")
    assert default_path() == tmp_path / "kept/notes.db"


def test_without_a_home_the_users_data_folder_is_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("OMNI_AGENT_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_path() == tmp_path / "omni_agent/notes.db"


# A busy machine is no failure: no deadline, no health check of the clock.
@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(st.text(max_size=30))
def test_any_text_is_kept_as_it_is_or_refused(tmp_path: Path, text: str) -> None:
    book = Notebook(tmp_path / "any.db")
    try:
        written = book.add(text)
    except NotesProblem:
        assert not text.split()
        return
    assert book.find()[0] == written
    assert written in book.find(text)
    assert written.text.split() == text.split()


async def test_a_panel_that_cannot_be_read_costs_nothing(
    call: FakeCall, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user who is told that it went wrong says it again."""
    find = Notebook.find

    def once(notebook: Notebook, about: str = "") -> list[Note]:
        monkeypatch.setattr(Notebook, "find", busy)
        return find(notebook, about)

    def busy(notebook: Notebook, about: str = "") -> list[Note]:
        raise NotesProblem("The notebook is in use elsewhere just now.")

    monkeypatch.setattr(Notebook, "find", busy)
    assert await do(notes.add_note, call, text="Buy milk") == "I wrote that down."
    monkeypatch.setattr(Notebook, "find", once)
    assert await do(notes.read_notes, call) == "There is one note: Buy milk."
    monkeypatch.setattr(Notebook, "find", once)
    assert await do(notes.delete_note, call, about="milk") == "Deleted: Buy milk."
    assert call.panels == {}
    assert find(Notebook()) == []
