"""What tools ask the user: aloud, one question at a time, until there is a yes or a no."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from omni_agent.call.utterance import Utterance
from omni_agent.conversation import new_id
from omni_agent.turn_taking import Manners

ANSWER_S = 30.0
"""A question that the user has heard, and nobody has answered by then, has no answer."""
MOST_ASKED = 3
"""Times: other things are said in between, and it is asked again. Then it has no answer."""
LOOK_S = 1.0
"""Until it is looked at again: who speaks, what reached the user and what has to be said again
changes in many places, and one that did not tell would leave a tool waiting for ever."""

Say = Callable[[str, Utterance], "asyncio.Future[Any] | None"]
"""Takes words, and what they are said as: done once they are voiced, or never will be. None where
they cannot be said now."""


class Questions:
    """The one that waits for its answer, and how it stands.

    last: what the user heard last of the agent. heard_ms: how much of an utterance. attending:
    whether the user is speaking. ask: has the question said when there is a silence, or before;
    told again as long as it is due.
    """

    def __init__(
        self,
        *,
        last: Callable[[], Utterance | None],
        heard_ms: Callable[[str], float],
        attending: Callable[[], bool],
        ask: Callable[[], None],
    ) -> None:
        self._last, self._heard_ms, self._attending, self._ask = last, heard_ms, attending, ask
        self._one_at_a_time = asyncio.Lock()
        self._text = ""
        self._answer: asyncio.Future[bool] | None = None
        self._utterance: Utterance | None = None
        self._saying: asyncio.Future[Any] | None = None
        self._asked = 0
        self._forgotten = False

    @property
    def pending(self) -> bool:
        return self._answer is not None

    @property
    def stands(self) -> bool:
        """The user has heard it, or is hearing it, and nothing of the agent's since."""
        mine = self._utterance
        if mine is None or self._forgotten:
            return False
        return self.pending and mine.reached_the_user and self._last() is mine

    def heard_by(self, at: float) -> Utterance | None:
        """The question, if the user had heard nearly all of it at this loop time, now or before:
        what they began to say earlier answers something else."""
        mine = self._utterance
        if mine is None or not self.stands:
            return None
        until = mine.silent_since or asyncio.get_running_loop().time()
        heard_since_ms = 1000 * max(0.0, until - at)
        return mine if mine.heard_out(self._heard_ms(mine.id) - heard_since_ms) else None

    def answer(self, text: str, heard: Utterance | None, manners: Manners) -> bool | None:
        """What is said to the question by who had heard this when they began; None when nothing."""
        is_answered = self.pending and heard is not None and heard is self._utterance
        return manners.consents(text) if is_answered else None

    @property
    def _on_its_way(self) -> bool:
        """It waits to be begun, or was begun and goes on."""
        mine, saying = self._utterance, self._saying
        if mine is None or saying is None:
            return False
        return not mine.settled if mine.begun else not saying.done()

    @property
    def due(self) -> bool:
        """Whether it is to be said (again)."""
        waits = self.pending and not self.stands and not self._on_its_way
        return waits and self._asked < MOST_ASKED

    def put(self, say: Say) -> None:
        """Have it said, if it is due; it was asked if it could be."""
        if self.due:
            utterance = Utterance(new_id("item"), "announcement")
            if (saying := say(self._text, utterance)) is not None:
                self._utterance, self._saying = utterance, saying
                self._asked += 1
                self._forgotten = False

    def another(self, said: Sequence[Utterance]) -> None:
        """A reply that has said this asks, too: where the question was heard before that reply, the
        user has gone on to something else, and no answer is waited for in silence."""
        if self.stands and self._utterance not in said:
            self._forgotten = True

    def settle(self, agreed: bool) -> None:
        """The user has answered."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(agreed)

    async def ask(self, text: str) -> bool | None:
        """What the user answers; None when they do not."""
        async with self._one_at_a_time:
            self._text, self._asked, self._forgotten = text, 0, False
            self._answer = answer = asyncio.get_running_loop().create_future()
            try:
                while not answer.done() and not self._lapsed():
                    if self.due and not self._attending():
                        self._ask()
                    await asyncio.wait([answer], timeout=LOOK_S)
                return answer.result() if answer.done() else None
            finally:
                if self._utterance is not None:
                    self._utterance.withdrawn = True
                self._answer = self._utterance = self._saying = None

    def _lapsed(self) -> bool:
        mine = self._utterance
        if mine is None or self._attending() or self._on_its_way:
            return False
        if not self.stands:
            return self._asked >= MOST_ASKED
        now = asyncio.get_running_loop().time()
        return mine.silent_since is not None and now - mine.silent_since >= ANSWER_S
