"""What the embedded engine needs: its packages, its models, and memory for them."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping

from omni_agent.engine import StageName, StageOptions
from omni_agent.engines.local import manner
from omni_agent.engines.local.languages import objection
from omni_agent.engines.local.needs import (
    LANGUAGE_MODEL,
    LIGHT_LANGUAGE_MODEL,
    LIGHT_WHISPER,
    PACKAGES,
    WHISPER,
    check,
    named_file,
)
from omni_agent.errors import ConfigError, ModelStoreError
from omni_agent.finding import Finding
from omni_agent.runtime.distribution import install, program
from omni_agent.runtime.machine import memory
from omni_agent.talker import Voice

_MEMORY, _LIGHT_MEMORY = 3.5, 2.3
"""GiB of the machine: the whole stack takes 2.6 GB, and light language models 1.25 GB less."""


def examine(stages: Mapping[StageName, StageOptions]) -> Iterator[Finding]:
    """One finding for each thing that these stages of the engine need."""
    missing = [name for stage in stages for name in PACKAGES[stage] if not _installed(name)]
    yield Finding(
        "extra local",
        f"missing: {', '.join(missing)}" if missing else "installed",
        install("local") if missing else "",
    )
    if ears := stages.get("ears"):
        yield _model(ears.model or (LIGHT_WHISPER if ears.light else WHISPER))
    if mind := stages.get("thinker"):
        yield _mind(mind)
    # What else the ears and the voice need comes along with their packages.
    if ears and not missing:
        yield _voice_activity()
    if "talker" in stages and not missing:
        yield _voices()
    if mind:
        yield _memory(mind.light)


def objections(stage: StageName, options: StageOptions, voice: Voice) -> list[str]:
    """What the voice cannot say and the ears cannot hear. Raises ConfigError for deaf ears; which
    languages a Whisper of many knows, only it can tell."""
    if not all(map(_installed, PACKAGES[stage])):
        return []
    if stage == "talker":
        from omni_agent.engines.local.voicing import voices

        return manner.objections(voice, voices())
    model = options.model or (LIGHT_WHISPER if options.light else WHISPER)
    if stage == "ears" and model.endswith(".en") and (why := objection(voice.language, ("en",))):
        raise ConfigError(why)
    return []


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


def _mind(options: StageOptions) -> Finding:
    try:
        check("thinker", options)
    except ConfigError as error:
        return Finding("mind", str(error), "name one of these")
    return _model(options.model or (LIGHT_LANGUAGE_MODEL if options.light else LANGUAGE_MODEL))


def _model(name: str) -> Finding:
    if path := named_file(name):
        return Finding("model file", str(path), "" if path.exists() else "there is no such file")
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
