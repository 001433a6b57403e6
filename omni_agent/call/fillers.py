"""What is said while the user waits: "one moment"."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from omni_agent.call.speaker import Speaker
from omni_agent.call.state import Call
from omni_agent.call.utterance import Utterance
from omni_agent.conversation import new_id
from omni_agent.personas.outfit import Outfit
from omni_agent.streams import one

THINKING_S = 5.0
"""Silence of a Thinker, once the turn is over, after which a filler is said."""
FILLER_GROWTH = 1.5
"""Each silence between two fillers is so much longer than the last: a minute has six of them."""

Pending = Callable[[], Sequence["asyncio.Future[Any]"]]
"""What is waited for, as it is now."""


class Fillers:
    """Those of one reply. asking: whether the user has been asked something, and not answered."""

    def __init__(
        self, call: Call, outfit: Outfit, speaker: Speaker, asking: Callable[[], bool]
    ) -> None:
        self._call, self._persona, self._speaker = call, outfit.persona, speaker
        self._asking = asking

    async def while_thinking(self, decided: asyncio.Future[None]) -> None:
        await self._say(lambda: [decided], 1000 * THINKING_S)

    async def while_working(self, work: Pending, *, said: bool) -> None:
        """said: the reply has announced what it does already."""
        turn = self._persona.turn
        await self._say(work, turn.filler_again_ms if said else turn.filler_after_ms)

    async def _say(self, work: Pending, pause_ms: float) -> None:
        """While it goes on in silence, say so: after a first pause, then at growing intervals."""
        if not self._persona.fillers:
            return
        await self._speaker.confirmation.wait()
        while await self._goes_on_in_silence(work, pause_ms / 1000):
            if self._speaker.quiet and not (self._call.attending or self._asking()):
                filler = Utterance(new_id("item"), "filler")
                await self._speaker.speak(filler, one(self._call.next_filler()))
                pause_ms = max(self._persona.turn.filler_again_ms, FILLER_GROWTH * pause_ms)

    async def _goes_on_in_silence(self, work: Pending, seconds: float) -> bool:
        """Once all is said, wait so long; True when some of the work still goes on then."""
        for utterance in self._speaker.utterances:
            await utterance.played.wait()
        running = [part for part in work() if not part.done()]
        if running:
            _, pending = await asyncio.wait(running, timeout=max(seconds, 0.1))
            running = list(pending)
        return bool(running)
