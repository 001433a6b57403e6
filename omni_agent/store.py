"""Transcripts that survive a crash: every item as it happens, in SQLite (WAL).

Writes go through one thread, in order, so the event loop never waits for a disk.
A write costs no fsync of its own: the process may die at any time and lose
nothing already written; a power cut may lose the last moments.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from omni_agent import events
from omni_agent.conversation import Item, Message, ToolCall
from omni_agent.errors import ConfigError

log = logging.getLogger(__name__)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS sessions (
  id TEXT PRIMARY KEY, persona TEXT NOT NULL, started REAL NOT NULL, ended REAL, reason TEXT
);
CREATE TABLE IF NOT EXISTS items (
  id TEXT PRIMARY KEY, session TEXT NOT NULL REFERENCES sessions(id),
  created REAL NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS items_of_session ON items (session, created);
"""


@dataclass(frozen=True, slots=True)
class StoredItem:
    """kind: ``user``, ``assistant``, ``system``, ``call`` or ``result``; body: its fields."""

    id: str
    kind: str
    body: dict[str, Any]


def data_dir() -> Path:
    """Where omni_agent keeps what users would miss: OMNI_AGENT_HOME or the XDG data folder."""
    home = os.environ.get("OMNI_AGENT_HOME")
    if home:
        return Path(home)
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "omni_agent"


class TranscriptStore:
    """Give ``record`` to sessions as an observer. Raises ConfigError if it cannot be opened."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or data_dir() / "transcripts.sqlite3"
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="transcripts")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._database: sqlite3.Connection = self._thread.submit(self._open).result()
        except (OSError, sqlite3.Error) as error:
            self._thread.shutdown()
            raise ConfigError(f"{self.path}: transcripts cannot be kept here: {error}") from error

    def _open(self) -> sqlite3.Connection:
        database = sqlite3.connect(self.path, isolation_level=None)
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=NORMAL")
        database.executescript(_SCHEMA)
        return database

    def record(self, session_id: str, event: events.Event) -> None:
        """An observer: keeps items and the life of sessions."""
        now = time.time()
        match event:
            case events.SessionStarted():
                self._write(
                    "INSERT OR IGNORE INTO sessions (id, persona, started) VALUES (?, ?, ?)",
                    (session_id, event.persona, now),
                )
            case events.SessionEnded():
                self._write(
                    "UPDATE sessions SET ended = ?, reason = ? WHERE id = ?",
                    (now, event.reason, session_id),
                )
            case events.ItemAdded():
                kind, body = _row(event.item)
                self._write(
                    "INSERT INTO items (id, session, created, kind, body) VALUES (?, ?, ?, ?, ?) "
                    "ON CONFLICT (id) DO UPDATE SET body = excluded.body",
                    (event.item.id, session_id, now, kind, json.dumps(body, default=str)),
                )
            case _:
                pass

    def _write(self, statement: str, values: tuple[Any, ...]) -> None:
        future = self._thread.submit(self._database.execute, statement, values)
        future.add_done_callback(_log_failure)

    def items(self, session_id: str) -> list[StoredItem]:
        """The items of a session, in order."""
        query = "SELECT id, kind, body FROM items WHERE session = ? ORDER BY created, rowid"
        rows = self._thread.submit(
            lambda: self._database.execute(query, (session_id,)).fetchall()
        ).result()
        return [StoredItem(item_id, kind, json.loads(body)) for item_id, kind, body in rows]

    def sessions(self, limit: int = 20) -> list[tuple[str, str, float, str | None]]:
        """(id, persona, started as Unix seconds, reason or None), newest first."""
        query = "SELECT id, persona, started, reason FROM sessions ORDER BY started DESC LIMIT ?"
        return self._thread.submit(
            lambda: self._database.execute(query, (limit,)).fetchall()
        ).result()

    def close(self) -> None:
        """Write what waits, and close."""
        self._thread.submit(self._database.close).result()
        self._thread.shutdown()


def _log_failure(future: Future[Any]) -> None:
    error = future.exception()
    if error is not None:
        log.error("a transcript could not be written: %s", error)


def _row(item: Item) -> tuple[str, dict[str, Any]]:
    if isinstance(item, Message):
        return item.role, {"text": item.text, "interrupted": item.interrupted}
    body = asdict(item)
    del body["id"]
    return ("call" if isinstance(item, ToolCall) else "result"), body
