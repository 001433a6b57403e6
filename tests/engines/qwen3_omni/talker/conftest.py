"""A tiny random checkpoint, loaded once; the whole folder needs torch."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import pytest

if find_spec("torch") is None:
    collect_ignore_glob = ["test_*.py"]
else:
    import torch

    if not torch.cuda.is_available():
        # Triton reads it when first imported: kernels then run on the CPU, interpreted.
        os.environ.setdefault("TRITON_INTERPRET", "1")

    from omni_agent.engines.qwen3_omni.talker.tiny import make_tiny
    from omni_agent.engines.qwen3_omni.talker.weights import TalkerWeights, load

    # One core, and products whose order of summation does not depend on the machine's count.
    torch.set_num_threads(1)

    @pytest.fixture(scope="session")
    def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
        return make_tiny(tmp_path_factory.mktemp("tiny"))

    @pytest.fixture(scope="session")
    def weights(checkpoint: Path) -> TalkerWeights:
        """As stored. Read only."""
        return load(checkpoint)

    @pytest.fixture(scope="session")
    def endless(checkpoint: Path) -> TalkerWeights:
        """The same, but the codec's eos is never likely: speech lasts to its frame limit."""
        return _without_end(checkpoint)

    @pytest.fixture(scope="session")
    def endless_bf16(tmp_path_factory: pytest.TempPathFactory) -> TalkerWeights:
        """``endless``, stored as the published checkpoint is: a CPU keeps half its bytes."""
        directory = tmp_path_factory.mktemp("bf16")
        return _without_end(make_tiny(directory, dtype=torch.bfloat16))

    @pytest.fixture(scope="session")
    def endless_plain(checkpoint: Path) -> TalkerWeights:
        """``endless``, its weights as they lie on a GPU, for the kernels."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
            return _without_end(checkpoint)

    def _without_end(checkpoint: Path) -> TalkerWeights:
        endless = load(checkpoint)
        endless.backbone.codec_head.weight[endless.config.talker_config.codec_eos_token_id] = 0
        return endless
