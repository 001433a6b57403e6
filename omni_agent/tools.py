"""Tools: typed functions a Thinker may call.

``@tool`` reads the JSON schema off the signature and the docstring::

    @tool
    async def order_status(order_id: str, call: CallContext) -> str:
        \"\"\"Where an order is. order_id: the number on the receipt, e.g. A-1042.\"\"\"

A parameter annotated :class:`CallContext` is filled in by the session and never
shown to the Thinker.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import json
import re
import types
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, overload

import jsonschema
from pydantic import BaseModel, TypeAdapter, create_model
from pydantic.fields import FieldInfo

from omni_agent.errors import ConfigError, ToolArgumentsError
from omni_agent.thinker import ToolSchema

MAX_OUTPUT_CHARS = 4000
"""A longer result is cut before the Thinker reads it: it must not fill the context."""


class PanelRow(BaseModel, extra="forbid"):
    """One line of a panel. ``state`` picks the colour; ``group`` puts rows under a heading."""

    label: str
    value: str
    group: str = ""
    state: Literal["on", "off", "warn", "none"] = "none"


class Panel(BaseModel, extra="forbid"):
    """State that a tool keeps visible on the call page (a house, a list of timers)."""

    title: str
    rows: list[PanelRow] = []
    empty: str = "Nothing here yet."


class CallContext(Protocol):
    """What a tool may do in the call it runs in. All methods are for the event loop's thread."""

    @property
    def session_id(self) -> str: ...

    @property
    def state(self) -> dict[str, Any]:
        """Scratch space that lives as long as the call; key it with your plugin's name."""
        ...

    def say(self, text: str) -> None:
        """Have the agent say this as soon as nobody is speaking (a timer that rings)."""
        ...

    def show(self, name: str, panel: Panel) -> None:
        """Show or replace a panel on the call page."""
        ...

    def progress(self, text: str) -> None:
        """Tell the page how far this tool call is."""
        ...

    def background(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run something until it ends or the call does; a failure is logged, not fatal."""
        ...


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool.

    run: called with validated arguments (and a CallContext); may be a coroutine
    function; a plain one runs in a worker thread. timeout_s: then the call fails.
    interruptible: a user's barge-in cancels the running call.
    """

    schema: ToolSchema
    run: Callable[..., Any]
    timeout_s: float = 20.0
    interruptible: bool = False
    context_parameter: str | None = None
    examples: tuple[tuple[str, Mapping[str, Any]], ...] = ()
    """(what a user says, the arguments to call with): demonstrations for small models."""
    _validator: Any = field(default=None, compare=False, repr=False)

    @property
    def name(self) -> str:
        return self.schema.name

    def validate(self, arguments: Mapping[str, Any]) -> None:
        """Raises ToolArgumentsError naming the argument and what it should be."""
        validator = self._validator or jsonschema.Draft202012Validator(dict(self.schema.parameters))
        error = next(iter(validator.iter_errors(dict(arguments))), None)
        if error is not None:
            where = ".".join(str(part) for part in error.absolute_path)
            raise ToolArgumentsError(self.name, f"{where}: {error.message}" if where else error.message)

    async def call(self, arguments: Mapping[str, Any], context: CallContext) -> str:
        """Validate, run and render; the caller bounds the time.

        Raises ToolArgumentsError, or whatever the tool raises.
        """
        self.validate(arguments)
        keywords: dict[str, Any] = dict(arguments)
        if self.context_parameter:
            keywords[self.context_parameter] = context
        if inspect.iscoroutinefunction(self.run):
            result = await self.run(**keywords)
        else:
            result = await asyncio.to_thread(self.run, **keywords)
        return render(result)


def render(result: Any) -> str:
    """A tool's return value as the text a Thinker reads; never raises, never huge."""
    if result is None:
        text = "done"
    elif isinstance(result, str):
        text = result
    elif isinstance(result, BaseModel):
        text = result.model_dump_json()
    else:
        try:
            text = json.dumps(result, ensure_ascii=False, default=str)
        except (TypeError, ValueError):
            text = str(result)
    return text if len(text) <= MAX_OUTPUT_CHARS else text[:MAX_OUTPUT_CHARS] + " … (cut)"


@overload
def tool(function: Callable[..., Any], /) -> Tool: ...
@overload
def tool(
    *,
    name: str | None = None,
    description: str | None = None,
    timeout_s: float = 20.0,
    interruptible: bool = False,
    examples: Mapping[str, Mapping[str, Any]] | None = None,
) -> Callable[[Callable[..., Any]], Tool]: ...
def tool(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    timeout_s: float = 20.0,
    interruptible: bool = False,
    examples: Mapping[str, Mapping[str, Any]] | None = None,
) -> Tool | Callable[[Callable[..., Any]], Tool]:
    """Make a tool from a typed function.

    The docstring is the description; ``parameter: what it is`` in it (anywhere,
    up to the end of the line or the next sentence) describes a parameter.
    Raises ConfigError for a function no schema can be made of.
    """

    def make(function: Callable[..., Any]) -> Tool:
        return _tool_from(
            function,
            name=name,
            description=description,
            timeout_s=timeout_s,
            interruptible=interruptible,
            examples=examples,
        )

    return make if function is None else make(function)
