"""What is logged does no harm to the terminal."""

from __future__ import annotations

import io
import logging

from omni_agent.runtime.logs import PlainFormatter, plain


def test_a_log_line_is_one_line_whatever_a_caller_put_into_it() -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(PlainFormatter("%(levelname)s %(message)s"))
    forged = "hangup\nERROR all is lost\x1b[2J"
    handler.handle(logging.makeLogRecord({"levelname": "INFO", "msg": "%s", "args": (forged,)}))
    assert stream.getvalue() == "INFO hangup\\nERROR all is lost\\x1b[2J\n"


def test_tabs_and_line_ends_of_a_transcript_stay() -> None:
    assert plain("one\n\ttwo") == "one\n\ttwo"
