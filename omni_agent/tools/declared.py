"""Schemas of tools that a client declares: a stranger's, looked at before anything is made of them.

Checking one with jsonschema takes half a millisecond of everybody's for each schema inside it, and
what its patterns and references may cost an engine that is guided by it has no bound. So a client's
is read as a model of the keywords that count here, and is bounded in all that work grows with.
Arguments are never held against one: alternatives in each other cost seconds that no count of them
foretells, and the client reads its calls itself.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterator, Mapping
from functools import lru_cache
from itertools import islice
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, Field, FiniteFloat, ValidationError

MOST_SCHEMAS = 256
"""In the schema of one tool, those that it refers to counted wherever it does."""
DEEPEST = 16
"""So deep may they lie in each other, references followed."""

MOST_OBJECTS = 2 * MOST_SCHEMAS
"""Of JSON, in the schema of one tool, what it brings together and names among them."""

T = TypeVar("T", bound=Hashable)
Kind = Literal["array", "boolean", "integer", "null", "number", "object", "string"]
Count = Annotated[int, Field(ge=0)]


def _no(value: Any) -> Any:
    raise ValueError("cannot be in the schema of a client's tool")


def _distinct(values: list[T]) -> list[T]:
    if len(set(values)) < len(values):
        raise ValueError("names something twice")
    return values


_Refused = Annotated[Any, AfterValidator(_no)]
_Names = Annotated[list[str], AfterValidator(_distinct)]
_Kinds = Annotated[list[Kind], Field(min_length=1), AfterValidator(_distinct)]


class _Schema(BaseModel, strict=True):
    """A JSON schema (2020-12); what is not named here means nothing."""

    type: Kind | _Kinds = "object"
    enum: list[Any] = []
    required: _Names = []
    ref: str = Field("", alias="$ref")

    properties: dict[str, _Schema | bool] = {}
    defs: dict[str, _Schema | bool] = Field({}, alias="$defs")
    definitions: dict[str, _Schema | bool] = {}
    dependent_schemas: dict[str, _Schema | bool] = Field({}, alias="dependentSchemas")
    all_of: list[_Schema | bool] = Field([], alias="allOf", min_length=1)
    any_of: list[_Schema | bool] = Field([], alias="anyOf", min_length=1)
    one_of: list[_Schema | bool] = Field([], alias="oneOf", min_length=1)
    prefix_items: list[_Schema | bool] = Field([], alias="prefixItems", min_length=1)
    items: _Schema | bool = True
    additional_properties: _Schema | bool = Field(True, alias="additionalProperties")
    unevaluated_properties: _Schema | bool = Field(True, alias="unevaluatedProperties")
    unevaluated_items: _Schema | bool = Field(True, alias="unevaluatedItems")
    property_names: _Schema | bool = Field(True, alias="propertyNames")
    contains: _Schema | bool = True
    not_: _Schema | bool = Field(False, alias="not")
    if_: _Schema | bool = Field(True, alias="if")
    then: _Schema | bool = True
    else_: _Schema | bool = Field(True, alias="else")

    minimum: FiniteFloat = 0
    maximum: FiniteFloat = 0
    exclusive_minimum: FiniteFloat = Field(0, alias="exclusiveMinimum")
    exclusive_maximum: FiniteFloat = Field(0, alias="exclusiveMaximum")
    multiple_of: Annotated[FiniteFloat, Field(gt=0)] = Field(1, alias="multipleOf")
    min_length: Count = Field(0, alias="minLength")
    max_length: Count = Field(0, alias="maxLength")
    min_items: Count = Field(0, alias="minItems")
    max_items: Count = Field(0, alias="maxItems")
    min_contains: Count = Field(0, alias="minContains")
    max_contains: Count = Field(0, alias="maxContains")
    min_properties: Count = Field(0, alias="minProperties")
    max_properties: Count = Field(0, alias="maxProperties")
    dependent_required: dict[str, _Names] = Field({}, alias="dependentRequired")
    description: str = ""

    pattern: _Refused = None
    unique_items: _Refused = Field(None, alias="uniqueItems")
    pattern_properties: _Refused = Field(None, alias="patternProperties")
    dynamic_ref: _Refused = Field(None, alias="$dynamicRef")
    recursive_ref: _Refused = Field(None, alias="$recursiveRef")
    id: _Refused = Field(None, alias="$id")


def check(parameters: Mapping[str, Any]) -> None:
    """Raises ValueError for what is no JSON schema of an object's, or is none for a stranger's.

    Patterns are not for strangers, nor is what refers outside itself, or to itself.
    """
    _check(json.dumps(parameters, allow_nan=False, ensure_ascii=False).encode())


@lru_cache(64)
def _check(written: bytes) -> None:
    """What is worn by turns is looked at once."""
    if written.count(b"{") > MOST_OBJECTS:
        raise ValueError(f"over {MOST_OBJECTS} objects of JSON")
    _check_size(json.loads(written))


def _read(schema: Any) -> _Schema:
    try:
        return _Schema.model_validate(schema)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])[:200]
        raise ValueError(f"{where}: {first['msg']}") from error


def _check_size(parameters: Mapping[str, Any]) -> None:
    """Level by level, so that what refers to itself ends where all that is too deep does."""
    level, seen = [_read(parameters)], 1
    known: dict[int, _Schema] = {}
    for _ in range(DEEPEST):
        inner = (one for schema in level for one in _inside(schema, parameters, known))
        level = list(islice(inner, MOST_SCHEMAS + 1 - seen))
        seen += len(level)
        if not level:
            return
        if seen > MOST_SCHEMAS:
            raise ValueError(f"over {MOST_SCHEMAS} schemas, counted wherever they are referred to")
    raise ValueError(f"schemas over {DEEPEST} deep in each other, or one that refers to itself")


def _inside(
    schema: _Schema, root: Mapping[str, Any], known: dict[int, _Schema]
) -> Iterator[_Schema]:
    """Those right below a schema, what it refers to among them."""
    for name in schema.model_fields_set:
        yield from _schemas(getattr(schema, name))
    refers = "ref" in schema.model_fields_set  # "" is the whole schema, as "#" is
    if refers and not isinstance(target := _target(schema.ref, root), bool):
        if id(target) not in known:
            known[id(target)] = _read(target)
        yield known[id(target)]


def _schemas(value: Any) -> Iterator[_Schema]:
    """Of one keyword."""
    if isinstance(value, dict):
        value = list(value.values())
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, _Schema):
            yield one


def _target(reference: str, root: Mapping[str, Any]) -> Any:
    """What a reference within the schema stands for. Raises ValueError for any other."""
    start, *keys = reference.split("/")
    node: Any = root if start == "#" or not reference else None
    for key in keys:
        name = key.replace("~1", "/").replace("~0", "~")
        if isinstance(node, Mapping):
            node = node.get(name)
        else:
            at = int(name) if name.isdecimal() and len(name) < 6 else MOST_OBJECTS
            node = node[at] if isinstance(node, list) and at < len(node) else None
    if node is None:
        raise ValueError(f"$ref {reference[:80]!r} refers to nothing in this schema")
    return node
