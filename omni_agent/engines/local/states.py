"""Saved KV states of prompt prefixes, so that a second start need not compute them."""

from __future__ import annotations

import hashlib
import logging
import os
import time
from contextlib import suppress
from pathlib import Path

from omni_agent.runtime.machine import home_folder

log = logging.getLogger(__name__)

MOST_FILES, MOST_BYTES = 16, 512 << 20
"""One takes 21 MB with the 1.5B model and a persona with five tools."""
_ABANDONED_S = 3600.0
"""An unfinished file that is older was left by a process that died."""


def states_folder() -> Path:
    """``$XDG_CACHE_HOME/omni_agent/states`` (``~/.cache`` when unset).

    Raises ConfigError for a user without a home.
    """
    cache = os.environ.get("XDG_CACHE_HOME")
    known = cache and Path(cache).is_absolute()
    root = Path(cache or "") if known else home_folder("XDG_CACHE_HOME") / ".cache"
    return root / "omni_agent" / "states"


class SavedStates:
    """A bounded folder of states, the longest unused ones going first."""

    def __init__(self, folder: Path, model: Path, fingerprint: str) -> None:
        """fingerprint: whatever else a state depends on (runtime version, context)."""
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._prune()
        except OSError as error:  # then nothing is kept
            log.warning("personas are read anew at each start: %s", error)
        status = model.stat()
        self._model = f"{model.name}/{status.st_size}/{status.st_mtime_ns}/{fingerprint}"

    def name(self, prefix: str) -> str:
        """The file name for a prefix's state."""
        return hashlib.sha256(f"{self._model}\0{prefix}".encode()).hexdigest()[:32] + ".kv"

    def has(self, name: str) -> bool:
        return (self.folder / name).is_file()

    def keep(self, written: str, name: str) -> None:
        """Move a freshly written file to its name, atomically, and make room."""
        os.replace(self.folder / written, self.folder / name)
        self._prune()

    def touch(self, name: str) -> None:
        with suppress(OSError):
            os.utime(self.folder / name)

    def forget(self, name: str) -> None:
        with suppress(OSError):
            (self.folder / name).unlink(missing_ok=True)

    def _prune(self) -> None:
        """Other processes may be at it, too: what is gone already does not matter."""
        for path, status in _files(self.folder, "*.tmp"):
            if status.st_mtime < time.time() - _ABANDONED_S:
                path.unlink(missing_ok=True)
        size = 0
        kept = sorted(_files(self.folder, "*.kv"), key=lambda file: -file[1].st_mtime_ns)
        for number, (path, status) in enumerate(kept):
            size += status.st_size
            if number >= MOST_FILES or (size > MOST_BYTES and number):
                path.unlink(missing_ok=True)


def _files(folder: Path, pattern: str) -> list[tuple[Path, os.stat_result]]:
    found = []
    for path in folder.glob(pattern):
        with suppress(FileNotFoundError):
            found.append((path, path.stat()))
    return found
