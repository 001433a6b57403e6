"""Servers of a test answer, however long the machine was busy with something else."""

from __future__ import annotations

import httpx
import pytest

from omni_agent.engines.remote.servers import Patience


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No limit to a connection or a probe; those to a word are the tests'."""
    monkeypatch.setattr(Patience, "timeout", httpx.Timeout(None))
    monkeypatch.setattr("omni_agent.engines.remote.servers._PROBE_S", 60.0)
