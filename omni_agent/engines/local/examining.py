"""What the embedded engine needs: its packages, its models, and memory for them."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from itertools import chain

from omni_agent.distribution import install, program
from omni_agent.engines.local import (
    LANGUAGE_MODEL,
    LIGHT_LANGUAGE_MODEL,
    LIGHT_WHISPER,
    PACKAGES,
    WHISPER,
    check_mind,
    named_file,
)
from omni_agent.errors import ConfigError, ModelStoreError
from omni_agent.hookspecs import EngineOptions, Finding
from omni_agent.machine import memory

_MEMORY, _LIGHT_MEMORY = 3.5, 2.3
"""GiB of the machine: the whole stack takes 2.6 GB, and light language models 1.25 GB less."""


def examine(options: EngineOptions) -> Iterator[Finding]:
    """One finding for each thing the engine needs with these options."""
    missing = [name for name in chain(*PACKAGES.values()) if not _installed(name)]
    yield Finding(
        "extra local",
        f"missing: {', '.join(missing)}" if missing else "installed",
        install("local") if missing else "",
    )
    language_model = LIGHT_LANGUAGE_MODEL if options.light else LANGUAGE_MODEL
    yield _model(LIGHT_WHISPER if options.light else WHISPER)
    yield _mind(options.model or language_model)
    # What else the ears and the voice need comes along with their packages.
    if not missing:
        yield _voice_activity()
        yield _voices()
    yield _memory(options.light)


def _installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def _voice_activity() -> Finding:
    from omni_agent.engines.local.hearing import silero_path

    try:
        return Finding("voice activity", str(silero_path()))
    except FileNotFoundError as error:
        return Finding("voice activity", str(error), install("local"))


def _voices() -> Finding:
    from omni_agent.engines.local.voicing import voices

    there = voices()
    absent = [name for name, installed in there.items() if not installed]
    how = ", ".join(name for name in there if name not in absent)
    if absent:
        # No fault: another one stands in for them.
        fetch = f"{program('hibari')} --voice NAME Hello"
        how += f" (not installed: {', '.join(absent)}; `{fetch}` fetches one)"
    return Finding("voices", how)


def _mind(name: str) -> Finding:
    try:
        check_mind(name)
    except ConfigError as error:
        return Finding("mind", str(error), "name one of these")
    return _model(name)


def _model(name: str) -> Finding:
    if path := named_file(name):
        return Finding("model file", str(path), "" if path.is_file() else "there is no such file")
    from omni_agent.models import ModelStore

    try:
        return Finding(f"model {name}", str(ModelStore().path(name)))
    except ModelStoreError as error:
        return Finding(f"model {name}", error.reason, error.mend)


def _memory(light: bool) -> Finding:
    there = memory()
    mend = ""
    if light and there < _LIGHT_MEMORY:
        mend = f"even the light models want {_LIGHT_MEMORY} GiB"
    elif not light and there < _MEMORY:
        mend = "use --light: 1.5B needs 2.6 GB"
    return Finding("memory", f"{there:.1f} GiB", mend)
