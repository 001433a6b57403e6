"""Models for tests that need them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from omni_agent.errors import ModelStoreError
from omni_agent.models import ModelStore


@pytest.fixture(scope="session")
def model_path() -> Callable[[str], Path]:
    """A model of the store by name; the test is skipped when it was not fetched."""

    def find(name: str) -> Path:
        try:
            return ModelStore().path(name)
        except ModelStoreError as error:
            pytest.skip(str(error))

    return find
