"""A call's transport, whatever line it is of, with somebody who watches."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

from omni_agent.events import ErrorOccurred, Event
from omni_agent.lines.wrapped import WrappedTransport
from omni_agent.transport import Transport

log = logging.getLogger(__name__)


class Watched(WrappedTransport):
    """Hands everything on to a transport whose ``notify`` may raise.

    watch: told of every event, as the client is. dev: the client is told why something
    failed, not only that it did.
    """

    def __init__(
        self, transport: Transport, watch: Callable[[Event], None], *, dev: bool = False
    ) -> None:
        super().__init__(transport)
        self._watch, self._dev = watch, dev

    def notify(self, event: Event) -> None:
        try:
            self._watch(event)
            if self._dev and isinstance(event, ErrorOccurred) and event.detail:
                event = replace(event, message=event.detail)
            super().notify(event)
        except Exception:  # telling the client must never break the call it tells of
            log.exception("an event could not be told: %r", event)
