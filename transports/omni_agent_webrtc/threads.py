"""Keeps FFmpeg from starting threads nobody needs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def one_cpu() -> Iterator[None]:
    """Within this, the calling thread may run on one CPU only (Linux; elsewhere nothing happens).

    FFmpeg sizes its thread pools by the CPUs it is allowed when a codec is opened:
    a 20 ms Opus frame never profits from a pool, and every call would add one.
    """
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    allowed = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(allowed)})
    except OSError:  # a sandbox may forbid it; threads are only a waste
        yield
        return
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)
