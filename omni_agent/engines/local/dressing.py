"""Which persona a request is made for, and what its instructions say beside the persona's own."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from omni_agent.conversation import Message
from omni_agent.engines.local.grammar import grammar
from omni_agent.engines.local.prompt import prefix
from omni_agent.thinker import ThinkRequest, ToolSchema

_MOST = 16
"""Personas remembered; one that was forgotten is dressed anew."""


@dataclass(frozen=True, slots=True)
class Dressed:
    """Instructions and tools as last seen together, and the prompt they make.

    calls: the grammar once it is decided that there is a call. lasting: seen without a user's
    words, so nothing in it was found for them alone, and its state is worth a file.
    """

    instructions: str
    tools: tuple[ToolSchema, ...]
    prefix: str
    grammar: str
    calls: str
    lasting: bool


class Dressing:
    """The personas seen lately.

    Text that is added for one turn (what to mend in the last answer) stands after a
    persona's instructions and a blank line. It must not cost the persona's state: that took
    20 s to compute. So instructions that only go on from lasting ones are taken apart.
    """

    def __init__(self) -> None:
        self._seen: OrderedDict[str, Dressed] = OrderedDict()

    def of(self, request: ThinkRequest) -> tuple[Dressed, str]:
        """The persona of a request, and the text beside it."""
        dressed = self._known(request) or self._made(request)
        self._seen.move_to_end(dressed.prefix)
        return dressed, request.instructions[len(dressed.instructions) :].strip()

    def _known(self, request: ThinkRequest) -> Dressed | None:
        """The longest that fits, of several the latest.

        Without tools the prompt stays as it is, under a stricter grammar: another prefix
        would throw away the KV state for a single reply.
        """
        found: Dressed | None = None
        for one in reversed(self._seen.values()):
            longer = found is None or len(one.instructions) > len(found.instructions)
            if longer and request.tools in (one.tools, ()) and _fits(request, one):
                found = one
        return found

    def _made(self, request: ThinkRequest) -> Dressed:
        made = Dressed(
            request.instructions,
            request.tools,
            prefix(request.instructions, request.tools),
            grammar(request.tools),
            grammar(request.tools, speak=False),
            _lasting(request),
        )
        self._seen[made.prefix] = made
        while len(self._seen) > _MOST:
            self._seen.popitem(last=False)
        return made


def _fits(request: ThinkRequest, dressed: Dressed) -> bool:
    lasting = _lasting(request)
    if request.instructions == dressed.instructions:
        return dressed.lasting or not lasting
    goes_on = request.instructions.startswith(f"{dressed.instructions}\n\n")
    return goes_on and dressed.lasting and not lasting


def _lasting(request: ThinkRequest) -> bool:
    last = request.items[-1] if request.items else None
    return last is None or (isinstance(last, Message) and last.role == "assistant")
