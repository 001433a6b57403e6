"""Which persona a call has, and what its client wishes otherwise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from omni_agent import events
from omni_agent.call.state import Call
from omni_agent.errors import OmniAgentError, ProtocolError
from omni_agent.personas.outfit import Outfit
from omni_agent.wishes import NO_WISHES, Wishes


class Wardrobe(Protocol):
    """Where outfits come from; looked at between turns, so it must be quick."""

    def outfit(self, persona: str | None) -> Outfit:
        """The outfit of a persona as its file is now (None: the default).

        The same object as long as nothing changed. Raises OmniAgentError when
        there is no such persona; a file that broke keeps its last good version.
        """
        ...

    def problems(self) -> Sequence[OmniAgentError]:
        """What went wrong with persona files since the last look."""
        ...


class Dressing:
    """Keeps a call's outfit as it is to be. worn: told when another one is in force.

    It changes between the user's turns; what is being said is said as it was begun.
    """

    def __init__(
        self,
        call: Call,
        wardrobe: Wardrobe,
        persona: str | None,
        wishes: Wishes,
        worn: Callable[[], None],
    ) -> None:
        self._call, self._wardrobe, self._worn = call, wardrobe, worn
        self._persona = persona
        self._wishes = self._worn_wishes = wishes
        self._bare = wardrobe.outfit(persona)

    def choose(self, name: str, wishes: Wishes = NO_WISHES) -> None:
        """Another persona from the next turn on, with these wishes beside those before. Raises
        OmniAgentError when there is none of this name, or none that they go with."""
        wishes = wishes.over(self._wishes)
        self._wardrobe.outfit(name).wishing(wishes)
        self._persona, self._wishes = name, wishes

    def configure(self, wishes: Wishes) -> None:
        """From the user's next turn on so; wishes that cannot be are told, and not one is kept."""
        wishes = wishes.over(self._wishes)
        try:
            self._wardrobe.outfit(self._persona).wishing(wishes)
        except OmniAgentError as error:
            self._call.report("session", error)
            return
        self._wishes = wishes
        if not self._call.attending:
            self.refresh()

    def refresh(self) -> None:
        """Take up the persona as its file is now, and the wishes; one that is gone is worn on."""
        try:
            bare = self._wardrobe.outfit(self._persona)
            changed = bare is not self._bare
            if changed or self._wishes != self._worn_wishes:
                self._wear(bare)
            if changed:
                self._call.emit(events.PersonaChanged(self._call.now(), bare.persona.name))
        except ProtocolError as error:  # it was edited, and has the client's tools of its own now
            self._call.report("session", error)
            self._wishes = replace(self._wishes, tools=())
        except OmniAgentError as error:
            self._call.report("persona", error)
            return
        for problem in self._wardrobe.problems():
            self._call.report("persona", problem)

    def _wear(self, bare: Outfit) -> None:
        """Raises ProtocolError for wishes that do not go with it."""
        wishes = self._wishes
        if self._call.attending:  # a turn ends as it began
            wishes = replace(wishes, turns=self._worn_wishes.turns)
        self._call.outfit = bare.wishing(wishes)
        self._bare, self._worn_wishes = bare, wishes
        self._worn()
