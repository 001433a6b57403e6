"""The engine as it is found and started by name."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from omni_agent.engine import StageName, StageOptions
from omni_agent.engines import qwen3_omni
from omni_agent.errors import EngineUnavailable
from omni_agent.registry.registry import Registry

pytest.importorskip("torch")
pytest.importorskip("vllm")


def test_it_is_found_by_one_name_for_every_stage() -> None:
    engines = Registry().engines
    stages: tuple[StageName, ...] = ("thinker", "talker", "ears")
    assert {engines.named(stage, qwen3_omni.NAME).name for stage in stages} == {qwen3_omni.NAME}


@pytest.mark.parametrize("start", [qwen3_omni.start_thinker, qwen3_omni.start_talker])
async def test_without_a_model_it_says_what_to_name(start: object) -> None:
    with pytest.raises(EngineUnavailable, match="--model with the directory"):
        await start(StageOptions())  # type: ignore[operator]  # a factory


@pytest.mark.parametrize("start", [qwen3_omni.start_thinker, qwen3_omni.start_talker])
async def test_a_directory_that_is_not_there_is_named(start: object, tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match="nowhere"):
        await start(StageOptions(model=str(tmp_path / "nowhere")))  # type: ignore[operator]  # a factory


async def test_a_config_of_another_model_is_refused(omni_checkpoint: Path, tmp_path: Path) -> None:
    for name in ("vocab.json", "merges.txt", "tokenizer_config.json"):
        (tmp_path / name).symlink_to(omni_checkpoint / name)
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    with pytest.raises(EngineUnavailable, match=r"config\.json is not a Qwen3-Omni model's"):
        await qwen3_omni.start_thinker(StageOptions(model=str(tmp_path)))


async def test_an_id_that_cannot_be_fetched_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(EngineUnavailable, match="cannot be fetched"):
        await qwen3_omni.start_thinker(StageOptions(model="nobody/no-such-model"))


async def test_halves_are_loaded_one_after_the_other() -> None:
    order: list[str] = []

    async def load(name: str) -> None:
        async with qwen3_omni._one_at_a_time():
            order.append(f"{name} begins")
            await asyncio.sleep(0)
            order.append(f"{name} ends")

    await asyncio.gather(load("Thinker"), load("Talker"))
    assert order == ["Thinker begins", "Thinker ends", "Talker begins", "Talker ends"]
