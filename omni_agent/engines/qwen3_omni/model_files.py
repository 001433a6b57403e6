"""The files of a Qwen3-Omni checkpoint, looked at closely without loading any of them."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omni_agent.engines.qwen3_omni.talker.config import parse_config
from omni_agent.engines.qwen3_omni.talker.layout import Shape, runtime_layout
from omni_agent.engines.qwen3_omni.talker.thinker_layout import thinker_layout
from omni_agent.errors import ConfigError, ModelStoreError
from omni_agent.finding import Finding

PUBLISHED = "Qwen/Qwen3-Omni-30B-A3B-Instruct"
_GET = f"hf download {PUBLISHED} --local-dir DIR, then --model DIR (70.5 GB)"
_VARIANTS = (
    "-Thinking in place of -Instruct reasons before it answers, -Captioner describes sounds; "
    "asked with --model, the doctor says whether a checkpoint has a voice"
)
_MODEL_TYPE = "qwen3_omni_moe"
_CONFIG, _PREPROCESSOR = "config.json", "preprocessor_config.json"
_INDEX, _SINGLE = "model.safetensors.index.json", "model.safetensors"
_TOKENIZER = ("vocab.json", "merges.txt")


@dataclass(frozen=True, slots=True)
class Weights:
    """Bytes of a checkpoint's tensors in all, and of its largest file.

    parts: what the memory it needs goes to, in words, where that is known.
    """

    total: int
    largest: int
    parts: str = ""


PUBLISHED_WEIGHTS = Weights(
    # 35,259,818,545 parameters in bfloat16, in 15 files of at most 5 GB.
    70_519_637_090,
    5_000_000_000,
    " (Thinker 61.1, encoders 2.4, Talker, MTP and Code2Wav 7.1, caches 5.6)",
)


@dataclass(frozen=True, slots=True)
class _Index:
    """Which file holds which tensor (nothing known of a single file's), and bytes in all."""

    files: tuple[str, ...] = ()
    tensors: Mapping[str, str] = field(default_factory=dict)
    total: int = 0
    fault: str = ""


class ModelFiles:
    """The checkpoint directory that the user named, or None: none."""

    def __init__(self, model: str | None) -> None:
        self.root = None if model is None else Path(model)
        self._index = _Index() if self.root is None else _read_index(self.root)

    @property
    def weights(self) -> Weights:
        """Of what is there; of the published checkpoint where nothing usable is."""
        if self.root is None or not self._index.total:
            return PUBLISHED_WEIGHTS
        largest = max((_size(self.root / file) for file in self._index.files), default=0)
        return Weights(self._index.total, largest)

    def examine(self, *, torch: bool) -> Iterator[Finding]:
        """One finding for each part. torch: whether it works; the weights' insides want it."""
        root = self.root
        if root is None:
            yield Finding("model", "none given", f"{_GET}. {_VARIANTS}")
        elif not root.is_dir():
            how = "is a file" if root.exists() else "there is no such directory"
            yield Finding("model", f"{root}: {how}", f"give a checkpoint's directory: {_GET}")
        else:
            yield Finding("model", str(root))
            layout: dict[str, Shape] = {}
            try:
                raw = _object(root / _CONFIG)
                voice = self._voice(raw)
                layout.update(_layout(raw, root / _CONFIG, voice=not voice.mend))
                yield Finding("model config", f"{_CONFIG}, {raw['model_type']}")
                yield voice
            except ConfigError as error:
                yield Finding("model config", str(error), _again(_CONFIG))
            yield from self._weights(root, layout if torch else {})
            yield _tokenizer(root)
            yield _preprocessor(root)

    def _voice(self, raw: Mapping[str, Any]) -> Finding:
        tensors = self._index.tensors
        if raw.get("enable_audio_output") is False:
            how = f"none: {_CONFIG} says enable_audio_output false"
        elif tensors and not any(name.startswith("talker.") for name in tensors):
            how = "none: there are no talker tensors"
        else:
            return Finding("model voice", "there")
        mend = f"for speech take {PUBLISHED}, or let another engine's Talker speak"
        return Finding("model voice", how, mend)

    def _weights(self, root: Path, layout: Mapping[str, Shape]) -> Iterator[Finding]:
        """layout: what the files must hold; empty when they cannot be looked into."""
        what, index = "model weights", self._index
        missing = [file for file in index.files if not (root / file).is_file()]
        here = sum(_size(root / file) for file in index.files)
        if index.fault:
            yield Finding(what, index.fault, _again(_INDEX))
        elif missing:
            how = f"missing: {', '.join(missing)} ({len(missing)} of {len(index.files)})"
            yield Finding(what, how, _again(*missing))
        elif here < index.total:
            how = f"{here:,} of {index.total:,} bytes: the download was interrupted"
            yield Finding(what, how, "let it finish: fetching again goes on where it stopped")
            yield from _faults(root, index, layout)
        elif faults := list(_faults(root, index, layout)):
            yield from faults
        else:
            looked = f"{len(layout):,} tensors as they should be" if layout else "not looked into"
            yield Finding(what, f"{len(index.files)} files, {in_words(here)}, {looked}")


def _faults(root: Path, index: _Index, layout: Mapping[str, Shape]) -> Iterator[Finding]:
    """The first fault of each file."""
    if not layout:
        return
    from omni_agent.engines.qwen3_omni.talker.checkpoint import Checkpoint, CheckpointError

    parts: dict[str | None, dict[str, Shape]] = defaultdict(dict)
    for name, shape in layout.items():
        parts[index.tensors.get(name)][name] = shape
    for part in parts.values():
        try:
            Checkpoint.open(root, part)
        except CheckpointError as error:
            yield Finding("model weights", str(error), _again(error.file.name))


def _read_index(root: Path) -> _Index:
    if not (root / _INDEX).exists():
        if (root / _SINGLE).is_file():
            return _Index((_SINGLE,), total=_size(root / _SINGLE))
        return _Index(fault=f"neither {_INDEX} nor {_SINGLE} is there")
    try:
        raw = _object(root / _INDEX)
    except ConfigError as error:
        return _Index(fault=str(error))
    tensors = raw.get("weight_map")
    if not isinstance(tensors, dict) or not all(
        isinstance(file, str) and Path(file).name == file for file in tensors.values()
    ):
        return _Index(fault=f"{root / _INDEX}: weight_map does not name a file for each tensor")
    files = tuple(sorted(set(tensors.values())))
    metadata = raw.get("metadata")
    total = metadata.get("total_size") if isinstance(metadata, dict) else None
    if type(total) is not int:
        total = sum(_size(root / file) for file in files)
    return _Index(files, tensors, total)


def _layout(raw: Mapping[str, Any], path: Path, *, voice: bool) -> dict[str, Shape]:
    """Every tensor this config implies. Raises ConfigError."""
    if (found := raw.get("model_type")) != _MODEL_TYPE:
        raise ConfigError(f"{path}: model_type is {found!r}; a Qwen3-Omni has {_MODEL_TYPE!r}")
    try:
        layout = dict(thinker_layout(raw["thinker_config"]))
    except (KeyError, TypeError) as error:
        raise ConfigError(f"{path}: thinker_config is not complete ({error!r})") from error
    if voice:
        layout.update(runtime_layout(parse_config(raw, path)))
    return layout


def _tokenizer(root: Path) -> Finding:
    what, names = "model tokenizer", ", ".join(_TOKENIZER)
    missing = [name for name in _TOKENIZER if not (root / name).is_file()]
    if missing:
        return Finding(what, f"missing: {', '.join(missing)}", _again(*missing))
    try:
        from omni_agent.engines.qwen3_omni.talker.tokens import TextTokenizer

        TextTokenizer.open(root)
    except ImportError:
        return Finding(what, f"{names}; not looked into")
    except ModelStoreError as error:
        return Finding(what, str(error), _again(*_TOKENIZER))
    return Finding(what, names)


def _preprocessor(root: Path) -> Finding:
    try:
        _object(root / _PREPROCESSOR)
    except ConfigError as error:
        return Finding("model preprocessor", str(error), _again(_PREPROCESSOR))
    return Finding("model preprocessor", _PREPROCESSOR)


def _object(path: Path) -> dict[str, Any]:
    """A JSON object from a file. Raises ConfigError naming it."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: not valid JSON ({error})") from error
    if not isinstance(raw, dict):
        raise ConfigError(f"{path}: not a JSON object")
    return raw


def _again(*files: str) -> str:
    return f"fetch {', '.join(files)} again, from where the checkpoint came from"


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def in_words(size: int) -> str:
    """Bytes, in the unit that suits them."""
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"
