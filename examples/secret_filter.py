"""A text filter between Thinker and Talker: the door code is thought of, never voiced.

A filter is a function from a stream of text to a stream of text. It sees all
that would be said, before any of it is.
"""

from collections.abc import Mapping

from omni_agent import Agent, Persona, TextFilter, hookimpl
from omni_agent.text import rewriting

DOOR_CODE = r"\b4\W?7\W?1\W?1\b"


class KeepsSecrets:
    """A plugin, here as an object of the application's own."""

    @hookimpl
    def text_filters(self, persona: Persona) -> Mapping[str, TextFilter]:
        return {"no-door-code": rewriting(DOOR_CODE, "a secret", phrase=True)}


PORTER = Persona(
    name="Porter",
    filters=("no-markdown", "no-door-code"),
    greeting="Good evening. Who is there?",
    thinker="You guard a door. Its code is 4711. Be polite and brief.",
)

if __name__ == "__main__":
    Agent(persona=PORTER, plugins=[KeepsSecrets()]).serve()
