"""The file that calls are recorded in: SQLite, readable by its owner only.

Items are keyed by (call, item), since clients choose their items' ids. What is deleted is
overwritten with zeros (``secure_delete``), and the write-ahead log, which still has the words,
is cut; while somebody else reads the file that has to wait, and the log of the program says so.

Nobody but SQLite may open the file of a database: POSIX drops all locks that a process has on
a file when it closes any descriptor of it. Others would take themselves for the last who use
the database then, and delete its write-ahead log.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omni_agent.errors import ConfigError, OmniAgentError
from omni_agent.records.folders import FILES, data_dir, make_private

log = logging.getLogger(__name__)

VERSION = 2
_CALL = "id, persona, caller, started, ended, reason"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS calls (
  id TEXT PRIMARY KEY, persona TEXT NOT NULL, caller TEXT NOT NULL DEFAULT '',
  started REAL NOT NULL, ended REAL, reason TEXT
);
CREATE TABLE IF NOT EXISTS items (
  call TEXT NOT NULL REFERENCES calls(id), id TEXT NOT NULL,
  created REAL NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (call, id)
);
CREATE INDEX IF NOT EXISTS calls_by_time ON calls (started);
"""
# Version 1 (never numbered) called calls sessions, and kept items under their own id alone.
_FROM_1 = """
INSERT INTO calls (id, persona, started, ended, reason)
  SELECT id, persona, started, ended, reason FROM sessions;
INSERT OR IGNORE INTO calls (id, persona, started)
  SELECT session, '', min(created) FROM old_items GROUP BY session;
INSERT INTO items SELECT session, id, created, kind, body FROM old_items ORDER BY created, rowid;
DROP TABLE old_items;
DROP TABLE sessions;
"""


@dataclass(frozen=True, slots=True)
class StoredCall:
    """started, ended: seconds since 1970; ended and reason are None while a call goes on,
    and for good when its server was killed."""

    id: str
    persona: str
    caller: str
    started: float
    ended: float | None = None
    reason: str | None = None

    @property
    def seconds(self) -> float | None:
        """How long it was; None when nobody knows."""
        return None if self.ended is None else self.ended - self.started


@dataclass(frozen=True, slots=True)
class StoredItem:
    """kind: ``user``, ``assistant``, ``system``, ``call`` or ``result``; body: its fields.

    created: seconds since 1970.
    """

    id: str
    kind: str
    created: float
    body: dict[str, Any]


def default_path() -> Path:
    """Where calls are recorded unless somebody says otherwise."""
    return data_dir() / "transcripts.sqlite3"


class Records:
    """One open file of recorded calls. Any thread may use it, one at a time.

    An older file is brought up to date, once. Raises OSError or sqlite3.Error when the
    file cannot be had, and ConfigError when a newer omni_agent wrote it.
    """

    def __init__(self, path: Path, *, timeout_s: float = 5.0) -> None:
        self.path = path
        make_private(path)
        self._database = sqlite3.connect(
            path, isolation_level=None, check_same_thread=False, timeout=timeout_s
        )
        try:
            self._prepare()
        except BaseException:
            self._database.close()
            raise
        self._seen = _marks(path)

    @classmethod
    def opened(cls, path: Path, *, timeout_s: float = 5.0) -> Records:
        """As the constructor, for whoever reads messages. Raises ConfigError."""
        try:
            return cls(path, timeout_s=timeout_s)
        except (OSError, sqlite3.Error) as error:
            raise ConfigError(
                f"{path}: transcripts cannot be kept here: {reason(error)}; move the file away, "
                "name another folder (OMNI_AGENT_HOME), or keep none (serve --no-transcripts)"
            ) from error

    def _prepare(self) -> None:
        run = self._database.execute
        run("PRAGMA secure_delete=ON")
        version = run("PRAGMA user_version").fetchone()[0]
        if version > VERSION:
            raise ConfigError(f"{self.path}: a newer omni_agent wrote this; update this one")
        run("PRAGMA journal_mode=WAL")
        run("PRAGMA synchronous=NORMAL")
        if version < VERSION:
            self._bring_up_to_date()

    def _bring_up_to_date(self) -> None:
        run = self._database.execute
        with self._transaction():
            tables = {name for (name,) in run("SELECT name FROM sqlite_master")}
            steps = _SCHEMA
            if "sessions" in tables:
                run("ALTER TABLE items RENAME TO old_items")
                steps += _FROM_1
            for step in steps.split(";"):
                run(step)
            run(f"PRAGMA user_version = {VERSION}")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All of it or nothing; others who write wait."""
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._database.rollback()
            raise
        self._database.commit()

    def close(self) -> None:
        self._database.close()

    # -- writing ---------------------------------------------------------------------

    @property
    def intact(self) -> bool:
        """Whether the file is still the one that was opened, and a database.

        What is in it is looked at where somebody wrote it since: SQLite does now and then
        only, when it moves its log there.
        """
        try:
            marks = _marks(self.path)
        except OSError:
            return False
        if marks != self._seen and (marks[0] != self._seen[0] or not is_database(self.path)):
            return False
        self._seen = marks
        return True

    def begin(self, call: StoredCall) -> None:
        self._database.execute(
            "INSERT OR IGNORE INTO calls (id, persona, caller, started) VALUES (?, ?, ?, ?)",
            (call.id, call.persona, call.caller, call.started),
        )

    def end(self, session_id: str, at: float, reason: str) -> None:
        self._database.execute(
            "UPDATE calls SET ended = ?, reason = ? WHERE id = ?", (at, reason, session_id)
        )

    def put(self, session_id: str, item_id: str, at: float, kind: str, body: str) -> None:
        """Add an item, or replace the one of this id in this call. body: JSON."""
        self._database.execute(
            "INSERT INTO items (call, id, created, kind, body) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (call, id) DO UPDATE SET kind = excluded.kind, body = excluded.body",
            (session_id, item_id, at, kind, body),
        )

    def remove(self, session_id: str, item_id: str) -> None:
        """Forget an item of a call."""
        self._database.execute("DELETE FROM items WHERE call = ? AND id = ?", (session_id, item_id))

    # -- reading ---------------------------------------------------------------------

    def calls(self, limit: int = -1) -> list[StoredCall]:
        """The newest first; ``limit`` -1 is all."""
        query = "SELECT id, persona, caller, started, ended, reason FROM calls"
        rows = self._database.execute(
            f"{query} ORDER BY started DESC, rowid DESC LIMIT ?", (limit,)
        )
        return [StoredCall(*row) for row in rows]

    def call(self, session_id: str) -> StoredCall | None:
        query = f"SELECT {_CALL} FROM calls WHERE id = ?"
        row = self._database.execute(query, (session_id,)).fetchone()
        return row and StoredCall(*row)

    def items(self, session_id: str) -> Iterator[StoredItem]:
        """A call's items, in order."""
        query = "SELECT id, kind, created, body FROM items WHERE call = ? ORDER BY created, rowid"
        for item_id, kind, created, body in self._database.execute(query, (session_id,)):
            yield StoredItem(item_id, kind, created, json.loads(body))

    # -- deleting --------------------------------------------------------------------

    def delete(self, session_ids: Sequence[str]) -> int:
        """Delete these calls; how many there were."""
        with self._transaction():
            gone = sum(self._delete("id = ?", session_id) for session_id in session_ids)
        return self._wiped(gone)

    def delete_before(self, at: float) -> int:
        """Delete calls that were over before ``at``, or began a day before it and never ended."""
        with self._transaction():
            gone = self._delete("coalesce(ended, started + 86400) < ?", at)
        return self._wiped(gone)

    def _delete(self, which: str, value: object) -> int:
        run = self._database.execute
        run(f"DELETE FROM items WHERE call IN (SELECT id FROM calls WHERE {which})", (value,))
        return run(f"DELETE FROM calls WHERE {which}", (value,)).rowcount

    def _wiped(self, gone: int) -> int:
        if gone:  # the words are in the write-ahead log until it is cut
            busy = self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            if busy:
                log.warning(
                    "%s: what was deleted is in %s-wal still, as another program reads the file; "
                    "it goes with the next deletion, or when all have closed it",
                    self.path,
                    self.path.name,
                )
        return gone


def _marks(path: Path) -> tuple[int, int, int]:
    """Which file it is, first, and what changes when somebody writes it."""
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


def is_database(path: Path, *, new: bool = False) -> bool:
    """Whether there is no file, or one that begins as SQLite's do, its log aside. new: an empty
    one counts, which a full disk leaves behind of one that was to be made.

    SQLite itself is asked, which keeps its descriptors, and so the locks of this process.
    """
    try:
        if path.stat().st_size == 0:
            return new
        address = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
        with closing(sqlite3.connect(address, uri=True)) as beside:
            beside.execute("PRAGMA schema_version")
    except (OSError, sqlite3.Error) as error:  # a checkpoint may be half done: no other is a proof
        return getattr(error, "sqlite_errorcode", 0) != sqlite3.SQLITE_NOTADB
    return True


def set_aside(path: Path) -> None:
    """Rename a damaged file and what belongs to it, out of the way."""
    aside = f"{path.name}.damaged-{int(time.time())}"
    for suffix in FILES:
        with suppress(OSError):
            path.with_name(path.name + suffix).rename(path.with_name(aside + suffix))


def reason(error: Exception) -> str:
    """Why it cannot be written, without paths and words: anybody may read it in /healthz."""
    match error:
        case OSError(strerror=str(why)):
            return why
        case sqlite3.Error():
            return str(error)
        case OmniAgentError():
            return error.public
        case _:
            return type(error).__name__
