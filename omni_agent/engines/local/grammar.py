"""A GBNF grammar under which a model can only speak, or call a tool rightly typed.

GBNF: llama.cpp, grammars/README.md.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from omni_agent.engines.local.tool_calls import written
from omni_agent.thinker import ToolSchema

_MOST_CALLS = 4
_DEEPEST = 6
LONGEST = 30_000
"""Characters of all rules for arguments. The tools that come along take 2,000; a client's, whose
references each stand for all that they refer to, could make millions of them."""
_SIMPLE = {
    "string": "string",
    "integer": "integer",
    "number": "number",
    "boolean": "boolean",
    "null": '"None"',
}
_POSITIVE = {"integer": "whole", "number": "positive"}
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
any ::= (named (", " named)*)?
named ::= [A-Za-z_] [A-Za-z0-9_-]* "=" value
value ::= string | number | boolean | "None" | list | object
"""
"""Speech has no brackets and no markup: it is to be spoken, and it can never become a call."""

SPEAK = "root ::= speak\n" + _COMMON
SPEAK_ON = "root ::= said+\n" + _COMMON
"""The rest of a sentence that was begun for the model."""
SPEAK_REST = "root ::= said*\n" + _COMMON
"""What may follow the first word of a reply."""


def grammar(tools: Sequence[ToolSchema], *, speak: bool = True) -> str:
    """Calls of these tools, or (with ``speak``) speech; speech only when there are none.

    The arguments of tools that would make it longer than ``LONGEST`` may have any name and value.
    """
    if not tools:
        return SPEAK
    speech = " | speak" if speak else ""
    rules = [f'root ::= call ("\\n" call){{0,{_MOST_CALLS - 1}}}{speech}']
    rules.append("call ::= " + " | ".join(f"call-{number}" for number in range(len(tools))))
    left = LONGEST
    for number, tool in enumerate(tools):
        try:
            own = _Arguments(number, tool.parameters, left).rules()
            left -= sum(map(len, own))
        except _TooLong:
            own = [f"arguments-{number} ::= any"]
        rules.append(f'call-{number} ::= {_text(tool.name + "(")} arguments-{number} ")"')
        rules += own
    return "\n".join(rules) + "\n" + _COMMON


class _TooLong(Exception):
    """The schema of a tool makes too much of grammar."""


def _text(text: str) -> str:
    """A GBNF literal, which knows fewer escapes than JSON."""
    return json.dumps(re.sub("[\b\f]", " ", text), ensure_ascii=False)


class _Arguments:
    """The rules for the arguments of one tool. left: characters that they may have."""

    def __init__(self, number: int, schema: Mapping[str, Any], left: int) -> None:
        self._number, self._schema, self._left = number, schema, left

    def rules(self) -> list[str]:
        """Arguments by name: the required ones, then any of the others, each in schema order.

        Raises _TooLong.
        """
        properties: Mapping[str, Any] = self._schema.get("properties") or {}
        needed = set(self._schema.get("required") or ())
        required = [name for name in properties if name in needed]
        optional = [name for name in properties if name not in needed]
        given = {
            name: self._written(f"{_text(name + '=')} {self._value(schema, 0)}")
            for name, schema in properties.items()
        }
        if required:
            some = ' ", " '.join(given[name] for name in required) + " " + self._rest(0, optional)
        elif optional:
            some = f"({' | '.join(self._firsts(optional))})?"
        else:
            some = '""'
        others = self._others([given[name] for name in optional])
        return [f"arguments-{self._number} ::= {some}", *others]

    def _firsts(self, optional: Sequence[str]) -> Iterator[str]:
        """Where all are optional, any may be the first."""
        for at in range(len(optional)):
            yield self._written(f"{self._name('one', at)} {self._rest(at + 1, optional)}")

    def _others(self, given: Sequence[str]) -> Iterator[str]:
        """Two rules for each optional argument: itself, and what may follow the one before."""
        for at, one in enumerate(given):
            yield f"{self._name('one', at)} ::= {one}"
            rest = self._rest(at + 1, given)
            yield self._written(
                f'{self._name("rest", at)} ::= (", " {self._name("one", at)})? {rest}'
            )

    def _rest(self, at: int, optional: Sequence[str]) -> str:
        return self._name("rest", at) if at < len(optional) else ""

    def _name(self, what: str, at: int) -> str:
        return f"{what}-{self._number}-{at}"

    def _written(self, text: str) -> str:
        """Raises _TooLong."""
        self._left -= len(text)
        if self._left < 0:
            raise _TooLong
        return text

    def _value(self, schema: Any, depth: int) -> str:
        """The rule for one value; whatever a schema says that GBNF cannot is checked later."""
        if not isinstance(schema, Mapping) or depth > _DEEPEST:
            return self._written("value")
        if isinstance(reference := schema.get("$ref"), str):
            return self._value(_resolve(reference, self._schema), depth + 1)
        if "const" in schema:
            return self._literal(schema["const"])
        if schema.get("enum"):
            return _either(self._literal(item) for item in schema["enum"])
        for several in ("anyOf", "oneOf"):
            if schema.get(several):
                return _either(self._value(item, depth + 1) for item in schema[several])
        if len(schema.get("allOf") or ()) == 1:
            return self._value(schema["allOf"][0], depth + 1)
        kind = schema.get("type")
        if isinstance(kind, Sequence) and not isinstance(kind, str):
            return _either(self._value({**schema, "type": one}, depth + 1) for one in kind)
        return self._typed(str(kind), schema, depth)

    def _literal(self, value: Any) -> str:
        return self._written(_text(written(value)))

    def _typed(self, kind: str, schema: Mapping[str, Any], depth: int) -> str:
        if kind == "array":
            item = self._value(schema.get("items", {}), depth + 1)
            return f'"[" ({item} (", " {item})*)? "]"'
        if kind == "object":
            return self._object(schema, depth)
        at_least_0 = any(
            isinstance(schema.get(bound), int | float) and schema[bound] >= 0
            for bound in ("minimum", "exclusiveMinimum")
        )
        rule = _POSITIVE.get(kind) if at_least_0 else None
        return self._written(rule or _SIMPLE.get(kind, "value"))

    def _object(self, schema: Mapping[str, Any], depth: int) -> str:
        properties = schema.get("properties")
        if not isinstance(properties, Mapping) or not properties or depth >= _DEEPEST:
            return self._written("object")
        required = set(schema.get("required") or ())
        names = [name for name in properties if name in required] or list(properties)
        inside = ' ", " '.join(
            self._written(_text(written(name) + ": "))
            + f" {self._value(properties[name], depth + 1)}"
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
