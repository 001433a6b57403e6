"""A GBNF grammar under which a model can only speak, or call a tool rightly typed.

GBNF: llama.cpp, grammars/README.md.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from omni_agent.engines.local.calls import written
from omni_agent.thinker import ToolSchema

_MOST_CALLS = 4
_DEEPEST = 6
_COMMON = r"""
speak ::= [^ \t\r\n(){}<>|*_#`\[\]~=] said*
said ::= [^\r\n(){}<>|*_#`\[\]~=]
string ::= "\"" character* "\""
character ::= [^"\\\x00-\x1F] | "\\" ["\\nt]
integer ::= "-"? whole
whole ::= "0" | [1-9] [0-9]{0,14}
number ::= integer ("." [0-9]{1,6})?
positive ::= whole ("." [0-9]{1,6})?
boolean ::= "True" | "False"
list ::= "[" (value (", " value)*)? "]"
object ::= "{" (string ": " value (", " string ": " value)*)? "}"
value ::= string | number | boolean | "None" | list | object
"""
"""Speech has no brackets and no markup: it is to be spoken, and it can never become a call."""

SPEAK = "root ::= speak\n" + _COMMON
SPEAK_ON = "root ::= said+\n" + _COMMON
"""The rest of a sentence that was begun for the model."""
SPEAK_REST = "root ::= said*\n" + _COMMON
"""What may follow the first word of a reply."""


def grammar(tools: Sequence[ToolSchema], *, speak: bool = True) -> str:
    """Calls of these tools, or (with ``speak``) speech; speech only when there are none."""
    if not tools:
        return SPEAK
    speech = " | speak" if speak else ""
    rules = [f'root ::= call ("\\n" call){{0,{_MOST_CALLS - 1}}}{speech}']
    rules.append("call ::= " + " | ".join(f"call-{number}" for number in range(len(tools))))
    for number, tool in enumerate(tools):
        rules.append(
            f'call-{number} ::= {_text(tool.name + "(")} {_arguments(tool.parameters)} ")"'
        )
    return "\n".join(rules) + "\n" + _COMMON


def _text(text: str) -> str:
    """A GBNF literal."""
    return json.dumps(text, ensure_ascii=False)


def _arguments(schema: Mapping[str, Any]) -> str:
    """Arguments by name: the required ones, then any of the others, each in schema order."""
    properties: Mapping[str, Any] = schema.get("properties") or {}
    required = [name for name in properties if name in set(schema.get("required") or ())]
    optional = [name for name in properties if name not in required]
    given = {
        name: f"{_text(name + '=')} {_value(properties[name], schema, 0)}" for name in properties
    }
    rest = [f'(", " {given[name]})?' for name in optional]
    if required:
        return ' ", " '.join(given[name] for name in required) + " " + " ".join(rest)
    if not optional:
        return ""
    firsts = (
        f"{given[name]} {' '.join(rest[number + 1 :])}" for number, name in enumerate(optional)
    )
    return "(" + " | ".join(firsts) + ")?"


def _value(schema: Any, root: Mapping[str, Any], depth: int) -> str:
    """The rule for one value; whatever a schema says that GBNF cannot is checked later."""
    if not isinstance(schema, Mapping) or depth > _DEEPEST:
        return "value"
    if isinstance(reference := schema.get("$ref"), str):
        return _value(_resolve(reference, root), root, depth + 1)
    if "const" in schema:
        return _text(written(schema["const"]))
    if schema.get("enum"):
        return _either(_text(written(item)) for item in schema["enum"])
    for several in ("anyOf", "oneOf"):
        if schema.get(several):
            return _either(_value(item, root, depth + 1) for item in schema[several])
    if len(schema.get("allOf") or ()) == 1:
        return _value(schema["allOf"][0], root, depth + 1)
    kind = schema.get("type")
    if isinstance(kind, Sequence) and not isinstance(kind, str):
        return _either(_value({**schema, "type": one}, root, depth + 1) for one in kind)
    return _typed(str(kind), schema, root, depth)


def _typed(kind: str, schema: Mapping[str, Any], root: Mapping[str, Any], depth: int) -> str:
    at_least_0 = any(
        isinstance(schema.get(bound), int | float) and schema[bound] >= 0
        for bound in ("minimum", "exclusiveMinimum")
    )
    match kind:
        case "string":
            return "string"
        case "integer":
            return "whole" if at_least_0 else "integer"
        case "number":
            return "positive" if at_least_0 else "number"
        case "boolean":
            return "boolean"
        case "null":
            return '"None"'
        case "array":
            item = _value(schema.get("items", {}), root, depth + 1)
            return f'"[" ({item} (", " {item})*)? "]"'
        case "object":
            return _object(schema, root, depth)
        case _:
            return "value"


def _object(schema: Mapping[str, Any], root: Mapping[str, Any], depth: int) -> str:
    properties = schema.get("properties")
    if not isinstance(properties, Mapping) or not properties or depth >= _DEEPEST:
        return "object"
    required = set(schema.get("required") or ())
    names = [name for name in properties if name in required] or list(properties)
    inside = ' ", " '.join(
        f"{_text(written(name) + ': ')} {_value(properties[name], root, depth + 1)}"
        for name in names
    )
    return f'"{{" {inside} "}}"'


def _either(rules: Any) -> str:
    return "(" + " | ".join(dict.fromkeys(rules)) + ")"


def _resolve(reference: str, root: Mapping[str, Any]) -> Any:
    """A local ``#/…`` reference; anything else is any value."""
    if not re.match(r"#(/|$)", reference):
        return {}
    node: Any = root
    for key in reference.split("/")[1:]:
        if not isinstance(node, Mapping):
            return {}
        node = node.get(key.replace("~1", "/").replace("~0", "~"), {})
    return node
