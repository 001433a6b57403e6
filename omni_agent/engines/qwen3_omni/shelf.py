"""Hidden states on their way from the Thinker's process to the Talker's: files in shared memory.

The Thinker's process makes a file of the right size under the name that the request gave
it; the engine writes rows into files that it finds and never makes one; whoever asked
takes the file away. So a request that was cancelled, whose file is gone, leaves nothing
behind, whatever was under way.

A file is a header (rows written, width, bytes per number; three little-endian
int64) and the rows. The header is written last: rows that can be seen are whole.

A living process holds a lock on its shelf. Its process id would not do: containers that
share the memory (``--ipc=host``, as vLLM's are run) number their processes for themselves.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import shutil
import struct
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_HEADER = struct.Struct("<qqq")
_PREFIX = "omni-agent-shelf-"
_MEMORY = Path("/dev/shm")


@dataclass(frozen=True, slots=True)
class Rows:
    """Hidden states as stored: rows x width numbers of ``itemsize`` bytes (2: bf16, 4: fp32)."""

    rows: int
    width: int
    itemsize: int
    data: bytearray | memoryview


class Shelf:
    """A directory in shared memory that belongs to one process and goes with it."""

    def __init__(self, root: Path | None = None) -> None:
        memory = root or (_MEMORY if _MEMORY.is_dir() else Path(tempfile.gettempdir()))
        for left in memory.glob(f"{_PREFIX}*"):
            _clear(left)
        self.path, self._lock = _new(memory)

    def make(self, name: str, rows: int, width: int, itemsize: int) -> Path:
        """An empty file for this many rows. Raises OSError when the memory is full."""
        path = _inside(self.path, name)
        size = _HEADER.size + rows * width * itemsize
        with path.open("xb") as file:
            try:
                os.posix_fallocate(file.fileno(), 0, size)
            except OSError:
                path.unlink(missing_ok=True)
                raise
        return path

    def names(self) -> list[str]:
        return sorted(path.name for path in self.path.iterdir())

    def remove(self, name: str) -> None:
        _inside(self.path, name).unlink(missing_ok=True)

    def close(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        self._lock.close()


def put(directory: Path, name: str, width: int, itemsize: int, data: memoryview) -> bool:
    """Write rows into the file that waits for them; False when nobody waits any more.

    Raises ValueError when they do not fit the file, or the name leaves the directory.
    """
    path = _inside(directory, name)
    rows, rest = divmod(data.nbytes, width * itemsize)
    if rest:
        raise ValueError(f"{data.nbytes} bytes are no rows of {width} x {itemsize}")
    try:
        with path.open("r+b") as file:
            size = os.fstat(file.fileno()).st_size
            if size != _HEADER.size + data.nbytes:
                raise ValueError(f"{name} holds {size - _HEADER.size} bytes, not {data.nbytes}")
            with mmap.mmap(file.fileno(), 0) as memory:
                memory[_HEADER.size :] = data
                memory[: _HEADER.size] = _HEADER.pack(rows, width, itemsize)
    except FileNotFoundError:
        return False
    return True


def take(path: Path) -> Rows | None:
    """The rows of a file, which is then removed; None when they were not written."""
    with suppress(FileNotFoundError):
        with path.open("rb") as file:
            data = bytearray(os.fstat(file.fileno()).st_size)
            file.readinto(data)
        path.unlink(missing_ok=True)
        if len(data) >= _HEADER.size:
            rows, width, itemsize = _HEADER.unpack_from(data)
            body = memoryview(data)[_HEADER.size :]
            if rows and rows * width * itemsize == len(body):
                return Rows(rows, width, itemsize, body)
    return None


def _inside(directory: Path, name: str) -> Path:
    """Raises ValueError for anything but a file's name."""
    if name in ("", "..") or Path(name).name != name:
        raise ValueError(f"not a file name: {name!r}")
    return directory / name


def _new(memory: Path) -> tuple[Path, _Lock]:
    while True:
        path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=memory))
        with suppress(FileNotFoundError):  # cleared by another process before it was locked
            lock = _Lock(path, wait=True)
            if path.is_dir():
                return path, lock
            lock.close()


def _clear(path: Path) -> None:
    """Remove a shelf that no living process holds."""
    with suppress(OSError):
        lock = _Lock(path, wait=False)
        shutil.rmtree(path, ignore_errors=True)
        lock.close()


class _Lock:
    """Held until it is closed or the process ends. Raises OSError when another has it."""

    def __init__(self, directory: Path, *, wait: bool) -> None:
        self._file = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
