"""The name this package is installed by; it is imported as ``omni_agent``.

``omni-agent`` on the package index is somebody else's empty package.
"""

from __future__ import annotations

NAME = "omni-voice-agent"


def install(*extras: str) -> str:
    """The command that installs the package with these extras."""
    return f"pip install '{NAME}[{','.join(extras)}]'"
