"""What a client may declare of its tools, and what looking at it costs."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from referencing.jsonschema import EMPTY_REGISTRY

from omni_agent.errors import ProtocolError, ToolArgumentsError
from omni_agent.thinker import ToolSchema
from omni_agent.tools import declared
from omni_agent.tools.tool import Tool


def at_client(parameters: dict[str, Any]) -> Tool:
    return Tool.at_client(ToolSchema("locate", "", parameters))


def fan(**inner: Any) -> dict[str, Any]:
    """Each of 20 schemas has the next one twice: a million in the last one's place."""
    defs: dict[str, Any] = {
        f"d{at}": {"allOf": [{"$ref": f"#/$defs/d{at + 1}"}] * 2} for at in range(20)
    }
    return {"$defs": {**defs, "d20": inner}, "properties": {"a": {"$ref": "#/$defs/d0"}}}


def deep(depth: int) -> dict[str, Any]:
    return {"not": deep(depth - 1)} if depth else {}


@pytest.mark.parametrize(
    ("parameters", "why"),
    [
        ({"anyOf": [{}] * 5200}, "objects"),
        ({"anyOf": [{}] * 300}, "over 256"),
        (fan(type="string"), "over 256"),
        (deep(20), "16 deep"),
        ({"properties": {"a": {"$ref": "#"}}}, "itself"),
        ({"properties": {"a": {"$ref": ""}}}, "itself"),
        ({"properties": {"a": {"$ref": "/properties/a"}}}, "refers to nothing"),
        ({"properties": {"a": {"$ref": "#/$defs/b"}}}, "refers to nothing"),
        ({"properties": {"a": {"$ref": "http://127.0.0.1:9/schema"}}}, "refers to nothing"),
        ({"properties": {"a": {"pattern": "(a*)*b"}}}, "pattern: .*cannot be"),
        ({"properties": {"a": {"uniqueItems": True}}}, "uniqueItems: .*cannot be"),
        ({"patternProperties": {"(a*)*b": {}}}, "patternProperties: .*cannot be"),
        ({"properties": {"a": {"$schema": "x", "$dynamicRef": "#a"}}}, "dynamicRef"),
        ({"properties": {"a": {"minimum": float("inf")}}}, "JSON"),
        ({"properties": {"a": {"const": {1, 2}}}}, "JSON"),
        ({"type": 7}, "type"),
        ({"type": None}, "type"),
        ({"required": "a"}, "required"),
        ({"required": ["a", "a"]}, "required.*twice"),
        ({"type": ["null", "null"]}, "type"),
        ({"properties": {"a": 5}}, "properties"),
        ({"properties": {"a": {"items": [{}]}}}, "items"),
    ],
)
def test_a_schema_that_costs_too_much_or_is_none_is_refused(
    parameters: dict[str, Any], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("a client's schema is not held against the whole of JSON schema")

    monkeypatch.setattr(jsonschema.Draft202012Validator, "check_schema", never)
    with pytest.raises(ProtocolError, match=f"'locate'.*{why}"):
        at_client(parameters)


class Stop(BaseModel):
    name: str
    pattern: str = "weekly"


class Trip(BaseModel):
    stops: list[Stop]
    home: Stop | None = None


def test_what_others_libraries_make_of_types_is_taken() -> None:
    parameters = {"$schema": "http://json-schema.org/draft-07/schema#"} | schema_of(Trip)
    assert at_client(parameters).schema.parameters == parameters


def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    return model.model_json_schema()


UNREAD = ("$schema", "$anchor", "format")
KEYWORDS = sorted(
    {field.alias or name for name, field in declared._Schema.model_fields.items()}
    | {"const", "$schema", "$anchor", "format", "default"}
)

ODD = st.recursive(
    st.sampled_from([None, True, -1, 0, 1.5, "", "x", "#", "#/a", "object", "array", []]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*KEYWORDS, "a"]), inner, max_size=4)
    ),
    max_leaves=12,
)


def as_read(schema: Any) -> Any:
    """Without the keywords that nobody here looks at."""
    if isinstance(schema, list):
        return [as_read(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    return {key: as_read(part) for key, part in schema.items() if key not in UNREAD}


@given(st.dictionaries(st.sampled_from(KEYWORDS), ODD, max_size=5), ODD)
def test_what_is_taken_is_a_json_schema_and_can_be_applied(
    parameters: dict[str, Any], value: Any
) -> None:
    try:
        at_client(parameters)
    except ProtocolError:
        return
    schema = as_read(parameters)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema, registry=EMPTY_REGISTRY).is_valid({"a": value})


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "http://127.0.0.1:9/schema"},
        {"$ref": "file:///etc/hostname"},
        {"$ref": "#/$defs/none"},
        {"$ref": "#/properties/a"},
    ],
)
def test_a_reference_that_leads_nowhere_fails_the_tool_call_and_fetches_nothing(
    schema: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched: list[Any] = []
    monkeypatch.setattr(urllib.request, "urlopen", fetched.append)
    own = Tool(ToolSchema("f", "", {"properties": {"a": schema}}), lambda a: a)
    with pytest.raises(ToolArgumentsError, match="does not go with"):
        own.validate({"a": 1})
    assert not fetched


def test_a_client_s_tools_are_small_together() -> None:
    from omni_agent.server.client_messages import SessionConfig

    many = [{"name": f"t{at}", "parameters": {"anyOf": [{}] * 200}} for at in range(6)]
    assert len(json.dumps(many)) < 16_000
    with pytest.raises(ValueError, match="1000 objects"):
        SessionConfig.model_validate({"tools": many})


def test_arguments_are_never_held_against_a_client_s_schema(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """``contains`` over 250 alternatives and 480 values took 8 s of every call's time."""
    parameters = {"properties": {"a": {"contains": {"anyOf": [{"type": "integer"}] * 250}}}}
    listed = at_client(parameters)

    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("a stranger's schema was applied")

    monkeypatch.setattr(jsonschema.Draft202012Validator, "iter_errors", never)
    arguments = {"a": ["x"] * 480}
    listed.validate(arguments)
    assert listed.settle(arguments).told == arguments
