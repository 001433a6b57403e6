"""The pytest plugin (loaded by its entry point): fixtures for conversation tests."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture
def rehearse_call() -> Any:
    """:func:`omni_agent.testing.rehearse`, for tests that like fixtures better than imports."""
    from omni_agent.testing import rehearse

    return rehearse
