"""The sound of one reply on its way from the Thinker's stream to the Talker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from omni_agent.audio import AudioFrame
from omni_agent.errors import EngineError

_LONGEST_S = 900.0


class ReplySound:
    """What ``Features`` carries: the Thinker puts frames, the Talker plays them, once.

    whole: the reply came to its end. calling: behind the words is a tool call, which
    the server voices, too: its sound must not be played. enough: the words were voiced,
    what follows is not wanted.
    """

    def __init__(self) -> None:
        self._frames: asyncio.Queue[AudioFrame | None] = asyncio.Queue()
        self._seconds = 0.0
        self._claimed = False
        self.whole = self.calling = self.enough = False

    def put(self, frame: AudioFrame) -> None:
        """Raises EngineError when the server does not stop."""
        self._seconds += frame.seconds
        if self._seconds > _LONGEST_S:
            raise EngineError(f"the server has sent more than {_LONGEST_S:.0f} s of speech")
        if frame.samples:
            self._frames.put_nowait(frame)

    def end(self, *, whole: bool) -> None:
        """No frame follows."""
        self.whole = self.whole or whole
        self._frames.put_nowait(None)

    def taken(self) -> list[AudioFrame]:
        """The frames that are there now, for who does not wait for others."""
        there = [self._frames.get_nowait() for _ in range(self._frames.qsize())]
        return [frame for frame in there if frame is not None]

    def claim(self) -> bool:
        """True for the first who wants to play it."""
        claimed, self._claimed = self._claimed, True
        return not claimed

    async def frames(self) -> AsyncGenerator[AudioFrame, None]:
        """Until ``end``."""
        while (frame := await self._frames.get()) is not None:
            yield frame
