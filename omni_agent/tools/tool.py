"""Tools: typed functions a Thinker may call.

``@tool`` reads the JSON schema off the signature and the docstring::

    @tool
    async def order_status(order_id: str, call: ToolContext) -> str:
        \"\"\"Where an order is. order_id: the number on the receipt, e.g. A-1042.\"\"\"

A parameter annotated :class:`ToolContext` is filled in by the session and never
shown to the Thinker.
"""

from __future__ import annotations

import inspect
import keyword
import logging
import re
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, overload

import jsonschema
from jsonschema.exceptions import best_match
from referencing.jsonschema import EMPTY_REGISTRY

from omni_agent.errors import ConfigError, ProtocolError, ToolArgumentsError, words_of
from omni_agent.thinker import ToolSchema
from omni_agent.tools import declared, signatures
from omni_agent.tools.arguments import fitted
from omni_agent.tools.context import ToolContext
from omni_agent.tools.results import render
from omni_agent.tools.signatures import Settled, Signature
from omni_agent.tools.threads import ToolThreads
from omni_agent.utf8 import clean

log = logging.getLogger(__name__)

_MAX_REASON_CHARS = 300
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_ARGUMENT = re.compile(r"\{(\w+)\}")
"""In an approval, where its value stands."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool.

    run: called with validated arguments (and a ToolContext); may be a coroutine
    function; a plain one runs in a thread of its own. timeout_s: then the call fails.
    interruptible: a user's barge-in cancels the running call. approval: what the user is asked
    before it runs, where ``{name}`` stands for an argument ("Shall I open {room}?"); only a
    yes lets it. runs_at: ``client``, the one that declared it runs it, as the Thinker called it,
    and sends what came of it.

    Calling it calls ``run``, as if it had never been made a tool: for tests.
    """

    schema: ToolSchema
    run: Callable[..., Any]
    timeout_s: float = 20.0
    interruptible: bool = False
    approval: str = ""
    runs_at: Literal["server", "client"] = "server"
    context_parameter: str | None = None
    _threads: ToolThreads = field(default_factory=ToolThreads, compare=False, repr=False)
    _validator: Any = field(default=None, compare=False, repr=False)
    _signature: Signature | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Raises ConfigError for a schema that is none, or an approval with unknown arguments."""
        if self._validator is None:
            schema = dict(self.schema.parameters)
            try:
                jsonschema.Draft202012Validator.check_schema(schema)
            except jsonschema.SchemaError as error:
                raise ConfigError(
                    f"tool {self.name!r}: not a JSON schema: {error.message}"
                ) from error
            object.__setattr__(self, "_validator", _validator(schema))
        takes = self.schema.parameters.get("properties", {})
        asked = _ARGUMENT.findall(self.approval)
        if unknown := [name for name in asked if name not in takes]:
            there = ", ".join(takes) or "none"
            raise ConfigError(
                f"tool {self.name!r}: its approval asks with {{{unknown[0]}}}, which is no "
                f"argument; there are: {there}"
            )

    @classmethod
    def at_client(cls, schema: ToolSchema) -> Tool:
        """A tool that the client runs. Nothing is held against its schema here: that would cost
        everybody's time. Raises ProtocolError for a schema that is none, or is more than a stranger
        may bring: see :mod:`omni_agent.tools.declared`."""
        try:
            declared.check(schema.parameters)
        except (ValueError, TypeError, RecursionError) as error:
            raise ProtocolError(f"tool {schema.name!r}: not a JSON schema: {error}") from error
        validator = _validator(schema.parameters)
        return cls(schema, _elsewhere, runs_at="client", _validator=validator)

    @property
    def name(self) -> str:
        return self.schema.name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.run(*args, **kwargs)

    def question(self, arguments: Mapping[str, Any]) -> str:
        """What the user is asked before it runs with these; empty where nobody is."""
        return _ARGUMENT.sub(lambda name: clean(str(arguments.get(name[1], ""))), self.approval)

    def validate(self, arguments: Mapping[str, Any]) -> None:
        """Raises ToolArgumentsError naming the argument and what it should be, or whatever the
        types' own validators raise."""
        if self.runs_at == "server":
            self.settle(arguments)

    def settle(self, arguments: Mapping[str, Any]) -> Settled:
        """What it runs with, fitted to the schema and with its defaults. Raises as ``validate``
        does."""
        given = dict(arguments) if self.runs_at == "client" else self._fitted(arguments)
        if self._signature is None:
            return Settled(given, deepcopy(given))
        try:
            return self._signature.settle(given)
        except ValueError as problem:
            raise ToolArgumentsError(self.name, _cut(str(problem), _MAX_REASON_CHARS)) from None

    async def call(self, arguments: Mapping[str, Any] | Settled, context: ToolContext) -> str:
        """Run it with arguments that are settled, or are now, and render what it gives; the caller
        bounds the time.

        Raises ToolArgumentsError, or whatever the tool raises.
        """
        settled = arguments if isinstance(arguments, Settled) else self.settle(arguments)
        keywords = dict(settled.keywords)
        if inspect.iscoroutinefunction(self.run):
            if self.context_parameter:
                keywords[self.context_parameter] = context
            return render(await self.run(**keywords))
        if self.context_parameter:
            keywords[self.context_parameter] = context.from_thread()
        result = await self._threads.run(
            context.session_id, partial(_run_and_render, self.run, keywords)
        )
        # An object with an async __call__, or a lambda around a coroutine.
        return result if isinstance(result, str) else render(await result)

    def _fits(self, value: Any, schema: Mapping[str, Any]) -> bool:
        return bool(self._validator.evolve(schema=schema).is_valid(value))

    def _fitted(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        try:
            given = fitted(arguments, self.schema.parameters, self._fits)
            error = best_match(self._validator.iter_errors(given))
        except Exception as problem:  # a reference to nothing, or without end
            why = f"the tool's schema does not go with them: {_cut(words_of(problem), 80)}"
            raise ToolArgumentsError(self.name, why) from problem
        if error is not None:
            raise ToolArgumentsError(self.name, _explain(error, self.schema.parameters))
        return given


def _validator(schema: Mapping[str, Any]) -> jsonschema.Draft202012Validator:
    """One that fetches nothing, wherever references lead."""
    return jsonschema.Draft202012Validator(dict(schema), registry=EMPTY_REGISTRY)


def _elsewhere(**arguments: Any) -> Any:
    raise NotImplementedError("the client runs this tool")


def _run_and_render(function: Callable[..., Any], keywords: Mapping[str, Any]) -> Any:
    """The text of a result (in the thread, as it may be slow to tell), or an awaitable."""
    result = function(**keywords)
    return result if inspect.isawaitable(result) else render(result)


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
    approval: str,
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
    signature = signatures.read(function, injected=ToolContext)
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
        approval=approval,
        context_parameter=signature.injected,
        _signature=signature,
    )
    for say, arguments in demonstrations:
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
    approval: str = "",
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
    approval: str = "",
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
            approval=approval,
            examples=examples,
        )

    return make if function is None else make(function)
