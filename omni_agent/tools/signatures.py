"""The parameters of a typed function as a JSON schema, and arguments as its types.

Nothing here knows what a tool is: :mod:`omni_agent.tools` builds on it.
"""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass
from typing import Annotated, Any

import docstring_parser
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, create_model
from pydantic.errors import PydanticUserError
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaWarningKind
from pydantic_core import PydanticSerializationError

from omni_agent.errors import ConfigError

_SENTENCE_END = re.compile(
    r"(?<!\be\.g)(?<!\bi\.e)(?<!\betc)(?<!\bvs)(?<!\bapprox)[.!?](?=\s+[A-Z\"'(]|\s*$)"
)


class _QuietSchema(GenerateJsonSchema):
    """A default that JSON cannot hold is left out of the schema; that is no news."""

    ignored_warning_kinds: set[JsonSchemaWarningKind] = {  # noqa: RUF012  # pydantic's own declaration
        "skipped-choice",
        "non-serializable-default",
    }


@dataclass(frozen=True, slots=True)
class Settled:
    """A call's arguments, read once, defaults and all: what is judged is what runs.

    keywords: as the types that the function declares. told: the same as JSON, for whoever judges
    it or asks about it: a ``SecretStr`` is stars.
    """

    keywords: dict[str, Any]
    told: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Signature:
    """What callers may pass.

    description: the docstring without its parameter descriptions. schema: of
    type object, without ``$ref`` unless a type contains itself. injected: the
    parameter that callers never see, if there is one.
    """

    description: str
    schema: dict[str, Any]
    injected: str | None
    _model: type[BaseModel]
    _names: Mapping[str, str]
    _read_late: frozenset[str]
    """Fields whose values are read as they are asked for, once: ``Iterable[int]``."""

    def settle(self, arguments: Mapping[str, Any]) -> Settled:
        """Arguments as the declared types, and as JSON.

        A value that JSON cannot hold, or that its model does not show, is told as it was given.
        Raises ValueError, whose message names the argument.
        """
        values, told = self._validated(arguments), deepcopy(dict(arguments))
        shown = self._validated(arguments) if self._read_late else values
        for field in self._names:
            model = shown if field in self._read_late else values
            with suppress(PydanticSerializationError):
                dumped = model.model_dump(
                    mode="json", by_alias=True, include={field}, warnings=False
                )
                told = _over(told, dumped)
        return Settled({name: getattr(values, at) for at, name in self._names.items()}, told)

    def _validated(self, arguments: Mapping[str, Any]) -> BaseModel:
        try:
            return self._model.model_validate(dict(arguments))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise ValueError(f"{where}: {first['msg']}" if where else first["msg"]) from None


def _over(given: Any, dumped: Any) -> Any:
    """What was dumped, with what its models leave out."""
    if isinstance(given, dict) and isinstance(dumped, dict):
        return {**given, **{key: _over(given.get(key), value) for key, value in dumped.items()}}
    if isinstance(given, list) and isinstance(dumped, list) and len(given) == len(dumped):
        return list(map(_over, given, dumped))
    return dumped


def read(function: Callable[..., Any], *, injected: type) -> Signature:
    """Read a function's signature and docstring.

    injected: the type of the one parameter that callers never see. Raises
    ConfigError, naming function and parameter, when no schema can be made.
    """
    label = getattr(function, "__qualname__", repr(function))
    hints = _hints(function, label, injected)
    parameters = _parameters(function, label)
    hidden = [name for name in parameters if _is_injected(hints.get(name), injected)]
    if len(hidden) > 1:
        raise ConfigError(f"tool function {label}: only one parameter can be a {injected.__name__}")
    visible = [name for name in parameters if name not in hidden]
    for name in visible:
        if name not in hints:
            raise ConfigError(
                f"tool function {label}: parameter {name!r} needs a type, e.g. {name}: str"
            )
    description, described = _split_docstring(inspect.getdoc(function) or "", visible)
    fields: dict[str, Any] = {}
    for position, name in enumerate(visible):
        default = parameters[name].default
        hint = hints[name]
        if is_field := isinstance(default, FieldInfo):  # x: int = Field(5)
            hint = Annotated[hint, default]
        annotation = _with_field(hint, name, described.get(name))
        declared = is_field or default is inspect.Parameter.empty
        fields[f"p{position}"] = annotation if declared else (annotation, default)
    model = _model(label, fields, {name: hints[name] for name in visible})
    schema = _tidy(model.model_json_schema(schema_generator=_QuietSchema))
    return Signature(
        description=description,
        schema=schema,
        injected=hidden[0] if hidden else None,
        _model=model,
        _names={f"p{position}": name for position, name in enumerate(visible)},
        _read_late=frozenset(_late(model, [hints[name] for name in visible])),
    )


def _hints(function: Callable[..., Any], label: str, injected: type) -> dict[str, Any]:
    target: Any = function
    if not inspect.isroutine(target):
        # functools.partial, or an object with __call__
        target = getattr(target, "func", None) or type(target).__call__
    target = inspect.unwrap(target)
    # An import under TYPE_CHECKING is invisible here, and that is how linters
    # want the injected type imported.
    names = {injected.__name__: injected, **getattr(target, "__globals__", {})}
    try:
        return typing.get_type_hints(target, globalns=names, include_extras=True)
    except (NameError, TypeError, SyntaxError, AttributeError) as error:
        raise ConfigError(
            f"tool function {label}: cannot resolve its annotations ({error}); "
            "use types that its module can see when it is imported"
        ) from error


def _parameters(function: Callable[..., Any], label: str) -> Mapping[str, inspect.Parameter]:
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError) as error:
        raise ConfigError(f"tool function {label}: has no readable signature ({error})") from error
    for name, parameter in parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise ConfigError(f"tool function {label}: *{name} cannot be described; name them all")
        if parameter.kind is parameter.POSITIONAL_ONLY:
            raise ConfigError(f"tool function {label}: {name!r} is positional-only; remove the /")
    return parameters


def _is_injected(hint: Any, injected: type) -> bool:
    return hint is injected or injected in typing.get_args(hint)


def _with_field(hint: Any, name: str, described: str | None) -> Any:
    """The hint with its outside name (a field may not be called ``json`` or ``_x``)."""
    metadata = getattr(hint, "__metadata__", ())
    text = next((part for part in metadata if isinstance(part, str)), None) or described
    if any(isinstance(part, FieldInfo) and part.description for part in metadata):
        text = None
    return Annotated[hint, Field(alias=name, description=text) if text else Field(alias=name)]


def _model(label: str, fields: dict[str, Any], hints: Mapping[str, Any]) -> type[BaseModel]:
    try:
        model: type[BaseModel] = create_model(
            "Arguments", __config__=ConfigDict(extra="forbid"), **fields
        )
        model.model_json_schema(schema_generator=_QuietSchema)
    except (PydanticUserError, TypeError, NameError) as error:
        culprit = _culprit(hints)
        where = f"parameter {culprit!r}" if culprit else "its parameters"
        reason = str(error).splitlines()[0]
        raise ConfigError(
            f"tool function {label}: no JSON schema can be made of {where} ({reason})"
        ) from error
    return model


def _culprit(hints: Mapping[str, Any]) -> str | None:
    for name, hint in hints.items():
        try:
            TypeAdapter(hint).json_schema(schema_generator=_QuietSchema)
        except (PydanticUserError, TypeError, NameError):
            return name
    return None


def _late(model: type[BaseModel], hints: Iterable[Any]) -> Iterator[str]:
    if _reads_late(model.__pydantic_core_schema__):
        for position, hint in enumerate(hints):
            if _reads_late(TypeAdapter(hint).core_schema):
                yield f"p{position}"


def _reads_late(schema: Any) -> bool:
    """Whether a generator is in a core schema of pydantic's."""
    match schema:
        case {"type": "generator"}:
            return True
        case dict():
            return any(_reads_late(part) for key, part in schema.items() if key != "default")
        case list() | tuple():
            return any(map(_reads_late, schema))
        case _:
            return False


def _tidy(schema: dict[str, Any]) -> dict[str, Any]:
    """Without generated titles, and with every reference that can be inlined inlined."""
    definitions = schema.pop("$defs", {})
    tidy: dict[str, Any] = _inline(schema, definitions, ())
    kept: dict[str, Any] = {}
    pending = _references(tidy)
    while pending:
        name = pending.pop()
        if name not in kept:
            kept[name] = _inline(definitions[name], definitions, (name,))
            pending |= _references(kept[name])
    if kept:
        tidy["$defs"] = kept
    tidy.setdefault("properties", {})
    return tidy


def _inline(node: Any, definitions: Mapping[str, Any], inside: tuple[str, ...]) -> Any:
    if isinstance(node, list):
        return [_inline(part, definitions, inside) for part in node]
    if not isinstance(node, dict):
        return node
    reference = node.get("$ref")
    if isinstance(reference, str):
        name = reference.removeprefix("#/$defs/")
        if name in inside or name not in definitions:
            return dict(node)
        beside = {key: value for key, value in node.items() if key != "$ref"}
        return _inline({**definitions[name], **beside}, definitions, (*inside, name))
    tidy: dict[str, Any] = {}
    for key, value in node.items():
        if key == "title" and isinstance(value, str):
            continue
        if key in ("properties", "patternProperties"):
            # Keys here are the user's names, "title" and "$ref" among them.
            tidy[key] = {name: _inline(part, definitions, inside) for name, part in value.items()}
        elif key in ("default", "const", "enum", "examples", "discriminator"):
            tidy[key] = value
        else:
            tidy[key] = _inline(value, definitions, inside)
    tidy.pop("discriminator", None)  # OpenAPI's, and it points into what was inlined
    return tidy


def _references(node: Any) -> set[str]:
    if isinstance(node, list):
        return set().union(*map(_references, node))
    if not isinstance(node, dict):
        return set()
    reference = node.get("$ref")
    own = {reference.removeprefix("#/$defs/")} if isinstance(reference, str) else set()
    return own.union(*(_references(value) for value in node.values()))


def _split_docstring(text: str, names: Iterable[str]) -> tuple[str, dict[str, str]]:
    """A docstring as (what it does, {parameter: what it is}).

    Understands the sections of Google, NumPy and reST, and ``name: text`` anywhere else; what
    is said of results and errors goes.
    """
    try:
        parsed = docstring_parser.parse(text)
    except docstring_parser.ParseError:
        return _split_prose(text, names)
    documented: dict[str, str] = {}
    for parameter in parsed.params:
        for name in re.split(r"[,\s*`]+", parameter.arg_name):
            if words := _squeeze(parameter.description or ""):
                documented.setdefault(name, words.removesuffix("."))
    prose = "\n\n".join(filter(None, (parsed.short_description, parsed.long_description)))
    description, described = _split_prose(prose, [n for n in names if n not in documented])
    return description, {**described, **documented}


def _split_prose(text: str, names: Iterable[str]) -> tuple[str, dict[str, str]]:
    """Takes ``name: text`` and ``name (type): text`` out of a text.

    A description ends with its sentence, or with its line unless the next one goes on in
    lower case.
    """
    known = "|".join(sorted(map(re.escape, names), key=len, reverse=True))
    if not known:
        return _squeeze(text), {}
    start = re.compile(rf"(?<![\w.])`*({known})`*(?:\s*\([^)\n]*\))?:(?=\s)\s*")
    described: dict[str, str] = {}
    rest: list[str] = []
    position = 0
    for match in start.finditer(text):
        if match.start() < position:
            continue
        following = start.search(text, match.end())
        end = _description_end(text, match.end(), following.start() if following else len(text))
        rest.append(text[position : match.start()])
        words = _squeeze(text[match.end() : end]).rstrip(" ;,")
        if words:
            described.setdefault(match.group(1), words.removesuffix("."))
        position = end
    rest.append(text[position:])
    return _squeeze("".join(rest)), described


def _description_end(text: str, start: int, limit: int) -> int:
    sentence = _SENTENCE_END.search(text, start, limit)
    end = sentence.end() if sentence else limit
    for line_end in re.finditer(r"\n", text[start:end]):
        following = text[start + line_end.end() : end].split("\n", 1)[0].strip()
        if not following or not (following[0].islower() or following[0].isdigit()):
            return start + line_end.start()
    return end


def _squeeze(text: str) -> str:
    return " ".join(text.split())
