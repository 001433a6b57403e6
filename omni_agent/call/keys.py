"""The keys of a telephone: pressed one by one, read as one message."""

from __future__ import annotations

import asyncio

from omni_agent import events
from omni_agent.call.reply_requests import ReplyRequests
from omni_agent.call.state import Call
from omni_agent.commands import ReplyRequest
from omni_agent.conversation import user

KEYS = frozenset("0123456789*#ABCD")
"""RFC 4733, section 3.2."""
PAUSE_S = 2.0
"""Nothing pressed for so long, or the last key ``#``, and what was pressed is a message."""
MOST = 64
"""Keys of one message."""


class Keys:
    """What one caller presses."""

    def __init__(self, call: Call, requests: ReplyRequests) -> None:
        self._call, self._requests = call, requests
        self._pressed = ""
        self._waiting: asyncio.Task[None] | None = None

    def press(self, key: str) -> None:
        """What is no key is ignored."""
        if key not in KEYS or len(self._pressed) >= MOST:
            return
        self._call.emit(events.KeyPressed(self._call.now(), key))
        self._pressed += key
        if self._waiting is not None:
            self._waiting.cancel()
        if key == "#":
            pressed, self._pressed = self._pressed, ""
            self._call.spawn(self._tell(pressed))
        else:
            self._waiting = self._call.spawn(self._read())

    async def _read(self) -> None:
        await asyncio.sleep(PAUSE_S)
        pressed, self._pressed, self._waiting = self._pressed, "", None
        await self._tell(pressed)

    async def _tell(self, pressed: str) -> None:
        item = user(f"[keys pressed: {' '.join(pressed)}]")
        self._call.conversation.add(item)
        self._requests.gave(item)
        await self._requests.answer(ReplyRequest())
