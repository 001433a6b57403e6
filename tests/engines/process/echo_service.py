"""A service without models, for tests of the process around it."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from omni_agent.engines.process import pulse
from omni_agent.engines.process.child import Replies, Report


class Echo:
    lanes: Mapping[str, str] = dict.fromkeys(("count", "wait", "raise", "die", "hang"), "slow")

    def __init__(self, options: Mapping[str, Any], report: Report) -> None:
        report("loading")
        self.info = {"pid": os.getpid(), **options}

    def handle(
        self, op: str, body: Mapping[str, Any], blob: bytes, gone: Callable[[], bool]
    ) -> Replies:
        match op:
            case "echo":
                yield {"said": body["say"]}, blob[::-1]
            case "count":
                for number in range(int(body["to"])):
                    yield {"number": number}, b""
            case "wait":  # until cancelled; leaves a note so that the test can tell
                try:
                    yield {"begun": True}, b""
                    while not gone():
                        time.sleep(0.001)
                finally:
                    Path(body["note"]).write_text("cancelled")
            case "raise":
                raise ValueError("no such thing")
            case "hang":  # a model call that never returns, in the lane or in the reading thread
                yield {"begun": True}, b""
                if note := body.get("note"):
                    Path(note).touch()
                threading.Event().wait()
            case "block":
                threading.Event().wait()
            case "die":
                print("famous last words", file=sys.stderr, flush=True)
                os.kill(os.getpid(), signal.SIGKILL)


def broken(options: Mapping[str, Any], report: Report) -> Echo:
    raise FileNotFoundError("the model is not there")


def dead(options: Mapping[str, Any], report: Report) -> Echo:
    print("out of memory", file=sys.stderr, flush=True)
    os._exit(3)


def hasty(options: Mapping[str, Any], report: Report) -> Echo:
    """Its pulse is a hundred times as fast, so that nobody waits for a deadline."""
    setattr(pulse, "time", SimpleNamespace(sleep=lambda s: time.sleep(s / 100)))  # noqa: B010
    return Echo(options, report)


def stuck(options: Mapping[str, Any], report: Report) -> Echo:
    while True:
        time.sleep(1)


def paused(options: Mapping[str, Any], report: Report) -> Echo:
    """It is stopped while it starts, the first time."""
    if not (note := Path(options["note"])).exists():
        note.touch()
        os.kill(os.getpid(), signal.SIGSTOP)
    return Echo(options, report)
