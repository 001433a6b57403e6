"""What a reply does before its turn is certainly over."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable


class Confirmation:
    """Nothing of a draft can be seen, heard or undone: what it does waits here, in order."""

    def __init__(self) -> None:
        self._given = asyncio.Event()
        self._waiting: deque[Callable[[], None]] = deque()

    @property
    def given(self) -> bool:
        return self._given.is_set()

    async def wait(self) -> None:
        """Until the turn is certainly over."""
        await self._given.wait()

    def then(self, action: Callable[[], None]) -> None:
        """Do this once it is certain, after all that waits already."""
        if self.given:
            action()
        else:
            self._waiting.append(action)

    def give(self) -> None:
        """The turn is over: do all that waited, and what that leads to, and go on unhindered."""
        broke: BaseException | None = None
        while self._waiting:
            try:
                self._waiting.popleft()()
            except BaseException as error:  # it takes nothing from what waits behind it
                broke = broke or error
        self._given.set()
        if broke is not None:
            raise broke
