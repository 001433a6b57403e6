"""Sharded safetensors on disk: everything is checked before anything is read.

``Checkpoint.open`` parses the index and the header of each needed shard and holds
every tensor against the layout the config implies. What it then hands out are
memory-mapped views; only pages that are copied are ever read. Format:
https://github.com/huggingface/safetensors (8-byte little-endian header length,
JSON header, tensor bytes).
"""

from __future__ import annotations

import json
import math
import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch

from omni_agent.engines.qwen3_omni.talker.layout import Shape
from omni_agent.errors import ModelStoreError

_INDEX = "model.safetensors.index.json"
_SINGLE = "model.safetensors"
_JSON_LIMIT = 100 << 20  # the published index, 28,010 names, is 2.5 MB
_DTYPES = MappingProxyType(
    {
        "BF16": torch.bfloat16,
        "F16": torch.float16,
        "F32": torch.float32,
        "F64": torch.float64,
    }
)


class CheckpointError(ModelStoreError):
    """A checkpoint that cannot be used. ``file`` and ``tensor`` say where (tensor may be None)."""

    def __init__(self, file: Path, tensor: str | None, reason: str) -> None:
        self.file, self.tensor = file, tensor
        super().__init__(str(file), f"tensor {tensor}: {reason}" if tensor else reason)


@dataclass(frozen=True, slots=True)
class _Placed:
    """Where a tensor lies: byte offsets from the start of its file."""

    file: Path
    dtype: torch.dtype
    shape: Shape
    begin: int
    end: int


class Checkpoint:
    """The needed tensors of a checkpoint directory, memory-mapped and already checked."""

    def __init__(self, tensors: Mapping[str, _Placed]) -> None:
        self._tensors = tensors
        self._maps: dict[Path, mmap.mmap] = {}

    @classmethod
    def open(cls, directory: Path | str, layout: Mapping[str, Shape]) -> Checkpoint:
        """Check that ``directory`` holds every tensor of ``layout`` with its shape.

        Raises CheckpointError naming the file and tensor at the first fault.
        """
        root = Path(directory)
        shards = _shards(root, layout)
        placed: dict[str, _Placed] = {}
        for file in sorted(set(shards.values())):
            header = _read_header(file)
            for name in (name for name, shard in shards.items() if shard == file):
                placed[name] = _place(file, name, header, layout[name])
        return cls(placed)

    def names(self) -> list[str]:
        return list(self._tensors)

    def nbytes(self, name: str) -> int:
        placed = self._tensors[name]
        return placed.end - placed.begin

    def tensor(self, name: str) -> torch.Tensor:
        """A CPU view of the mapped file, in the stored dtype. Do not write to it."""
        placed = self._tensors[name]
        if placed.file not in self._maps:
            with placed.file.open("rb") as file:
                # ACCESS_COPY: torch wants a writable buffer; pages stay shared until written.
                self._maps[placed.file] = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        count = math.prod(placed.shape)
        raw = np.frombuffer(
            self._maps[placed.file], dtype=np.uint8, count=placed.end - placed.begin,
            offset=placed.begin,
        )  # fmt: skip
        # A tensor need not be aligned in the file to its item size: safetensors only promises 8.
        flat = torch.from_numpy(raw)
        if placed.begin % placed.dtype.itemsize:
            flat = flat.clone()
        return flat.view(placed.dtype)[:count].view(placed.shape)


def _shards(root: Path, layout: Mapping[str, Shape]) -> dict[str, Path]:
    index = root / _INDEX
    if not index.exists():
        single = root / _SINGLE
        if not single.exists():
            raise CheckpointError(root, None, f"holds neither {_INDEX} nor {_SINGLE}")
        return dict.fromkeys(layout, single)
    try:
        if index.stat().st_size > _JSON_LIMIT:
            raise CheckpointError(index, None, "too large for an index")
        raw = json.loads(index.read_text(encoding="utf-8"))
    except OSError as error:
        raise CheckpointError(index, None, f"cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise CheckpointError(index, None, f"not valid JSON ({error})") from error
    names = raw.get("weight_map") if isinstance(raw, dict) else None
    if not isinstance(names, dict):
        raise CheckpointError(index, None, "has no weight_map")
    shards: dict[str, Path] = {}
    for name in layout:
        file = names.get(name)
        if file is None:
            raise CheckpointError(index, name, "missing")
        # A plain file name only: an index must not point outside its own directory.
        if not isinstance(file, str) or Path(file).name != file or file in {"", ".", ".."}:
            raise CheckpointError(index, name, f"names {file!r}, which is not a file name")
        shards[name] = root / file
    return shards


def _read_header(file: Path) -> dict[str, Any]:
    """The parsed header; ``__data__`` and ``__size__`` are byte offsets of data and end."""
    try:
        size = file.stat().st_size
        with file.open("rb") as opened:
            prefix = opened.read(8)
            length = struct.unpack("<Q", prefix)[0] if len(prefix) == 8 else 0
            if not 2 <= length <= min(_JSON_LIMIT, size - 8):
                raise CheckpointError(file, None, "truncated, or not a safetensors file")
            header = json.loads(opened.read(length))
    except OSError as error:
        raise CheckpointError(file, None, f"cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise CheckpointError(file, None, f"header is not valid JSON ({error})") from error
    if not isinstance(header, dict):
        raise CheckpointError(file, None, "header is not an object")
    header["__data__"], header["__size__"] = 8 + length, size
    return header


def _place(file: Path, name: str, header: Mapping[str, Any], shape: Shape) -> _Placed:
    entry = header.get(name)
    if not isinstance(entry, dict):
        raise CheckpointError(file, name, "missing")
    stored = entry.get("shape")
    if stored != list(shape):
        raise CheckpointError(file, name, f"shape is {stored}, expected {list(shape)}")
    dtype = _DTYPES.get(str(entry.get("dtype")))
    if dtype is None:
        raise CheckpointError(file, name, f"dtype {entry.get('dtype')!r} is not a float type")
    offsets = entry.get("data_offsets")
    if (
        not isinstance(offsets, list)
        or len(offsets) != 2
        or not all(type(offset) is int and offset >= 0 for offset in offsets)
        or offsets[1] - offsets[0] != math.prod(shape) * dtype.itemsize
    ):
        raise CheckpointError(file, name, f"data_offsets {offsets} do not fit its shape and dtype")
    begin, end = header["__data__"] + offsets[0], header["__data__"] + offsets[1]
    if end > header["__size__"]:
        missing = end - header["__size__"]
        raise CheckpointError(file, name, f"truncated: the file ends {missing} bytes short of it")
    return _Placed(file, dtype, shape, begin, end)
