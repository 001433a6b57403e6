"""What plugins find for a user's turn, asked for once whoever needs it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass

from omni_agent.call.state import Call
from omni_agent.conversation import Message, Part
from omni_agent.hookspecs import Turn

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Lookup:
    """What is being found for a turn and its words; without a task, nothing ever is."""

    turn: str = ""
    text: str = ""
    task: asyncio.Task[Message | None] | None = None

    @property
    def done(self) -> bool:
        return self.task is None or self.task.done()

    @property
    def message(self) -> Message | None:
        """What the Thinker is to read before the turn; None while that is not known."""
        task = self.task
        return task.result() if task and task.done() and not task.cancelled() else None

    async def found(self) -> Message | None:
        """What it comes to; whoever stops waiting does not stop it."""
        if self.task is not None:
            await asyncio.wait([self.task])
        return self.message


NOTHING = Lookup()


class Retrieval:
    """Looks a turn up once: drafts of it, the reply and the rounds of that share what is found.

    The words of a draft that the user goes on from are looked up anew when there are more.
    """

    def __init__(self, call: Call) -> None:
        self._call = call
        self._latest = NOTHING

    def beside(self, heard: Message | None) -> Lookup:
        """What there is to read beside what was heard; a message without words has nothing."""
        if heard is None or not heard.text:
            return NOTHING
        if (self._latest.turn, self._latest.text) != (heard.id, heard.text):
            self._latest = self._begun(heard)
        return self._latest

    def _begun(self, heard: Message) -> Lookup:
        call = self._call
        before = tuple(item for item in call.conversation if item.id != heard.id)
        persona, settings = call.outfit.persona.name, call.outfit.settings
        turn = Turn(heard.text, call.session_id, call.caller, persona, before, settings)
        if (finding := call.counsel.retrieve(turn)) is None:
            return NOTHING
        return Lookup(heard.id, heard.text, call.spawn(_message_of(finding)))


async def _message_of(finding: Awaitable[Sequence[Part]]) -> Message | None:
    try:
        parts = tuple(await finding)
    except Exception:  # a bug of ours: the turn is answered without
        log.exception("looking a turn up failed")
        return None
    return Message("system", parts, retrieved=True) if parts else None
