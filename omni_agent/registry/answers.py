"""Reading what hooks return, which may be anything."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Any, TypeVar, cast, get_args

from pydantic import BaseModel, ValidationError

from omni_agent.conversation import Part, TextPart, is_part
from omni_agent.engine import Engine
from omni_agent.line import Line
from omni_agent.registry.problems import Complain, Misfit, shown
from omni_agent.tools.approval import ALLOWED, Verdict
from omni_agent.tools.tool import Tool
from omni_agent.transport import Transport
from omni_agent.turn_taking import Manners
from omni_agent.utf8 import clean

T = TypeVar("T")

MOST_PARTS = 500
"""Tools, filters, engines or lines of one plugin; an endless generator ends here."""
MOST_CONTEXT_CHARS = 8000
"""Of what one plugin finds for a turn: 2,000 tokens, which stay in the conversation."""


def tools(answer: Any, complain: Complain) -> list[Tool] | None:
    if answer is None:
        return None
    if isinstance(answer, str | Mapping | Tool) or not isinstance(answer, Iterable):
        raise Misfit(f"returned {shown(answer)}, not a list of tools")
    tools: dict[str, Tool] = {}
    for tool in islice(answer, MOST_PARTS):
        if not isinstance(tool, Tool):
            complain(f"returned {shown(tool)}, which is not a Tool: is @tool missing?")
        elif tools.setdefault(tool.name, tool) is not tool:
            complain(f"returned two tools {tool.name!r}; the first is used")
    return list(tools.values())


def connected(answer: Any, complain: Complain) -> list[Tool]:
    """Nothing is an answer, too: whoever has not answered may have some."""
    return tools(answer, complain) or []


def engines(answer: Any, complain: Complain) -> list[Engine] | None:
    return _all_of(Engine, "an Engine", answer, complain)


def lines(answer: Any, complain: Complain) -> list[Line] | None:
    return _all_of(Line, "a Line", answer, complain)


def _all_of(kind: type[T], called: str, answer: Any, complain: Complain) -> list[T] | None:
    if answer is None:
        return None
    if isinstance(answer, str | Mapping | kind) or not isinstance(answer, Iterable):
        raise Misfit(f"returned {shown(answer)}, not a list of {kind.__name__.lower()}s")
    every = list(islice(answer, MOST_PARTS))
    for strange in (each for each in every if not isinstance(each, kind)):
        complain(f"returned {shown(strange)}, which is not {called}")
    return [each for each in every if isinstance(each, kind)]


def by_name(answer: Any, complain: Complain) -> dict[str, Callable[..., Any]] | None:
    if answer is None:
        return None
    if not isinstance(answer, Mapping):
        raise Misfit(f"returned {shown(answer)}, not a mapping from names to functions")
    functions: dict[str, Callable[..., Any]] = {}
    for name, function in islice(answer.items(), MOST_PARTS):
        if isinstance(name, str) and callable(function):
            functions[name] = function
        else:
            complain(f"returned {shown(name)}: {shown(function)}, not a name and a function")
    return functions


def parts(answer: Any, complain: Complain) -> tuple[Part, ...] | None:
    """What a Thinker is to read."""
    if answer is None:
        return None
    if isinstance(answer, str):
        return _within((TextPart(clean(answer).strip()),), complain)
    if isinstance(answer, bytes | Mapping) or not isinstance(answer, Iterable):
        raise Misfit(f"returned {shown(answer)}, not a text or parts of a message")
    found: list[Part] = []
    for part in islice(answer, MOST_PARTS):
        if is_part(part):
            found.append(TextPart(clean(part.text)) if isinstance(part, TextPart) else part)
        else:
            complain(f"returned {shown(part)}, which is not a part of a message")
    return _within(found, complain)


def _within(found: Iterable[Part], complain: Complain) -> tuple[Part, ...]:
    """The parts, their texts cut where all of them together are too long."""
    kept: list[Part] = []
    left = MOST_CONTEXT_CHARS
    for part in found:
        if isinstance(part, TextPart):
            if len(part.text) > left:
                complain(f"found more than {MOST_CONTEXT_CHARS:,} characters; the rest is cut")
            part = TextPart(part.text[:left])
            left -= len(part.text)
        if part != TextPart(""):
            kept.append(part)
    return tuple(kept)


def verdict(answer: Any, complain: Complain) -> Verdict:
    if answer is None:
        return ALLOWED
    if not isinstance(answer, get_args(Verdict)):
        raise Misfit(f"returned {shown(answer)}, not Allow(), Deny(reason) or Ask(question)")
    words = getattr(answer, "reason", getattr(answer, "question", "x"))
    if not isinstance(words, str) or not words.strip():
        raise Misfit(f"returned {shown(answer)}, without words")
    return cast("Verdict", answer)


def settings(answer: Any, complain: Complain) -> type[BaseModel] | None:
    """A model of which a persona need not say anything."""
    if answer is None:
        return None
    if not (isinstance(answer, type) and issubclass(answer, BaseModel)):
        raise Misfit(f"returned {shown(answer)}, not a pydantic model's class")
    try:
        answer()
    except ValidationError as error:
        wanting = ", ".join(str(part) for each in error.errors() for part in each["loc"])
        raise Misfit(f"returned a model that needs {wanting}: give all a default") from error
    return answer


def transport(answer: Any, complain: Complain) -> Transport | None:
    if answer is not None and not isinstance(answer, Transport):
        raise Misfit(f"returned {shown(answer)}, which is no Transport: subclass WrappedTransport")
    return answer


def nothing(answer: Any, complain: Complain) -> None:
    """What an observer returns is of no interest."""


def done(answer: Any, complain: Complain) -> bool:
    """Of a hook that is known to have done something by not having failed."""
    return True


def manners(answer: Any, complain: Complain) -> Any:
    """Whatever has some of them."""
    there = [name for name in vars(Manners) if not name.startswith("_")]
    if answer is not None and not any(callable(getattr(answer, name, None)) for name in there):
        raise Misfit(f"returned {shown(answer)}, which has none of {', '.join(there)}")
    return answer


READ: Mapping[str, Callable[[Any, Complain], Any]] = {
    "register_tools": tools,
    "connect_tools": connected,
    "register_engines": engines,
    "register_lines": lines,
    "text_filters": by_name,
    "manners": manners,
    "context": parts,
    "before_tool": verdict,
    "register_settings": settings,
    "agent_started": nothing,
    "agent_stopping": nothing,
    "wrap_transport": transport,
    "session_started": nothing,
    "session_ended": nothing,
    "event_emitted": nothing,
    "register_cli": done,
}
"""What each hook's answers are made of: from whatever a plugin returned, or None for nothing.
Raises Misfit, and whatever looking at it raises."""
