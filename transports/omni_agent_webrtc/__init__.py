"""A WebRTC line for omni_agent, on aiortc, with the delays taken out.

Importing this costs nothing: aiortc is loaded by the first name that needs it.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from omni_agent.errors import TransportError
from omni_agent.finding import Finding
from omni_agent.hookspecs import hookimpl
from omni_agent.line import Line, Switchboard
from omni_agent.runtime.distribution import install

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

    from omni_agent_webrtc.signalling import answer
    from omni_agent_webrtc.transport import WebRTCTransport

__all__ = ["WebRTCTransport", "answer"]

PACKAGES = ("aiortc", "aioice", "av")
_HOMES = {"WebRTCTransport": "transport", "answer": "signalling"}


@hookimpl
def register_lines() -> Sequence[Line]:
    return [Line("webrtc", _routes, _examine)]


def _routes(switchboard: Switchboard) -> Sequence[BaseRoute]:
    try:
        from omni_agent_webrtc.desk import routes
    except ImportError as error:
        raise TransportError(
            f"line 'webrtc' needs packages that are missing ({error}); "
            f"install them with: {install('webrtc')}"
        ) from error
    return routes(switchboard)


def _examine() -> Iterable[Finding]:
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        yield Finding("line webrtc", f"missing: {', '.join(missing)}", install("webrtc"))
    else:
        yield Finding("line webrtc", "installed")


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
