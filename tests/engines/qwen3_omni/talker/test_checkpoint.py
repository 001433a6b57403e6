"""A checkpoint is checked in full before anything is loaded; errors name file and tensor."""

from __future__ import annotations

import json
import logging
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from omni_agent.engines.qwen3_omni.talker import weights as weights_module
from omni_agent.engines.qwen3_omni.talker.checkpoint import CheckpointError
from omni_agent.engines.qwen3_omni.talker.config import parse_config, read_config
from omni_agent.engines.qwen3_omni.talker.tiny import make_tiny
from omni_agent.engines.qwen3_omni.talker.tiny_config import tiny_config
from omni_agent.engines.qwen3_omni.talker.weights import TalkerWeights, load
from omni_agent.errors import ConfigError, ModelStoreError

NAME = "talker.model.layers.0.self_attn.q_proj.weight"
INDEX = "model.safetensors.index.json"


@pytest.fixture
def broken(checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy to damage, with a loader that may not allocate before it has complained."""
    copy = tmp_path / "checkpoint"
    shutil.copytree(checkpoint, copy)

    def no_reader(*_: Any) -> None:
        raise AssertionError("allocated before the checkpoint was checked")

    monkeypatch.setattr(weights_module, "Reader", no_reader)
    return copy


def shard_of(root: Path, name: str = NAME) -> Path:
    return root / json.loads((root / INDEX).read_text())["weight_map"][name]


def edit_header(shard: Path, change: Callable[[dict[str, Any]], None]) -> None:
    raw = shard.read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + length])
    change(header)
    encoded = json.dumps(header).encode()
    shard.write_bytes(struct.pack("<Q", len(encoded)) + encoded + raw[8 + length :])


def edit_index(root: Path, change: Callable[[dict[str, Any]], None]) -> None:
    index = json.loads((root / INDEX).read_text())
    change(index["weight_map"])
    (root / INDEX).write_text(json.dumps(index))


def refused(root: Path) -> CheckpointError:
    with pytest.raises(CheckpointError) as caught:
        load(root)
    return caught.value


def test_what_is_loaded_is_what_was_stored(checkpoint: Path, weights: TalkerWeights) -> None:
    from safetensors import safe_open

    stored = {}
    for file in checkpoint.glob("*.safetensors"):
        with safe_open(file, framework="pt") as opened:
            stored.update({name: opened.get_tensor(name) for name in opened.keys()})  # noqa: SIM118
    layer = weights.backbone.layers[1]
    prefix = "talker.model.layers.1"
    assert torch.equal(layer.attention.out.weight, stored[f"{prefix}.self_attn.o_proj.weight"])
    assert torch.equal(layer.down[5], stored[f"{prefix}.mlp.experts.5.down_proj.weight"])
    inner = stored[f"{prefix}.mlp.experts.5.up_proj.weight"]
    assert torch.equal(layer.gate_up[5, len(inner) :], inner)
    assert torch.equal(weights.text_rows, stored["thinker.model.embed_tokens.weight"])


def test_any_stored_dtype_loads_as_any_other(tmp_path: Path, weights: TalkerWeights) -> None:
    half = make_tiny(tmp_path / "half", dtype=torch.bfloat16)
    loaded = load(half, dtype=torch.float32)
    assert loaded.backbone.norm.dtype is torch.float32
    assert loaded.text_rows.dtype is torch.bfloat16
    assert torch.equal(
        loaded.backbone.codec_head.weight, weights.backbone.codec_head.weight.bfloat16().float()
    )


def test_progress_ends_at_the_total(checkpoint: Path) -> None:
    seen: list[tuple[int, int]] = []
    load(checkpoint, progress=lambda done, total: seen.append((done, total)))
    assert seen == sorted(seen)
    assert seen[-1][0] == seen[-1][1] > 0


def test_progress_is_logged(checkpoint: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "omni_agent"):
        load(checkpoint)
    assert "Talker weights: 100 %" in caplog.text


def test_the_same_seed_makes_the_same_checkpoint(checkpoint: Path, tmp_path: Path) -> None:
    again = make_tiny(tmp_path / "again")
    for file in sorted(checkpoint.iterdir()):
        assert file.read_bytes() == (again / file.name).read_bytes()


def test_a_tensor_missing_from_the_index_is_named(broken: Path) -> None:
    edit_index(broken, lambda names: names.pop(NAME))
    error = refused(broken)
    assert (error.file.name, error.tensor) == (INDEX, NAME)


def test_a_tensor_missing_from_its_shard_is_named(broken: Path) -> None:
    edit_header(shard_of(broken), lambda header: header.pop(NAME))
    error = refused(broken)
    assert (error.file, error.tensor) == (shard_of(broken), NAME)


def test_a_misshapen_tensor_is_named_with_both_shapes(broken: Path) -> None:
    edit_header(shard_of(broken), lambda header: header[NAME].update(shape=[32, 64]))
    error = refused(broken)
    assert error.tensor == NAME
    assert "[32, 64], expected [64, 32]" in str(error)


def test_a_truncated_shard_is_found(broken: Path) -> None:
    shard = shard_of(broken)
    shard.write_bytes(shard.read_bytes()[:-100])
    error = refused(broken)
    assert error.file == shard
    assert "truncated" in str(error)


@pytest.mark.parametrize(
    "content",
    [b"", b"\x00" * 7, b"\xff" * 64, struct.pack("<Q", 1 << 60) + b"{}",
     struct.pack("<Q", 2) + b"[]", struct.pack("<Q", 4) + b"{{{{",
     struct.pack("<Q", 20_000) + b"[" * 20_000],
    ids=["empty", "short", "noise", "huge header", "list", "not json", "deep json"],
)  # fmt: skip
def test_a_file_that_is_no_shard_is_refused(broken: Path, content: bytes) -> None:
    shard_of(broken).write_bytes(content)
    assert refused(broken).file == shard_of(broken)


@pytest.mark.parametrize(
    "offsets", [[0, 8], [-8, 0], [1 << 62, 1 << 63], [0], "all", [0.0, 8192.0], [True, 8193]]
)
def test_offsets_that_lie_are_refused(broken: Path, offsets: Any) -> None:
    edit_header(shard_of(broken), lambda header: header[NAME].update(data_offsets=offsets))
    assert refused(broken).tensor == NAME


def test_integer_weights_are_refused(broken: Path) -> None:
    edit_header(shard_of(broken), lambda header: header[NAME].update(dtype="I32"))
    assert "'I32' is not a float type" in str(refused(broken))


@pytest.mark.parametrize("file", ["../outside.safetensors", "/etc/passwd", "", "..", 7, None])
def test_an_index_cannot_point_outside_its_directory(broken: Path, file: Any) -> None:
    edit_index(broken, lambda names: names.update({NAME: file}))
    assert refused(broken).tensor == NAME


def test_a_missing_shard_is_named(broken: Path) -> None:
    shard = shard_of(broken)
    shard.unlink()
    assert refused(broken).file == shard


def test_a_directory_without_weights_says_what_it_lacks(broken: Path) -> None:
    (broken / INDEX).unlink()
    assert "model.safetensors" in str(refused(broken))


def test_a_single_file_checkpoint_loads(checkpoint: Path, tmp_path: Path) -> None:
    single = make_tiny(tmp_path / "single", shards=1)
    (single / INDEX).unlink()
    next(single.glob("model-*.safetensors")).rename(single / "model.safetensors")
    assert torch.equal(load(single).backbone.norm, load(checkpoint).backbone.norm)


def test_checkpoint_errors_are_model_store_errors(broken: Path) -> None:
    (broken / INDEX).write_text("{")
    assert isinstance(refused(broken), ModelStoreError)


def set_key(path: str, value: object) -> dict[str, Any]:
    raw = tiny_config()
    *parents, last = path.split(".")
    place = raw
    for key in parents:
        place = place[key]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return raw


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("model_type", "llama"),
        ("talker_config", None),
        ("talker_config.text_config.hidden_size", -1),
        ("talker_config.text_config.hidden_size", 1 << 40),
        ("talker_config.text_config.hidden_size", "many"),
        ("talker_config.text_config.num_experts_per_tok", 99),
        ("talker_config.text_config.num_hidden_layers", 10_000),
        ("talker_config.text_config.hidden_act", "gelu"),
        ("talker_config.text_config.rope_parameters.mrope_section", [1, 2, 3]),
        ("talker_config.text_config.rope_parameters.rope_type", "yarn"),
        ("talker_config.codec_eos_token_id", 5000),
        ("talker_config.speaker_id", {}),
        ("talker_config.speaker_id", {"ethan": 9999}),
        ("talker_config.thinker_hidden_size", 64),
        ("talker_config.code_predictor_config.num_code_groups", 8),
        ("talker_config.code_predictor_config.hidden_size", 64),
        ("talker_config.code_predictor_config.num_key_value_heads", 3),
        ("code2wav_config.codebook_size", 32),
        ("code2wav_config.num_quantizers", 8),
        ("code2wav_config.decoder_dim", 40),
        ("code2wav_config.hidden_size", 36),
        ("code2wav_config.upsample_rates", []),
        ("tts_eos_token_id", 100_000),
    ],
)
def test_a_wrong_config_is_one_error_that_names_the_file(path: str, value: object) -> None:
    with pytest.raises(ConfigError, match=r"^config\.json: "):
        parse_config(set_key(path, value), "config.json")


def test_a_config_error_names_the_key() -> None:
    with pytest.raises(ConfigError, match=r"talker_config\.text_config\.head_dim"):
        parse_config(set_key("talker_config.text_config.head_dim", None), "config.json")


@pytest.mark.parametrize("content", [None, "{", "[]", "[" * 100_000])
def test_an_unreadable_config_is_a_config_error(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    with pytest.raises(ConfigError, match=r"config\.json"):
        read_config(tmp_path)
