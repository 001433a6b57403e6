"""Notes in an SQLite file that several calls, and several processes, may use at once."""

from __future__ import annotations

import os
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

MAX_CHARS = 1000
MOST = 2000
_BUSY_S = 5.0
_SMALL = frozenset("a an the my me i you of about note notes is was".split())  # noqa: SIM905  # readable


class NotesProblem(Exception):
    """The message is a sentence for the user."""


@dataclass(frozen=True, slots=True)
class Note:
    id: int
    text: str
    written: datetime
    """In the machine's own time zone."""


def default_path() -> Path:
    """``notes.db`` in OMNI_AGENT_HOME, or in the user's data folder (XDG)."""
    if home := os.environ.get("OMNI_AGENT_HOME"):
        return Path(home).expanduser() / "notes.db"
    data = os.environ.get("XDG_DATA_HOME")
    return (Path(data) if data else Path.home() / ".local/share") / "omni_agent" / "notes.db"


class Notebook:
    """Notes, the latest first. Safe from any thread: every use opens its own connection.

    Every method raises NotesProblem when the file cannot be used.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or default_path()

    def add(self, text: str) -> Note:
        """Raises NotesProblem for an empty or endless text."""
        words = " ".join(text.split())
        if not words:
            raise NotesProblem("What should I write down?")
        if len(words) > MAX_CHARS:
            raise NotesProblem("That is too long for a note.")
        now = datetime.now(UTC)
        with self._open() as database:
            (count,) = database.execute("SELECT count(*) FROM notes").fetchone()
            if count >= MOST:
                raise NotesProblem("The notebook is full. Delete some notes first.")
            row = database.execute(
                "INSERT INTO notes (text, written) VALUES (?, ?)", (words, now.isoformat())
            )
        return Note(int(row.lastrowid or 0), words, now.astimezone())

    def find(self, about: str = "") -> list[Note]:
        """Notes with all of these words (or their beginnings); all notes when there are none."""
        words = [word for word in re.findall(r"\w+", about.lower()) if word not in _SMALL]
        with self._open() as database:
            rows = database.execute("SELECT id, text, written FROM notes ORDER BY id DESC")
            return [
                Note(number, text, datetime.fromisoformat(written).astimezone())
                for number, text, written in rows
                if all(_occurs(word, text) for word in words)
            ]

    def delete(self, number: int) -> bool:
        """False when there is no such note (any more)."""
        with self._open() as database:
            return database.execute("DELETE FROM notes WHERE id = ?", (number,)).rowcount > 0

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """A connection in one transaction of its own, closed in the end."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            database = sqlite3.connect(self.path, timeout=_BUSY_S, isolation_level=None)
        except (OSError, sqlite3.Error) as error:
            raise NotesProblem(f"I cannot open the notebook: {error}.") from error
        try:
            _begin(database)
            yield database
            database.execute("COMMIT")
        except (sqlite3.Error, ValueError) as error:  # ValueError: a date that is none
            raise NotesProblem(f"I cannot use the notebook: {error}.") from error
        finally:
            database.close()  # rolls back what was not committed


def _begin(database: sqlite3.Connection) -> None:
    """Make sure of the tables and take the write lock, waiting for others up to _BUSY_S.

    SQLite's own timeout does not cover switching to WAL, nor the moment in which
    the last connection of another thread cleans its log up.
    """
    deadline = time.monotonic() + _BUSY_S
    while True:
        try:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("BEGIN IMMEDIATE")
            database.execute(
                "CREATE TABLE IF NOT EXISTS notes ("
                "id INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT NOT NULL, written TEXT NOT NULL)"
            )
            return
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
            if not busy or database.in_transaction or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _occurs(word: str, text: str) -> bool:
    """Whether a word of the text begins like this one; a plural finds its singular."""
    stem = word[:-1] if len(word) > 3 and word.endswith("s") else word
    return any(other.startswith(stem) for other in re.findall(r"\w+", text.lower()))
