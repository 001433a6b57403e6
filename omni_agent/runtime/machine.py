"""What this process may use of the machine it runs on: processors, memory, a home.

A container is told the machine's own numbers by most interfaces; its limits are in the
control groups (Linux, Documentation/admin-guide/cgroup-v2.rst: cpu.max, memory.max).
"""

from __future__ import annotations

import math
import os
from contextlib import suppress
from pathlib import Path

from omni_agent.errors import ConfigError

CGROUP = Path("/sys/fs/cgroup")


def home_folder(instead: str) -> Path:
    """The user's. Raises ConfigError, naming the variable that would do, for one without."""
    try:
        return Path.home()
    except RuntimeError as error:
        raise ConfigError(f"this user has no home folder: set {instead} to a folder") from error


def cores() -> int:
    """Processors, at least 1: those this process may run on, or its share of them, rounded up."""
    allowed = os.cpu_count() or 1
    with suppress(AttributeError, OSError):  # not on macOS
        allowed = len(os.sched_getaffinity(0))
    quota, _, period = _read("cpu.max").partition(" ")
    if quota.isdecimal() and period.strip().isdecimal():
        allowed = min(allowed, math.ceil(int(quota) / int(period)))
    return max(1, allowed)


def memory() -> float:
    """Memory in GiB: the machine's, or what the container may use of it."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        if (limit := _read(name)).isdecimal():
            total = min(total, int(limit))
    return total / 2**30


def _read(name: str) -> str:
    try:
        return (CGROUP / name).read_text().strip()
    except OSError:
        return ""
