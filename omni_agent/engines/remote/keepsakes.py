"""What a server sends with a call and wants back with it."""

from __future__ import annotations

import json
from collections import OrderedDict
from typing import Any

_LONGEST = 100_000
_REMEMBERED = 8 << 20
"""Characters. Gemini's signatures have some thousands: a thousand calls and more."""


class Keepsakes:
    """``extra_content`` by the call's id; what was used longest ago is forgotten.

    Gemini 3 puts a ``thought_signature`` there, and refuses every request that has the call
    without it (Google, "Thought signatures").
    """

    def __init__(self, remembered: int = _REMEMBERED) -> None:
        """remembered: characters, over all calls."""
        self._remembered, self._size = remembered, 0
        self._kept: OrderedDict[str, tuple[Any, int]] = OrderedDict()

    def keep(self, call_id: str, extra: Any) -> None:
        size = len(json.dumps(extra))
        if size > _LONGEST:
            return
        self._kept[call_id] = extra, size
        self._size += size
        while self._size > self._remembered:
            self._size -= self._kept.popitem(last=False)[1][1]

    def of(self, call_id: str) -> Any:
        """None when there is nothing."""
        if call_id not in self._kept:
            return None
        self._kept.move_to_end(call_id)
        return self._kept[call_id][0]
