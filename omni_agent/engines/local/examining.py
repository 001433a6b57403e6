"""What the embedded engine needs: its packages, its models, and memory for them."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator

from omni_agent.distribution import install
from omni_agent.engines.local import (
    LANGUAGE_MODEL,
    LIGHT_LANGUAGE_MODEL,
    LIGHT_WHISPER,
    WHISPER,
    named_file,
)
from omni_agent.errors import ModelStoreError
from omni_agent.hookspecs import EngineOptions, Finding

_PACKAGES = (
    "anyascii",
    "ctranslate2",
    "faster_whisper",
    "hibari",
    "num2words",
    "onnxruntime",
    "xllamacpp",
)
_VOICE_ACTIVITY = "silero-vad"
_MEMORY, _LIGHT_MEMORY = 3.5, 2.3
"""GiB of the machine: the whole stack takes 2.6 GB, and light language models 1.25 GB less."""


def examine(options: EngineOptions) -> Iterator[Finding]:
    """One finding for each thing the engine needs with these options."""
    missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    yield Finding(
        "extra local",
        f"missing: {', '.join(missing)}" if missing else "installed",
        install("local") if missing else "",
    )
    language_model = LIGHT_LANGUAGE_MODEL if options.light else LANGUAGE_MODEL
    yield _model(LIGHT_WHISPER if options.light else WHISPER)
    yield _model(options.model or language_model)
    yield _model(_VOICE_ACTIVITY)
    yield _memory(options.light)


def _model(name: str) -> Finding:
    if path := named_file(name):
        return Finding("model file", str(path), "" if path.is_file() else "there is no such file")
    from omni_agent.models import MODELS, ModelStore

    try:
        return Finding(f"model {name}", str(ModelStore().path(name)))
    except ModelStoreError as error:
        fetch = f"omni-agent models fetch {name}"
        mend = fetch if name in MODELS else "name one of these, or a path to a GGUF file"
        return Finding(f"model {name}", error.reason, mend)


def _memory(light: bool) -> Finding:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    mend = ""
    if light and memory < _LIGHT_MEMORY:
        mend = f"even the light models want a machine with {_LIGHT_MEMORY} GiB"
    elif not light and memory < _MEMORY:
        mend = "use --light: 1.5B needs 2.6 GB"
    return Finding("memory", f"{memory:.1f} GiB", mend)
