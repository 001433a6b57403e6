"""What tests of plugins share."""

from __future__ import annotations

import pytest

from omni_agent.registry import containment


@pytest.fixture(autouse=True)
def no_hook_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine is no failure: time stands still where a test does not say otherwise."""
    monkeypatch.setattr(containment, "perf_counter", lambda: 0.0)
