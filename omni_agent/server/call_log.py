"""What the operator's log says of a call: a line when it begins, a line when it ends."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from omni_agent import events
from omni_agent.conversation import Message

log = logging.getLogger(__name__)


class CallLog:
    """Watches one call's events. now: seconds, monotonic."""

    def __init__(self, session_id: str, now: Callable[[], float] = time.monotonic) -> None:
        self._id, self._now, self._began = session_id, now, now()
        self._turns, self._last_turn, self._reason = 0, "", ""

    def begin(self, persona: str, active: int, most: int) -> None:
        log.info("call %s begins: persona %s, %d of %d lines", self._id, persona, active, most)

    def see(self, event: events.Event) -> None:
        """An event of the session."""
        match event:
            case events.SessionEnded():
                self._reason = event.reason
            case events.ItemAdded(item=Message(role="user", id=turn)) if turn != self._last_turn:
                self._turns, self._last_turn = self._turns + 1, turn
            case _:
                pass

    def end(self, line: str = "", *, failed: bool = False) -> None:
        """line: why the transport says the line ended; that we hung up is no reason."""
        reason = "failed" if failed else self._reason or "hangup"
        why = f" ({line})" if line not in ("", reason, "hung up") else ""
        log.info(
            "call %s ended after %.0f s: %s%s, %d turns",
            self._id,
            self._now() - self._began,
            reason,
            why,
            self._turns,
        )
