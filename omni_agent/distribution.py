"""The name this package is installed by, where it came from, and commands that can be pasted.

It is imported as ``omni_agent``; ``omni-agent`` on the package index is somebody else's
empty package.
"""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

NAME = "omni-voice-agent"


def install(*extras: str) -> str:
    """The command that installs the package with these extras, from where it was installed."""
    wanted = f"[{','.join(extras)}]"
    origin = _origin()
    folder = _folder(origin)
    if folder is None:
        return f"pip install '{NAME}{wanted}'"
    editable = "-e " if origin.get("dir_info", {}).get("editable") else ""
    return f"pip install {editable}{shlex.quote(folder + wanted)}"


def program(name: str) -> str:
    """How a program of this environment is called: its path, where the shell would not find it."""
    beside = Path(sys.executable).with_name(name)
    return name if shutil.which(name) or not beside.exists() else shlex.quote(str(beside))


def _origin() -> dict[str, Any]:
    """What was installed, as installers note it (PEP 610); empty for a package of the index."""
    try:
        noted = json.loads(distribution(NAME).read_text("direct_url.json") or "{}")
    except (PackageNotFoundError, OSError, ValueError):
        return {}
    return noted if isinstance(noted, dict) else {}


def _folder(origin: dict[str, Any]) -> str | None:
    """The folder that was installed, where it was one and is there still."""
    url = urlsplit(str(origin.get("url", "")))
    folder = url2pathname(url.path)
    return folder if url.scheme == "file" and Path(folder, "pyproject.toml").is_file() else None
