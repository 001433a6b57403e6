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
import inspect
import keyword
import logging
import re
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, Protocol, overload

import jsonschema
from jsonschema.exceptions import best_match
from pydantic import BaseModel

from omni_agent import signatures
from omni_agent.arguments import fitted
from omni_agent.errors import ConfigError, ToolArgumentsError
from omni_agent.results import render
from omni_agent.thinker import ToolSchema
from omni_agent.threads import ToolThreads

log = logging.getLogger(__name__)

_MAX_REASON_CHARS = 300
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


class PanelRow(BaseModel, extra="forbid"):
    """One line of a panel. ``state`` picks the colour; ``group`` puts rows under a heading.

    until: a moment in seconds since 1970 that the page counts down to; it does so by itself.
    """

    label: str
    value: str
    group: str = ""
    state: Literal["on", "off", "warn", "none"] = "none"
    until: float | None = None


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
    def caller(self) -> str:
        """Whose call it is: what belongs to somebody is kept under this. Empty: nobody knows."""
        ...

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
    function; a plain one runs in a thread of its own. timeout_s: then the call fails.
    interruptible: a user's barge-in cancels the running call.

    Calling it calls ``run``, as if it had never been made a tool: for tests.
    """

    schema: ToolSchema
    run: Callable[..., Any]
    timeout_s: float = 20.0
    interruptible: bool = False
    context_parameter: str | None = None
    examples: tuple[tuple[str, Mapping[str, Any]], ...] = ()
    """(what a user says, the arguments to call with): demonstrations for small models."""
    _threads: ToolThreads = field(default_factory=ToolThreads, compare=False, repr=False)
    _validator: Any = field(default=None, compare=False, repr=False)
    _coerce: Callable[[Mapping[str, Any]], dict[str, Any]] | None = field(
        default=None, compare=False, repr=False
    )

    def __post_init__(self) -> None:
        """Raises ConfigError for a schema that is none."""
        if self._validator is None:
            schema = dict(self.schema.parameters)
            try:
                jsonschema.Draft202012Validator.check_schema(schema)
            except jsonschema.SchemaError as error:
                raise ConfigError(
                    f"tool {self.name!r}: not a JSON schema: {error.message}"
                ) from error
            object.__setattr__(self, "_validator", jsonschema.Draft202012Validator(schema))

    @property
    def name(self) -> str:
        return self.schema.name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.run(*args, **kwargs)

    def validate(self, arguments: Mapping[str, Any]) -> None:
        """Raises ToolArgumentsError naming the argument and what it should be."""
        self._arguments(arguments)

    async def call(self, arguments: Mapping[str, Any], context: CallContext) -> str:
        """Validate, run and render; the caller bounds the time.

        Raises ToolArgumentsError, or whatever the tool raises.
        """
        keywords = self._arguments(arguments)
        if inspect.iscoroutinefunction(self.run):
            if self.context_parameter:
                keywords[self.context_parameter] = context
            return render(await self.run(**keywords))
        if self.context_parameter:
            keywords[self.context_parameter] = _FromThread(context)
        call_id = getattr(context, "session_id", "")
        result = await self._threads.run(call_id, partial(_run_and_render, self.run, keywords))
        # An object with an async __call__, or a lambda around a coroutine.
        return result if isinstance(result, str) else render(await result)

    def _fits(self, value: Any, schema: Mapping[str, Any]) -> bool:
        return bool(self._validator.evolve(schema=schema).is_valid(value))

    def _arguments(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Fitted to the schema and checked, then as the types the function declares."""
        given = fitted(arguments, self.schema.parameters, self._fits)
        error = best_match(self._validator.iter_errors(given))
        if error is not None:
            raise ToolArgumentsError(self.name, _explain(error, self.schema.parameters))
        if self._coerce is None:
            return given
        try:
            return self._coerce(given)
        except ValueError as problem:
            raise ToolArgumentsError(self.name, _cut(str(problem), _MAX_REASON_CHARS)) from None


def _run_and_render(function: Callable[..., Any], keywords: Mapping[str, Any]) -> Any:
    """The text of a result (in the thread, as it may be slow to tell), or an awaitable."""
    result = function(**keywords)
    return result if inspect.isawaitable(result) else render(result)


class _FromThread:
    """A CallContext for a plain function, which runs in a worker thread: same methods,
    carried to the event loop's thread."""

    def __init__(self, context: CallContext) -> None:
        self._context, self._loop = context, asyncio.get_running_loop()

    @property
    def session_id(self) -> str:
        return self._context.session_id

    @property
    def caller(self) -> str:
        return self._context.caller

    @property
    def state(self) -> dict[str, Any]:
        return self._context.state

    def say(self, text: str) -> None:
        self._soon(self._context.say, text)

    def show(self, name: str, panel: Panel) -> None:
        self._soon(self._context.show, name, panel)

    def progress(self, text: str) -> None:
        self._soon(self._context.progress, text)

    def _soon(self, do: Callable[..., None], *arguments: Any) -> None:
        def contained() -> None:
            try:
                do(*arguments)
            except BaseException:  # in the loop's own hands it could end the loop
                log.exception("a tool's call.%s failed", do.__name__)

        self._loop.call_soon_threadsafe(contained)

    def background(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        async def start() -> asyncio.Task[None]:
            return self._context.background(work)

        return asyncio.run_coroutine_threadsafe(start(), self._loop).result(timeout=10)


def _explain(error: jsonschema.ValidationError, parameters: Mapping[str, Any]) -> str:
    where = ".".join(str(part) for part in error.absolute_path)
    message = _cut(error.message, _MAX_REASON_CHARS)
    if error.validator == "additionalProperties" and not where:
        takes = ", ".join(parameters.get("properties", {})) or "no arguments"
        message = f"{message}; it takes {takes}"
    return f"{where}: {message}" if where else message


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[:limit] + " …"


def _tool_from(
    function: Callable[..., Any],
    *,
    name: str | None,
    description: str | None,
    timeout_s: float,
    interruptible: bool,
    examples: Mapping[str, Mapping[str, Any]] | None,
) -> Tool:
    if isinstance(function, type | Tool) or not callable(function):
        raise ConfigError(f"@tool needs a function, not {function!r}")
    if inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function):
        raise ConfigError(f"tool function {function.__qualname__}: return a value, do not yield")
    called = name or str(getattr(function, "__name__", type(function).__name__))
    if not _NAME.fullmatch(called) or keyword.iskeyword(called):
        raise ConfigError(
            f"{called!r} cannot be a tool's name: use up to 64 letters, digits and "
            "underscores; pass name= to @tool"
        )
    if not timeout_s > 0:
        raise ConfigError(f"tool {called!r}: timeout_s must be more than 0, not {timeout_s}")
    signature = signatures.read(function, injected=CallContext)
    demonstrations = tuple((say, dict(arguments)) for say, arguments in (examples or {}).items())
    made = Tool(
        schema=ToolSchema(
            name=called,
            description=description or signature.description or called.replace("_", " "),
            parameters=signature.schema,
            examples=demonstrations,
        ),
        run=function,
        timeout_s=timeout_s,
        interruptible=interruptible,
        context_parameter=signature.injected,
        examples=demonstrations,
        _coerce=signature.coerce,
    )
    for say, arguments in made.examples:
        try:
            made.validate(arguments)
        except ToolArgumentsError as error:
            raise ConfigError(
                f"tool {called!r}: example {say!r} is wrong: {error.reason}"
            ) from error
    return made


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

    The docstring is the description; its Google, NumPy or reST sections describe the
    parameters, or ``parameter: what it is`` anywhere else in it, up to the end of the line
    or the next sentence.
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
