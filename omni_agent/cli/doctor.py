"""``omni-agent doctor``: what a call needs, what of it is here, what to do about the rest."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import typer

from omni_agent.cli.config import ConfigFile
from omni_agent.cli.engines import Said
from omni_agent.cli.options import (
    BaseUrl,
    EngineName,
    Light,
    Model,
    OfEars,
    OfTalker,
    OfThinker,
    PersonaName,
)
from omni_agent.cli.printing import show
from omni_agent.errors import OmniAgentError
from omni_agent.finding import Finding
from omni_agent.personas import files as personas_module
from omni_agent.records.folders import data_dir
from omni_agent.registry.engines import Lineup
from omni_agent.registry.fitting import foreseen
from omni_agent.registry.registry import Registry
from omni_agent.registry.wardrobe import fitted
from omni_agent.runtime.machine import cores


def examine(said: Said, persona: str = "") -> Iterator[Finding]:
    """Everything that a call on these engines needs, one finding each.

    persona: one to look at beside those that are found by name. Raises ConfigError for an engine
    that is not there, and for options it does not have.
    """
    registry = Registry()
    lineup = said.lineup(registry, "thinker", "talker", "ears")
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("python", version, "" if sys.version_info >= (3, 11) else "use Python ≥ 3.11")
    yield from _lines(registry)
    yield from registry.engines.examine(lineup)
    yield from _machine()
    yield from _configuration(registry, lineup, persona)


def _lines(registry: Registry) -> Iterator[Finding]:
    lines = registry.lines()
    if not lines:
        yield Finding("lines", "none: nobody could call", "install a line, or mend its plugin")
    for line in lines:
        if line.examine is None:
            yield Finding(f"line {line.name}", "does not say what it needs")
            continue
        try:
            yield from line.examine()
        except Exception as error:  # a plugin's
            how = f"its examination raised {type(error).__name__}: {error}"
            yield Finding(f"line {line.name}", how, "mend or uninstall its plugin")


def _machine() -> Iterator[Finding]:
    there = cores()
    yield Finding("cores", str(there), "" if there >= 2 else "expect pauses: two are the least")
    home = data_dir()
    existing = next(p for p in (home, *home.parents) if _is_there(p))
    free = shutil.disk_usage(existing).free / 2**30
    writable = os.access(existing, os.W_OK)
    mend = "" if writable and free > 0.1 else "set OMNI_AGENT_HOME to a folder you can write to"
    yield Finding("data folder", f"{home} ({free:.0f} GiB free)", mend)


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # in a folder of somebody else's, or a name that no folder can have
        return False


def _configuration(registry: Registry, lineup: Lineup, persona: str) -> Iterator[Finding]:
    for problem in registry.problems:
        yield Finding(f"plugin {problem.plugin}", problem.reason, "mend or uninstall the plugin")
    for name in dict.fromkeys((*([persona] if persona else ()), *personas_module.available())):
        try:
            outfit = fitted(registry, personas_module.find(name))
            lacking = foreseen(registry.engines, lineup, outfit)
            yield Finding(f"persona {name}", "; ".join(lacking) or "fine")
        except OmniAgentError as error:
            yield Finding(f"persona {name}", str(error), "mend the file")


def doctor(
    engine: EngineName = "",
    model: Model = None,
    light: Light = False,
    base_url: BaseUrl = None,
    thinker: OfThinker = None,
    talker: OfTalker = None,
    ears: OfEars = None,
    persona: PersonaName = "",
    config: ConfigFile = None,
) -> None:
    """Check everything a call needs, and say what to do about what is missing."""
    ill = 0
    said = Said(config, engine, model, light, base_url, None, thinker, talker, ears)
    for finding in examine(said, persona):
        ill += bool(finding.mend)
        mark = ("✗", "red") if finding.mend else ("✓", "green")
        show(mark, f" {finding.what:<26} {finding.how}")
        if finding.mend:
            show((f"  → {finding.mend}", "yellow"))
    if ill:
        raise typer.Exit(1)
