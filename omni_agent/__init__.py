"""omni_agent: voice agents you can see, script and trust.

Everything a plugin needs is importable from here, and what most applications do. An engine
imports the contracts (``thinker``, ``talker``, ``ears``, ``streams``, ``events``). Names are loaded
on first use, so that ``import omni_agent`` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from omni_agent._moved import forward

if TYPE_CHECKING:
    from omni_agent.agent import Agent
    from omni_agent.audio import AudioFrame
    from omni_agent.call.request import CallRequest
    from omni_agent.call.session import Session
    from omni_agent.conversation import AudioPart, ImagePart, Message, TextPart, VideoPart
    from omni_agent.engine import Engine, EngineOptions, StageOptions
    from omni_agent.errors import OmniAgentError, ToolError
    from omni_agent.finding import Finding
    from omni_agent.hookspecs import Turn, hookimpl
    from omni_agent.line import Line
    from omni_agent.lines.in_process import InProcessTransport
    from omni_agent.lines.wrapped import WrappedTransport
    from omni_agent.persona import Persona
    from omni_agent.plugin_settings import PluginSettings
    from omni_agent.records.folders import data_dir, make_private
    from omni_agent.records.transcripts import TranscriptStore
    from omni_agent.server.options import ServerOptions
    from omni_agent.stages import Engines, Stages
    from omni_agent.text import TextFilter
    from omni_agent.thinker import ToolCallRequest, ToolSchema
    from omni_agent.tools.approval import Allow, Ask, Deny
    from omni_agent.tools.context import CallContext, ToolContext
    from omni_agent.tools.panels import Panel, PanelRow
    from omni_agent.tools.tool import Tool, tool
    from omni_agent.transport import Transport
    from omni_agent.turn_taking import Manners, TurnEnd
    from omni_agent.wishes import Wishes

_HOMES = {
    "Agent": "agent",
    "Allow": "tools.approval",
    "Ask": "tools.approval",
    "AudioFrame": "audio",
    "AudioPart": "conversation",
    "CallContext": "tools.context",
    "CallRequest": "call.request",
    "Deny": "tools.approval",
    "Engine": "engine",
    "EngineOptions": "engine",
    "Engines": "stages",
    "Finding": "finding",
    "ImagePart": "conversation",
    "InProcessTransport": "lines.in_process",
    "Line": "line",
    "Manners": "turn_taking",
    "Message": "conversation",
    "OmniAgentError": "errors",
    "Panel": "tools.panels",
    "PanelRow": "tools.panels",
    "Persona": "persona",
    "PluginSettings": "plugin_settings",
    "ServerOptions": "server.options",
    "Session": "call.session",
    "StageOptions": "engine",
    "Stages": "stages",
    "TextFilter": "text",
    "TextPart": "conversation",
    "Tool": "tools.tool",
    "ToolCallRequest": "thinker",
    "ToolContext": "tools.context",
    "ToolError": "errors",
    "ToolSchema": "thinker",
    "TranscriptStore": "records.transcripts",
    "Transport": "transport",
    "Turn": "hookspecs",
    "TurnEnd": "turn_taking",
    "VideoPart": "conversation",
    "Wishes": "wishes",
    "WrappedTransport": "lines.wrapped",
    "data_dir": "records.folders",
    "hookimpl": "hookspecs",
    "make_private": "records.folders",
    "tool": "tools.tool",
}

__all__ = [
    "Agent",
    "Allow",
    "Ask",
    "AudioFrame",
    "AudioPart",
    "CallContext",
    "CallRequest",
    "Deny",
    "Engine",
    "EngineOptions",
    "Engines",
    "Finding",
    "ImagePart",
    "InProcessTransport",
    "Line",
    "Manners",
    "Message",
    "OmniAgentError",
    "Panel",
    "PanelRow",
    "Persona",
    "PluginSettings",
    "ServerOptions",
    "Session",
    "StageOptions",
    "Stages",
    "TextFilter",
    "TextPart",
    "Tool",
    "ToolCallRequest",
    "ToolContext",
    "ToolError",
    "ToolSchema",
    "TranscriptStore",
    "Transport",
    "Turn",
    "TurnEnd",
    "VideoPart",
    "Wishes",
    "WrappedTransport",
    "data_dir",
    "hookimpl",
    "make_private",
    "tool",
]
__version__ = "0.1.0"

forward()


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
