"""A folder of Markdown files, in SQLite's full text search (FTS5)."""

import os
import re
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

MOST_CHARS = 600
"""Of a passage: about 150 tokens, which the Thinker reads once and keeps."""
MOST_FILES, MOST_BYTES = 5000, 1_000_000
"""Files, and bytes of each; what is beyond is not on the shelf."""
MOST_WORDS = 50
"""Of what is looked up."""
RARE = 0.25
"""A word that more than this part of all passages have (and more than two) finds none."""
_HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$")


@dataclass(frozen=True)
class Passage:
    source: str
    heading: str
    text: str

    def __str__(self) -> str:
        return f"{self.heading or self.source}: {self.text}"


class Shelf:
    """For any thread. The index is in memory, and made anew when a file changes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: object = None
        self._lock = threading.Lock()
        self._index = sqlite3.connect(":memory:", check_same_thread=False)

    def look_up(self, words: str, most: int) -> Sequence[Passage]:
        """The passages that say most about the rare ones among these words."""
        with self._lock:
            self._refresh()
            # Quoted, a word is no operator, column or wildcard of FTS5's query language.
            quoted = [f'"{word}"' for word in dict.fromkeys(re.findall(r"\w\w+", words))]
            if not (clues := [word for word in quoted[:MOST_WORDS] if self._is_rare(word)]):
                return ()
            rows = self._index.execute(
                "SELECT source, heading, text FROM passages WHERE passages MATCH ? "
                "ORDER BY bm25(passages, 1, 3, 1) LIMIT ?",
                (" OR ".join(clues), most),
            )
            return [Passage(*row) for row in rows]

    def _is_rare(self, word: str) -> bool:
        count = "SELECT count(*) FROM passages WHERE passages MATCH ?"
        (having,) = self._index.execute(count, (word,)).fetchone()
        return 0 < having <= max(2, int(RARE * self._size))

    def _refresh(self) -> None:
        files = sorted(self._folder.rglob("*.md"))[:MOST_FILES]
        seen = [(file, stat.st_mtime_ns, stat.st_size) for file in files if (stat := _stat(file))]
        if seen == self._seen:
            return
        self._index.executescript(
            "DROP TABLE IF EXISTS passages; CREATE VIRTUAL TABLE passages USING "
            "fts5(source, heading, text, tokenize = 'porter unicode61 remove_diacritics 2')"
        )
        passages = [
            each for file, _, size in seen if size <= MOST_BYTES for each in _passages(file)
        ]
        rows = [(each.source, each.heading, each.text) for each in passages]
        self._index.executemany("INSERT INTO passages VALUES (?, ?, ?)", rows)
        self._seen, self._size = seen, len(rows)


def _stat(file: Path) -> os.stat_result | None:
    with suppress(OSError):  # deleted meanwhile
        return file.stat()
    return None


def _passages(file: Path) -> Iterator[Passage]:
    """What stands under each heading, whole paragraphs as far as they fit."""
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # deleted meanwhile, or not ours to read
        return
    heading, text = "", ""
    for line in [*lines, "# "]:
        found = _HEADING.match(line)
        ends = found or line == "# " or (not line.strip() and len(text) > MOST_CHARS // 2)
        if (ends or len(text) + len(line) > MOST_CHARS) and text.strip():
            yield Passage(file.stem, heading, text.strip())
            text = ""
        if found:
            heading = found[1]
        else:
            text += f"{line.strip()[:MOST_CHARS]} "
