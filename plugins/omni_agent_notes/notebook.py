"""Notes in an SQLite file that several calls, and several processes, may use at once.

Every caller has a book of their own in it; callers whom nobody knows share one.
"""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from omni_agent import data_dir, make_private

MAX_CHARS = 1000
MOST = 2000
"""Notes of one caller."""
MOST_IN_ALL = 200_000
_BUSY_S = 5.0
_HAS_CALLERS = "SELECT count(*) FROM pragma_table_info('notes') WHERE name = 'caller'"
_OUTAGES = {
    sqlite3.SQLITE_BUSY: "The notebook is in use elsewhere just now. Try again in a moment.",
    sqlite3.SQLITE_LOCKED: "The notebook is in use elsewhere just now. Try again in a moment.",
    sqlite3.SQLITE_FULL: "There is no room left on the disk for notes.",
    sqlite3.SQLITE_READONLY: "The notebook can be read, but not written.",
}
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
    """``notes.db`` in the data folder. Raises ConfigError."""
    return data_dir() / "notes.db"


class Notebook:
    """One caller's notes, the latest first. Safe from any thread: every use opens its own
    connection.

    Every method raises NotesProblem when the file cannot be used.
    """

    def __init__(self, path: Path | None = None, *, caller: str = "") -> None:
        self.path, self.caller = path or default_path(), caller

    def add(self, text: str) -> Note:
        """Raises NotesProblem for an empty or endless text."""
        words = " ".join(text.split())
        if not words:
            raise NotesProblem("What should I write down?")
        if len(words) > MAX_CHARS:
            raise NotesProblem("That is too long for a note.")
        now = datetime.now(UTC)
        with self._open() as database:
            count, mine = database.execute(
                "SELECT count(*), count(*) FILTER (WHERE caller = ?) FROM notes", (self.caller,)
            ).fetchone()
            if mine >= MOST or count >= MOST_IN_ALL:
                raise NotesProblem("The notebook is full. Delete some notes first.")
            row = database.execute(
                "INSERT INTO notes (caller, text, written) VALUES (?, ?, ?)",
                (self.caller, words, now.isoformat()),
            )
        return Note(int(row.lastrowid or 0), words, now.astimezone())

    def find(self, about: str = "") -> list[Note]:
        """Notes with all of these words (or their beginnings); all notes when there are none."""
        words = [word for word in re.findall(r"\w+", about.lower()) if word not in _SMALL]
        with self._open() as database:
            rows = database.execute(
                "SELECT id, text, written FROM notes WHERE caller = ? ORDER BY id DESC",
                (self.caller,),
            )
            return [
                Note(number, text, datetime.fromisoformat(written).astimezone())
                for number, text, written in rows
                if all(_occurs(word, text) for word in words)
            ]

    def delete(self, number: int) -> bool:
        """False when there is no such note (any more)."""
        with self._open() as database:
            row = (number, self.caller)
            done = database.execute("DELETE FROM notes WHERE id = ? AND caller = ?", row)
            return done.rowcount > 0

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """A connection in one transaction of its own, closed in the end."""
        try:
            make_private(self.path)
            database = sqlite3.connect(self.path, timeout=_BUSY_S, isolation_level=None)
        except (OSError, sqlite3.Error) as error:
            reason = getattr(error, "strerror", None) or error  # an OSError's text has the path
            raise NotesProblem(f"I cannot open the notebook: {reason}.") from error
        try:
            _begin(database)
            yield database
            database.execute("COMMIT")
        except (sqlite3.Error, ValueError) as error:  # ValueError: a date that is none
            outage = _OUTAGES.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)
            raise NotesProblem(outage or f"I cannot use the notebook: {error}.") from error
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
                "id INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT NOT NULL, written TEXT NOT NULL, "
                "caller TEXT NOT NULL DEFAULT '')"
            )
            if not database.execute(_HAS_CALLERS).fetchone()[0]:  # from before there were any
                database.execute("ALTER TABLE notes ADD COLUMN caller TEXT NOT NULL DEFAULT ''")
            database.execute("CREATE INDEX IF NOT EXISTS notes_of ON notes (caller)")
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
