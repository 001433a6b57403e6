"""``omni-agent doctor``: what a call needs, what of it is here, what to do about the rest."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import typer

from omni_agent import persona as personas_module
from omni_agent.cli.options import EngineName, Light, Model
from omni_agent.cli.printing import show
from omni_agent.distribution import install
from omni_agent.errors import OmniAgentError
from omni_agent.hookspecs import EngineOptions, Finding
from omni_agent.machine import cores
from omni_agent.records import data_dir
from omni_agent.registry import Registry


def examine(engine: str, options: EngineOptions) -> Iterator[Finding]:
    """Everything that a call on this engine needs, one finding each.

    Raises ConfigError for an engine that cannot be examined.
    """
    registry = Registry()
    examiner = registry.examiner(engine)
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("python", version, "" if sys.version_info >= (3, 11) else "use Python ≥ 3.11")
    yield _transport()
    yield from examiner(options)
    yield from _machine()
    yield from _configuration(registry)


def _transport() -> Finding:
    missing = [name for name in ("aiortc", "av") if importlib.util.find_spec(name) is None]
    if missing:
        return Finding("extra webrtc", f"missing: {', '.join(missing)}", install("webrtc"))
    return Finding("extra webrtc", "installed")


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


def _configuration(registry: Registry) -> Iterator[Finding]:
    for problem in registry.problems:
        yield Finding(f"plugin {problem.plugin}", problem.reason, "mend or uninstall the plugin")
    for name in personas_module.available():
        try:
            registry.outfit(personas_module.load(personas_module.find(name)))
            yield Finding(f"persona {name}", "fine")
        except OmniAgentError as error:
            yield Finding(f"persona {name}", str(error), "mend the file")


def doctor(engine: EngineName = "local", model: Model = None, light: Light = False) -> None:
    """Check everything a call needs, and say what to do about what is missing."""
    ill = 0
    for finding in examine(engine, EngineOptions(model=model, light=light)):
        ill += bool(finding.mend)
        mark = ("✗", "red") if finding.mend else ("✓", "green")
        show(mark, f" {finding.what:<26} {finding.how}")
        if finding.mend:
            show((f"  → {finding.mend}", "yellow"))
    if ill:
        raise typer.Exit(1)
