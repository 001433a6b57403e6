"""What one client has been told so far."""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from omni_agent.server.wire import Json, SessionState

MAX_ITEMS = 1000
"""Items kept for ``conversation.item.retrieve``; the oldest are forgotten."""


class ClientView:
    """The session and the items as the client knows them, shared by both directions.

    metadata: of the next response, as its ``response.create`` gave it. cancelled:
    the client stopped the reply.
    """

    def __init__(self, session: SessionState) -> None:
        self.session = session
        self.items: OrderedDict[str, Json] = OrderedDict()
        self.last_item: str | None = None
        self._before: dict[str, str | None] = {}
        self.metadata: Mapping[str, str] | None = None
        self.cancelled = False
        self._ids = itertools.count(1)

    def event(self, kind: str, /, **fields: Any) -> Json:
        return {"type": kind, "event_id": f"event_{next(self._ids):06d}", **fields}

    def extra(self, name: str, /, **fields: Any) -> list[Json]:
        """An extension event, for clients that asked for them."""
        return [self.event(f"omni.{name}", **fields)] if self.session.extensions else []

    def show(self, item: Json) -> list[Json]:
        """Tell of an item that is complete; one that was told of already is only kept."""
        added = self.begin(item)
        return [*added, self.done(item)] if added else []

    def begin(self, item: Json) -> list[Json]:
        known = item["id"] in self.items
        self.items[item["id"]] = item
        if known:
            return []
        while len(self.items) > MAX_ITEMS:
            gone, _ = self.items.popitem(last=False)
            self._before.pop(gone, None)
        self._before[item["id"]], self.last_item = self.last_item, item["id"]
        return [self._placed("conversation.item.added", item)]

    def done(self, item: Json) -> Json:
        self.items[item["id"]] = item
        return self._placed("conversation.item.done", item)

    def _placed(self, kind: str, item: Json) -> Json:
        return self.event(kind, item=item, previous_item_id=self._before.get(item["id"]))
