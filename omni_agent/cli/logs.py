"""What the commands log to the terminal, and how much of it."""

from __future__ import annotations

import logging

from omni_agent.cli.printing import PlainFormatter

CALLS = "omni_agent.server.call_log"
"""Always shown: when calls begin and how they end."""


def log_to_stderr(verbosity: int) -> None:
    """Log warnings and calls; ``verbosity`` 1: whatever we do; 2: libraries, too; 3: all of it."""
    handler = logging.StreamHandler()
    handler.setFormatter(PlainFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    handler.addFilter(lambda record: _shown(record, verbosity))
    level = logging.DEBUG if verbosity > 2 else logging.INFO
    logging.basicConfig(level=level, handlers=[handler], force=True)


def _shown(record: logging.LogRecord, verbosity: int) -> bool:
    if record.levelno >= logging.WARNING or verbosity > 1:
        return True
    return record.name.startswith("omni_agent") if verbosity else record.name == CALLS
