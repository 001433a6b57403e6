"""No text of a model or a user keeps the event loop longer than its length explains."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.hostile_text import READERS

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.skipif(sys.platform == "win32", reason="the limit is the kernel's")
@pytest.mark.parametrize("reader", READERS)
def test_the_work_that_a_text_makes_grows_with_its_length(reader: str) -> None:
    read = subprocess.run(
        [sys.executable, "-m", "tests.hostile_text", reader],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    last = read.stdout.splitlines()[-1:]
    assert last == ["all read"], f"{last or read.stderr} takes {reader!r} too long"
