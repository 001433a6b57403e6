"""Hidden states on their way from the Thinker's process to the Talker's: files in shared memory.

Whoever asks for a prompt makes a file of the right size and names it in the request;
the engine writes rows into files that it finds and never makes one. So a request
that was cancelled, whose file is gone, leaves nothing behind, whatever was under way.

A file is a header (rows written, width, bytes per number; three little-endian
int64) and the rows. The header is written last: rows that can be seen are whole.
"""

from __future__ import annotations

import mmap
import os
import shutil
import struct
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_HEADER = struct.Struct("<qqq")
_PREFIX = "omni-agent-"
_MEMORY = Path("/dev/shm")


@dataclass(frozen=True, slots=True)
class Rows:
    """Hidden states as stored: rows x width numbers of ``itemsize`` bytes (2: bf16, 4: fp32)."""

    rows: int
    width: int
    itemsize: int
    data: bytes


class Shelf:
    """A directory in shared memory that belongs to one process and goes with it."""

    def __init__(self, root: Path | None = None) -> None:
        memory = root or (_MEMORY if _MEMORY.is_dir() else Path(tempfile.gettempdir()))
        for left in _abandoned(memory):
            shutil.rmtree(left, ignore_errors=True)
        self.path = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=memory))

    def make(self, name: str, rows: int, width: int, itemsize: int) -> Path:
        """An empty file for this many rows. Raises OSError when the memory is full."""
        path = self.path / name
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
        (self.path / name).unlink(missing_ok=True)

    def close(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)


def put(directory: Path, name: str, width: int, itemsize: int, data: memoryview) -> bool:
    """Write rows into the file that waits for them; False when nobody waits any more.

    Raises ValueError when they do not fit the file, or the name leaves the directory.
    """
    if Path(name).name != name:
        raise ValueError(f"not a file name: {name!r}")
    try:
        with (directory / name).open("r+b") as file:
            size = os.fstat(file.fileno()).st_size
            if size != _HEADER.size + data.nbytes:
                raise ValueError(f"{name} holds {size - _HEADER.size} bytes, not {data.nbytes}")
            with mmap.mmap(file.fileno(), 0) as memory:
                memory[_HEADER.size :] = data
                rows = data.nbytes // (width * itemsize) if width else 0
                memory[: _HEADER.size] = _HEADER.pack(rows, width, itemsize)
    except FileNotFoundError:
        return False
    return True


def take(path: Path) -> Rows | None:
    """The rows of a file, which is then removed; None when they were not written."""
    with suppress(FileNotFoundError):
        data = path.read_bytes()
        path.unlink(missing_ok=True)
        if len(data) >= _HEADER.size:
            rows, width, itemsize = _HEADER.unpack_from(data)
            body = data[_HEADER.size :]
            if rows and rows * width * itemsize == len(body):
                return Rows(rows, width, itemsize, body)
    return None


def _abandoned(memory: Path) -> Iterator[Path]:
    """Shelves of processes that are no more."""
    for path in memory.glob(f"{_PREFIX}*"):
        pid = path.name.removeprefix(_PREFIX).partition("-")[0]
        if pid.isdigit() and not _alive(int(pid)):
            yield path


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
