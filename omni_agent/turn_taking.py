"""The contracts of taking turns: when the user's is over, and what words mean for who speaks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from omni_agent.audio import AudioFrame
from omni_agent.conversation import Item


class Manners(Protocol):
    """What words mean for who speaks, in one language. Asked on the event loop: quick, and pure."""

    def is_backchannel(self, text: str) -> bool:
        """True for a listening noise such as "mm-hm" or "okay, right": not a turn."""
        ...

    def is_patience(self, text: str) -> bool:
        """True for what answers "One moment, please.": "okay", "sure", "mm-hm"; never a "yes"."""
        ...

    def is_hum(self, text: str) -> bool:
        """True for a sound that says nothing, where nothing was asked: "hmm", "ah"."""
        ...

    def is_command(self, text: str) -> bool:
        """True for what must stop the agent whatever else it may be: missed, it angers."""
        ...

    def is_unfinished(self, text: str) -> bool:
        """True when the words so far ask for more: "set a timer for"."""
        ...

    def is_question(self, text: str) -> bool:
        """True when the last sentence asks something."""
        ...

    def is_farewell(self, text: str, after: str = "") -> bool:
        """True when the user says goodbye and nothing else.

        after: what the agent said before. "Goodbye." is an answer to "How do you say auf
        Wiedersehen?", and none to "Is there anything else?".
        """
        ...

    def consents(self, text: str) -> bool | None:
        """Whether this answers "Shall I?" with yes or with no; None for whatever is neither.

        What has a condition ("yes, but later") is neither.
        """
        ...


@runtime_checkable
class PartialManners(Manners, Protocol):
    """Manners that know some of it only; of the rest they say what the language's say."""

    def tells(self, what: str) -> bool:
        """Whether what this method says is their own: ``tells("consents")``."""
        ...


class TurnEnd(Protocol):
    """A learned end of turn: told of a pause, it says whether the user has done speaking."""

    async def is_over(self, audio: AudioFrame, words: str, items: Sequence[Item]) -> float:
        """The probability in [0, 1] that nothing follows.

        audio: the turn so far, 16 kHz, the pause at its end. words: what the ears made of it by
        now; empty when they have found none. items: the conversation before it. Asked once a
        pause, unless its words hang, and cancelled when the user goes on. Raises EngineError; the
        words' own rules then decide.
        """
        ...

    async def aclose(self) -> None:
        """Give the model up."""
        ...
