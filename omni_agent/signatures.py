"""The parameters of a typed function as a JSON schema, and arguments as its types.

Nothing here knows what a tool is: :mod:`omni_agent.tools` builds on it.
"""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import docstring_parser
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, create_model
from pydantic.errors import PydanticUserError
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaWarningKind

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
    _always_passed: frozenset[str]

    def coerce(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Arguments as the declared types; omitted ones stay omitted.

        Raises ValueError, whose message names the argument.
        """
        try:
            values = self._model.model_validate(dict(arguments))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise ValueError(f"{where}: {first['msg']}" if where else first["msg"]) from None
        return {
            name: getattr(values, field)
            for field, name in self._names.items()
            if field in values.model_fields_set or name in self._always_passed
        }


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
    always: set[str] = set()
    for position, name in enumerate(visible):
        default = parameters[name].default
        hint = hints[name]
        if isinstance(default, FieldInfo):  # x: int = Field(5): the function cannot default itself
            always.add(name)
            hint = Annotated[hint, default]
        annotation = _with_field(hint, name, described.get(name))
        declared = default is inspect.Parameter.empty or name in always
        fields[f"p{position}"] = annotation if declared else (annotation, default)
    model = _model(label, fields, {name: hints[name] for name in visible})
    schema = _tidy(model.model_json_schema(schema_generator=_QuietSchema))
    return Signature(
        description=description,
        schema=schema,
        injected=hidden[0] if hidden else None,
        _model=model,
        _names={f"p{position}": name for position, name in enumerate(visible)},
        _always_passed=frozenset(always),
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
