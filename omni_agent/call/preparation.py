"""Reading ahead: the models read what is known before a reply is due."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from dataclasses import replace

from omni_agent.call.state import Call
from omni_agent.conversation import Message
from omni_agent.errors import EngineError
from omni_agent.runtime.scope import answer_of

log = logging.getLogger(__name__)


class Preparation:
    """Has a call's Thinker, and a Talker that reads its states, read what is known so far.

    One reading at a time. A running one is let finish, or on a busy machine nothing
    would ever be read; of those that come meanwhile only the newest waits.
    """

    def __init__(self, call: Call) -> None:
        self._call = call
        self._waiting: deque[Message | None] = deque(maxlen=1)
        self._reading = asyncio.Lock()  # a cancelled reading holds it until it has ended
        self._task: asyncio.Task[None] | None = None

    def read(self, heard: Message | None = None) -> None:
        """Read the conversation, and after it what was heard of a turn that still grows."""
        self._waiting.append(heard)
        task = self._task
        if task is None or task.done() or task.cancelling():
            self._task = self._call.perform(self._run(), "reading ahead")

    def drop(self) -> None:
        """A reply begins to think: leave the models to it."""
        self._waiting.clear()
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        async with self._reading:
            while self._waiting:
                await self._read(self._waiting.popleft())

    async def _read(self, heard: Message | None) -> None:
        stages = self._call.stages
        try:
            features = await answer_of(stages.thinker.prepare(self._call.request(heard)))
            if features is not None:
                voice = replace(self._call.outfit.voice, features=features.handle)
                await answer_of(stages.talker.prepare(voice))
        except EngineError as error:
            log.warning("an engine could not read ahead: %s", error)
        except Exception:  # whatever an engine does here must not cost the call
            log.exception("reading ahead failed")
