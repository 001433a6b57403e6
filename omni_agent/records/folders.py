"""Where things are kept, and for whose eyes."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path

from omni_agent.errors import ConfigError
from omni_agent.runtime.machine import home_folder

FILES = ("", "-wal", "-shm")
"""Endings of the files of one database."""
_making = threading.Lock()


def data_dir() -> Path:
    """Where omni_agent keeps what users would miss: OMNI_AGENT_HOME or the XDG data folder.

    Raises ConfigError for the home of a user who does not exist.
    """
    home = os.environ.get("OMNI_AGENT_HOME")
    if home:
        try:
            return Path(home).expanduser()
        except RuntimeError as error:
            raise ConfigError(f"OMNI_AGENT_HOME={home}: there is no such user") from error
    base = os.environ.get("XDG_DATA_HOME")
    return (
        Path(base) if base else home_folder("OMNI_AGENT_HOME") / ".local" / "share"
    ) / "omni_agent"


def make_private(path: Path) -> None:
    """Make an SQLite file, and the folder where there is none, for this user alone.

    Raises OSError when there can be none.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _making, suppress(FileExistsError):  # nobody here connects to it before it is closed
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    ours = [path.with_name(path.name + suffix) for suffix in FILES]
    if path.parent == data_dir() and path.parent.name == "omni_agent":
        ours.append(path.parent)
    for one in ours:
        with suppress(FileNotFoundError, PermissionError):  # not there yet; somebody else's
            one.chmod(0o700 if one.is_dir() else 0o600)
