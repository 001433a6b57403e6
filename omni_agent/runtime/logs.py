"""What is logged to the terminal: how much of it, and in characters that do no harm."""

from __future__ import annotations

import logging
import re

CALLS = "omni_agent.server.call_log"
"""Always shown: when calls begin and how they end."""
# C0 and C1 controls, half surrogates, and what turns the direction of writing round.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def plain(text: str) -> str:
    """The text with control characters made visible (``\\x1b``); line ends and tabs stay."""
    return _CONTROLS.sub(lambda found: ascii(found.group())[1:-1], text)


class PlainFormatter(logging.Formatter):
    """One line a message, whatever somebody put into it; tracebacks have their own lines."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        record.message = record.message.replace("\n", "\\n")
        return super().formatMessage(record)

    def format(self, record: logging.LogRecord) -> str:
        return plain(super().format(record))


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
