"""Every error omni_agent raises on purpose, as one tree.

::

    OmniAgentError
    ├── ConfigError             something the user wrote is wrong
    │   ├── PersonaError        a persona file: path, line, reason
    │   │   └── UnknownPersonaError  … that is not offered, beside those that are
    │   ├── UnknownPartError    a part that a persona names and nobody provides: a tool, a filter
    │   ├── SettingsError       what a persona says of a plugin that does not fit its model
    │   └── StageOptionError    what a stage of the agent cannot be told
    ├── PluginError             a plugin that does not load, or does wrong later
    ├── ModelStoreError         a model that is missing, damaged or cannot be fetched
    ├── EngineError             a Thinker, Talker or transcriber failed
    │   └── EngineUnavailable   … because it is not installed or not running
    ├── ToolError               raise it from a tool to tell the Thinker what went wrong
    │   └── ToolArgumentsError  arguments that break the tool's schema
    ├── TransportError          the line to the user
    │   └── SignallingError     an offer that cannot be answered (carries an HTTP status)
    └── ProtocolError           a client message that cannot be understood or done

Messages say what is wrong, where, and what to do; the subject is also an
attribute, so callers never parse messages. They are for whoever runs the agent and may
name addresses and files; ``public`` is what the person on the line may be told.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from omni_agent.utf8 import clean


class OmniAgentError(Exception):
    """Root of every deliberate error.

    ``public``: a sentence for callers, without addresses, paths, keys or other people's
    words; by default its class's.
    """

    public: str = "Something went wrong."

    def __init__(self, message: str = "", *, public: str | None = None) -> None:
        if public is not None:
            self.public = public
        super().__init__(message)


def public(error: BaseException) -> str:
    """What callers may be told of an error, whatever it is."""
    return error.public if isinstance(error, OmniAgentError) else OmniAgentError.public


def first_of(error: BaseException) -> BaseException:
    """The error itself, or the first one of a group."""
    return first_of(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error


def detail(error: BaseException) -> str:
    """What those who run the agent are told of it."""
    return str(error) if isinstance(error, OmniAgentError) else repr(error)


class ConfigError(OmniAgentError):
    """An option, setting or file that the user wrote is wrong."""

    public = "The agent is not set up correctly."


class PersonaError(ConfigError):
    """A persona file that cannot be used.

    ``line`` is 1-based; 0 when the problem is the file as a whole.
    """

    public = "This persona cannot be used at the moment."

    def __init__(
        self, path: Path | str, line: int, reason: str, *, public: str | None = None
    ) -> None:
        self.path, self.line, self.reason = Path(path), line, reason
        where = f"{path}:{line}" if line else f"{path}"
        super().__init__(f"{where}: {reason}", public=public)


class UnknownPersonaError(PersonaError):
    """A persona that is asked for by a name that none has. ``there``: names of those that are
    offered."""

    public = "This persona is not offered."

    def __init__(self, name: str, reason: str, there: Sequence[str]) -> None:
        self.name, self.there = name, tuple(there)
        super().__init__(name, 0, reason)


class UnknownPartError(ConfigError):
    """A part, such as a tool or a filter, that a persona names and nobody provides.

    ``key``: where its front matter names it, e.g. ``("tools", 1)``.
    """

    def __init__(self, persona: str, key: tuple[str | int, ...], reason: str) -> None:
        self.key, self.reason = key, reason
        super().__init__(f"persona {persona!r}: {reason}")


class SettingsError(ConfigError):
    """What a persona says of a plugin does not fit the plugin's model.

    ``key``: the first of it in the front matter, e.g. ``("plugins", "clock", "home")``.
    """

    def __init__(self, persona: str, key: tuple[str | int, ...], reason: str) -> None:
        self.key, self.reason = key, reason
        super().__init__(f"persona {persona!r}: {reason}")


class StageOptionError(ConfigError):
    """What a stage's engine cannot be told. ``stage``: empty where only the engine speaks."""

    def __init__(self, stage: str, name: str, reason: str) -> None:
        self.stage, self.name, self.reason = stage, name, reason
        super().__init__(f"{stage}: {reason}" if stage else reason)


class PluginError(OmniAgentError):
    """A plugin that does not work; the rest of the agent goes on. ``times``: how often."""

    public = "A plugin of the agent does not work."

    def __init__(self, plugin: str, reason: str) -> None:
        self.plugin, self.reason, self.times = plugin, reason, 1
        super().__init__(f"plugin {plugin!r}: {reason}")

    def __str__(self) -> str:
        times = f" ({self.times} times)" if self.times > 1 else ""
        return f"{super().__str__()}{times}"


class ModelStoreError(OmniAgentError):
    """A model file that is missing, damaged or cannot be fetched.

    ``mend``: a command that helps; empty where there is none.
    """

    public = "A model of the agent is missing."

    def __init__(self, model: str, reason: str, *, mend: str = "") -> None:
        self.model, self.reason, self.mend = model, reason, mend
        remedy = f"; run: {mend}" if mend else ""
        super().__init__(f"model {model!r}: {reason}{remedy}")


class EngineError(OmniAgentError):
    """A model stage failed; the session apologises and goes on."""

    public = "A part of the agent failed; the call goes on."


class EngineUnavailable(EngineError):
    """The engine is not installed, not running or cannot run on this machine.

    ``may_recover``: waiting could help, because it may be starting or restarting; False
    when somebody has to change something first.
    """

    public = "A part of the agent is not available at the moment."

    def __init__(
        self, message: str = "", *, may_recover: bool = False, public: str | None = None
    ) -> None:
        self.may_recover = may_recover
        super().__init__(message, public=public)


class ToolError(OmniAgentError):
    """Raise from a tool: the message is the tool's result and goes to the Thinker."""

    public = "A tool of the agent failed."


class ToolArgumentsError(ToolError):
    """Arguments that do not fit the tool's JSON schema."""

    public = "It could not be called like that."

    def __init__(self, tool: str, reason: str) -> None:
        self.tool, self.reason = tool, reason
        super().__init__(f"{tool}: {reason}")


class TransportError(OmniAgentError):
    """The line to the user failed."""

    public = "The connection failed."


class SignallingError(TransportError):
    """A call that cannot be set up, in words for the caller.

    ``status`` is the HTTP status to answer with.
    """

    def __init__(self, status: int, reason: str) -> None:
        self.status, self.reason = status, reason
        super().__init__(reason, public=reason)


class ProtocolError(OmniAgentError):
    """A client message that cannot be understood or done, in words for the client.

    ``field`` names the offending part.
    """

    def __init__(self, reason: str, *, field: str | None = None) -> None:
        self.reason, self.field = reason, field
        super().__init__(reason, public=reason)


def words_of(error: BaseException) -> str:
    """An exception's message; its type's name when it cannot even say that."""
    try:
        return clean(str.__str__(str(error))) or type(error).__name__
    except BaseException:
        return type(error).__name__
