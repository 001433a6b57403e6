"""Saved KV states of prompt prefixes, so that a second start need not compute them."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path

_MOST_FILES = 8
_MOST_BYTES = 512 << 20


def states_folder() -> Path:
    """``$XDG_CACHE_HOME/omni_agent/states`` (``~/.cache`` when unset)."""
    cache = os.environ.get("XDG_CACHE_HOME")
    root = Path(cache) if cache and Path(cache).is_absolute() else Path.home() / ".cache"
    return root / "omni_agent" / "states"


class SavedStates:
    """A bounded folder of states, the longest unused ones going first."""

    def __init__(self, folder: Path, model: Path, fingerprint: str) -> None:
        """fingerprint: whatever else a state depends on (runtime version, context)."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
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
        (self.folder / name).unlink(missing_ok=True)

    def _prune(self) -> None:
        files = sorted(self.folder.glob("*.kv"), key=lambda path: -path.stat().st_mtime_ns)
        size = 0
        for number, path in enumerate(files):
            size += path.stat().st_size
            if number >= _MOST_FILES or (size > _MOST_BYTES and number):
                path.unlink(missing_ok=True)
