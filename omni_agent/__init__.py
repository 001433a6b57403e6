"""omni_agent: voice agents you can see, script and trust.

Everything a plugin needs is importable from here, and what most applications do. What
operators decide is in ``omni_agent.server.options`` and ``limits``, the transcripts in
``omni_agent.store``, the engines of an agent and its stages in ``omni_agent.agent``. Names
are loaded on first use, so that ``import omni_agent`` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from omni_agent.agent import Agent
    from omni_agent.audio import AudioFrame
    from omni_agent.errors import OmniAgentError, ToolError
    from omni_agent.hookspecs import EngineOptions, hookimpl
    from omni_agent.persona import Persona
    from omni_agent.records import data_dir, make_private
    from omni_agent.session import Session
    from omni_agent.text import TextFilter
    from omni_agent.tools import CallContext, Panel, PanelRow, Tool, tool

_HOMES = {
    "Agent": "agent",
    "AudioFrame": "audio",
    "CallContext": "tools",
    "EngineOptions": "hookspecs",
    "OmniAgentError": "errors",
    "Panel": "tools",
    "PanelRow": "tools",
    "Persona": "persona",
    "Session": "session",
    "TextFilter": "text",
    "Tool": "tools",
    "ToolError": "errors",
    "data_dir": "records",
    "hookimpl": "hookspecs",
    "make_private": "records",
    "tool": "tools",
}

__all__ = [
    "Agent",
    "AudioFrame",
    "CallContext",
    "EngineOptions",
    "OmniAgentError",
    "Panel",
    "PanelRow",
    "Persona",
    "Session",
    "TextFilter",
    "Tool",
    "ToolError",
    "data_dir",
    "hookimpl",
    "make_private",
    "tool",
]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
