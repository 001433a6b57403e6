"""Modules, and names in modules, that have another place now: whoever imports one by its old name
gets it still.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from importlib.abc import Loader

MOVED = {
    "arguments": "tools.arguments",
    "attention": "call.attention",
    "distribution": "runtime.distribution",
    "echo": "hearing.echo",
    "front_matter": "personas.front_matter",
    "hooks": "registry.hooks",
    "in_process": "lines.in_process",
    "ledger": "tools.ledger",
    "listening": "hearing.listener",
    "machine": "runtime.machine",
    "manners": "hearing.manners",
    "preparation": "call.preparation",
    "replies": "call.replies",
    "reply": "call.reply",
    "results": "tools.results",
    "scope": "runtime.scope",
    "serving": "server.serving",
    "session": "call.session",
    "signatures": "tools.signatures",
    "store": "records.transcripts",
    "threads": "tools.threads",
    "tool_context": "call.tool_context",
    "tool_runs": "call.tool_runs",
    "turns": "hearing.turns",
    "utterance": "call.utterance",
    "wardrobe": "registry.wardrobe",
}
"""Old names and new ones, both in ``omni_agent``."""

NAMES = {
    "call": {
        "Call": "call.state",
        "Outfit": "personas.outfit",
        "Stages": "stages",
        "Supervised": "stages",
    },
    "engine": {"Finding": "finding"},
    "hookspecs": {"EngineOptions": "engine", "Finding": "finding"},
    "persona": {
        "Line": "persona:ShortText",
        "Lines": "persona:ShortTexts",
        "PersonaFile": "personas.files",
        "Speech": "persona:SpeechOptions",
        "available": "personas.files",
        "find": "personas.files",
        "folders": "personas.files",
        "is_shipped": "personas.files",
        "json_schema": "personas.files",
        "line_of": "personas.files",
        "load": "personas.files",
    },
    "records": {
        "Records": "records.database",
        "StoredCall": "records.database",
        "StoredItem": "records.database",
        "default_path": "records.database",
    },
    "testing": {"Stage": "testing.rehearsal:Rehearsal"},
    "transport": {
        "ChoosePersona": "commands",
        "Interrupt": "commands",
        "ReplyRequest": "commands",
        "Truncate": "commands",
    },
}
"""Names that were once in a module that is still there, or is a package now, and where they are;
after a colon, by which name."""


def moved_names(module: str) -> Callable[[str], Any]:
    """What a module of ``NAMES`` has as its ``__getattr__``."""
    names = NAMES[module.rpartition(".")[2]]

    def find(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        place, _, called = names[name].partition(":")
        now, called = f"{__package__}.{place}", called or name
        warnings.warn(f"{module}.{name} is {now}.{called} now", DeprecationWarning, stacklevel=2)
        return getattr(import_module(now), called)

    return find


class _Forwarding:
    """Finds a module that has moved, and says where it is now.

    A finder and loader by what it has: importing importlib.abc would double how long the package
    takes to be imported.
    """

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        package, _, name = fullname.rpartition(".")
        here = package == __package__ and name in MOVED
        return ModuleSpec(fullname, cast("Loader", self)) if here else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        now = f"{__package__}.{MOVED[spec.name.rpartition('.')[2]]}"
        warnings.warn(f"{spec.name} is {now} now", DeprecationWarning, stacklevel=2)
        module = import_module(now)
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """It was executed where it is, and stays what it is there."""
        assert module.__spec__ is not None
        module.__spec__ = module.__spec__.loader_state


def forward() -> None:
    """From now on; what is found where it says comes first."""
    sys.meta_path.append(_Forwarding())
