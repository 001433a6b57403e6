"""The name this package is installed by, where it came from, and commands that can be pasted.

It is imported as ``omni_agent``; ``omni-agent`` on the package index is somebody else's
empty package.
"""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

NAME = "omni-voice-agent"


def install(*extras: str) -> str:
    """The command that installs the package with these extras, from where it was installed."""
    wanted = f"[{','.join(extras)}]"
    origin = _origin()
    if folder := _folder(origin):
        editable = "-e " if _part(origin, "dir_info").get("editable") else ""
        return f"pip install {editable}{shlex.quote(folder + wanted)}"
    url = _url(origin)
    return "pip install " + shlex.quote(f"{NAME}{wanted}" + (f" @ {url}" if url else ""))


def program(name: str) -> str:
    """How a program of this environment is called: its path, where the shell would not find it."""
    beside = Path(sys.executable).with_name(name)
    return name if shutil.which(name) or not beside.exists() else shlex.quote(str(beside))


def _origin() -> dict[str, Any]:
    """What was installed, as installers note it (PEP 610); empty for a package of the index."""
    from importlib.metadata import PackageNotFoundError, distribution  # slow, and rarely needed

    try:
        noted = json.loads(distribution(NAME).read_text("direct_url.json") or "{}")
    except (PackageNotFoundError, OSError, ValueError):
        return {}
    return noted if isinstance(noted, dict) else {}


def _folder(origin: dict[str, Any]) -> str | None:
    """The folder that was installed, where it was one and is there still."""
    url = urlsplit(str(origin.get("url") or ""))
    folder = unquote(url.path)
    return folder if url.scheme == "file" and Path(folder, "pyproject.toml").is_file() else None


def _url(origin: dict[str, Any]) -> str:
    """What pip takes after an ``@``: a repository's commit, or an archive that is not here."""
    url, vcs = str(origin.get("url") or ""), _part(origin, "vcs_info")
    if vcs:
        return f"{vcs.get('vcs', 'git')}+{url}@{vcs.get('commit_id', 'HEAD')}"
    return "" if url.startswith("file:") else url


def _part(origin: dict[str, Any], name: str) -> dict[str, Any]:
    part = origin.get(name)
    return part if isinstance(part, dict) else {}
