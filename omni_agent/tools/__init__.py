"""Tools: typed functions a Thinker may call. What plugins use is here.

Inside: ``tool`` makes one of a function (``signatures``) or of what a client has ``declared``,
checks what it is called with (``arguments``) and tells what it returns (``results``); its
``context`` is the call it is made in, where ``panels`` are shown; ``approval`` says whether it may
run at all, ``allowance`` for how long; ``threads`` run plain functions; ``ledger`` has every tool
call happen once.
"""

from __future__ import annotations

from omni_agent.tools.approval import Allow, Ask, Deny
from omni_agent.tools.context import CallContext, ToolContext
from omni_agent.tools.panels import Panel, PanelRow
from omni_agent.tools.tool import Tool, tool

__all__ = [
    "Allow",
    "Ask",
    "CallContext",
    "Deny",
    "Panel",
    "PanelRow",
    "Tool",
    "ToolContext",
    "tool",
]
