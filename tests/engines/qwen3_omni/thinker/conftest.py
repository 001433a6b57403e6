"""One Thinker for the folder, vLLM's CPU build on a tiny random checkpoint, and one Talker."""

from __future__ import annotations

from collections.abc import AsyncIterator
from importlib.util import find_spec
from pathlib import Path

import pytest
import pytest_asyncio

from omni_agent.engines.qwen3_omni.thinker.engine_options import ThinkerOptions

if find_spec("vllm") is None or find_spec("torch") is None:
    collect_ignore_glob = ["test_*.py"]
else:
    from omni_agent.engines.qwen3_omni.talker.engine import QwenTalker, start_talker
    from omni_agent.engines.qwen3_omni.talker.runtime import RuntimeOptions
    from omni_agent.engines.qwen3_omni.thinker.thinker import QwenThinker

    @pytest_asyncio.fixture(scope="session", loop_scope="session")
    async def thinker(omni_checkpoint: Path) -> AsyncIterator[QwenThinker]:
        started = await QwenThinker.start(
            omni_checkpoint, ThinkerOptions(context=4096, callers=8, chunk=256)
        )
        yield started
        await started.aclose()

    @pytest_asyncio.fixture(scope="session", loop_scope="session")
    async def talker(omni_checkpoint: Path) -> AsyncIterator[QwenTalker]:
        started = await start_talker(
            omni_checkpoint, device="cpu", runtime=RuntimeOptions(slots=8, positions=2048)
        )
        yield started
        await started.aclose()


@pytest.fixture(scope="session")
def seed() -> int:
    return 7
