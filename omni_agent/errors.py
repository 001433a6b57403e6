"""Every error omni_agent raises on purpose, as one tree.

::

    OmniAgentError
    ├── ConfigError             something the user wrote is wrong
    │   └── PersonaError        a persona file: path, line, reason
    ├── PluginError             a plugin that cannot be loaded or registered
    ├── ModelStoreError         a model that is missing, damaged or cannot be fetched
    ├── EngineError             a Thinker, Talker or transcriber failed
    │   └── EngineUnavailable   … because it is not installed or not running
    ├── ToolError               raise it from a tool to tell the Thinker what went wrong
    │   └── ToolArgumentsError  arguments that break the tool's schema
    ├── TransportError          the line to the user
    │   └── SignallingError     an offer that cannot be answered (carries an HTTP status)
    └── ProtocolError           a client message that cannot be understood

Messages say what is wrong, where, and what to do; the subject is also an
attribute, so callers never parse messages.
"""

from __future__ import annotations

from pathlib import Path


class OmniAgentError(Exception):
    """Root of every deliberate error."""


class ConfigError(OmniAgentError):
    """An option, setting or file that the user wrote is wrong."""


class PersonaError(ConfigError):
    """A persona file that cannot be used.

    ``line`` is 1-based; 0 when the problem is the file as a whole.
    """

    def __init__(self, path: Path | str, line: int, reason: str) -> None:
        self.path, self.line, self.reason = Path(path), line, reason
        where = f"{path}:{line}" if line else f"{path}"
        super().__init__(f"{where}: {reason}")


class PluginError(OmniAgentError):
    """A plugin that cannot be loaded; the rest of the agent goes on without it."""

    def __init__(self, plugin: str, reason: str) -> None:
        self.plugin, self.reason = plugin, reason
        super().__init__(f"plugin {plugin!r}: {reason}")


class ModelStoreError(OmniAgentError):
    """A model file that is missing, damaged or cannot be fetched."""

    def __init__(self, model: str, reason: str) -> None:
        self.model, self.reason = model, reason
        super().__init__(f"model {model!r}: {reason}")


class EngineError(OmniAgentError):
    """A model stage failed; the session apologises and goes on."""


class EngineUnavailable(EngineError):
    """The engine is not installed, not running or cannot run on this machine."""


class ToolError(OmniAgentError):
    """Raise from a tool: the message is the tool's result and goes to the Thinker."""


class ToolArgumentsError(ToolError):
    """Arguments that do not fit the tool's JSON schema."""

    def __init__(self, tool: str, reason: str) -> None:
        self.tool, self.reason = tool, reason
        super().__init__(f"{tool}: {reason}")


class TransportError(OmniAgentError):
    """The line to the user failed."""


class SignallingError(TransportError):
    """A call that cannot be set up. ``status`` is the HTTP status to answer with."""

    def __init__(self, status: int, reason: str) -> None:
        self.status, self.reason = status, reason
        super().__init__(reason)


class ProtocolError(OmniAgentError):
    """A client message that cannot be understood. ``field`` names the offending part."""

    def __init__(self, reason: str, *, field: str | None = None) -> None:
        self.reason, self.field = reason, field
        super().__init__(reason)
