"""What a call is begun with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from omni_agent.call.sense import nonsense
from omni_agent.commands import Configure
from omni_agent.conversation import Item, is_item, new_id
from omni_agent.errors import ConfigError
from omni_agent.registry.problems import shown
from omni_agent.wishes import NO_WISHES, Wishes


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRequest:
    """A call that may begin.

    persona: None is the default. caller: whose call it is, as the token, the page's cookie or the
    line says; empty when nobody knows. wishes: laid over the persona. history: the conversation
    of another session that this one goes on with; none of its tool calls runs again.

    idle_s: after so long a silence the agent says goodbye. max_call_s: after so long it says
    goodbye and hangs up, whatever goes on; None is never. session_id: the one name that the call
    has everywhere (client, log, records).

    Raises ConfigError for what cannot be: an item of the history that is none, say.
    """

    persona: str | None = None
    caller: str = ""
    wishes: Wishes = NO_WISHES
    history: Sequence[Item] = ()
    idle_s: float = 900.0
    max_call_s: float | None = None
    session_id: str = field(default_factory=partial(new_id, "call"))

    def __post_init__(self) -> None:
        object.__setattr__(self, "history", _items(self.history))
        why = nonsense(Configure(self.wishes))
        for name, right in (
            ("persona", isinstance(self.persona, str | None)),
            ("caller", isinstance(self.caller, str)),
            ("idle_s", _is_time(self.idle_s)),
            ("max_call_s", self.max_call_s is None or _is_time(self.max_call_s)),
            ("session_id", isinstance(self.session_id, str) and bool(self.session_id)),
        ):
            if not right:
                why = why or f"{name} cannot be {shown(getattr(self, name))}"
        if why:
            raise ConfigError(f"a call's request: {why}")


def _items(history: Any) -> tuple[Item, ...]:
    """As they are now. Raises ConfigError."""
    if not isinstance(history, Iterable):
        raise ConfigError(f"a call's history is a sequence of items, not {shown(history)}")
    items, places = tuple(history), dict[str, int]()
    for place, item in enumerate(items):
        if not is_item(item):
            raise ConfigError(
                f"history[{place}] is no item with all that belongs in it (a Message, whose parts "
                f"are a tuple, a ToolCall or a ToolResult; an id): {shown(item)}"
            )
        if places.setdefault(item.id, place) != place:
            raise ConfigError(
                f"history[{place}] has the id of history[{places[item.id]}], {item.id!r}"
            )
    return items


def _is_time(value: Any) -> bool:
    return isinstance(value, int | float) and value > 0
