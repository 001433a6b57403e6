"""A model process ends with the process that started it."""

from __future__ import annotations

import ctypes
import signal
import sys

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def die_with_parent() -> None:
    """A killed parent must not leave gigabytes behind. Linux only: elsewhere a line that closes
    has to see to it.

    The parent is the thread that started this process; its end counts, too.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
