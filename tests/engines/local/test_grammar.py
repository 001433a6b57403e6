"""The grammar made of tool schemas: llama.cpp takes it, and only rightly typed calls pass."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omni_agent.engines.local.dressing import Dressing
from omni_agent.engines.local.grammar import LONGEST, SPEAK, SPEAK_ON, SPEAK_REST, grammar
from omni_agent.engines.local.tool_calls import call_text
from omni_agent.thinker import ThinkRequest, ToolSchema
from omni_agent.tools.tool import Tool


def tool(
    properties: dict[str, Any], required: list[str] | None = None, name: str = "f", **more: Any
) -> ToolSchema:
    needed = list(properties) if required is None else required
    schema = {"type": "object", "properties": properties, "required": needed, **more}
    return ToolSchema(name, "", schema)


class Gbnf:
    """A GBNF recogniser for tests: every way to match, by position (no left recursion here)."""

    def __init__(self, text: str) -> None:
        self.rules: dict[str, Any] = {}
        for line in text.splitlines():
            if line.strip():
                name, _, body = line.partition(" ::= ")
                self._tokens = re.findall(
                    r'"(?:\\.|[^"\\])*"|\[(?:\\.|[^\]\\])*\]|[\w-]+|\{\d*,?\d*\}|[()|*?+]', body
                )
                self.rules[name] = self._alternatives()
                assert not self._tokens, f"{line!r}: left over {self._tokens}"

    def _alternatives(self) -> Any:
        options = [self._sequence()]
        while self._tokens and self._tokens[0] == "|":
            self._tokens.pop(0)
            options.append(self._sequence())
        return ("any", options)

    def _sequence(self) -> Any:
        parts = []
        while self._tokens and self._tokens[0] not in "|)":
            token = self._tokens.pop(0)
            if token == "(":
                part = self._alternatives()
                assert self._tokens.pop(0) == ")"
            elif token[0] == '"':
                part = (
                    "text",
                    token[1:-1].replace('\\"', '"').replace("\\n", "\n").replace("\\\\", "\\"),
                )
            elif token[0] == "[":
                part = ("set", re.compile(token))
            else:
                part = ("rule", token)
            parts.append(self._repeated(part))
        return ("all", parts)

    def _repeated(self, part: Any) -> Any:
        if self._tokens and (self._tokens[0] in ("*", "?", "+") or self._tokens[0][0] == "{"):
            bounds = {"*": (0, 10**6), "?": (0, 1), "+": (1, 10**6)}
            token = self._tokens.pop(0)
            low, high = bounds.get(token) or tuple(map(int, token[1:-1].split(",")))
            return ("many", part, low, high)
        return part

    def _ends(self, node: Any, text: str, at: int) -> set[int]:
        match node:
            case ("text", str(literal)):
                return {at + len(literal)} if text.startswith(literal, at) else set()
            case ("set", pattern):
                return {at + 1} if at < len(text) and pattern.fullmatch(text[at]) else set()
            case ("rule", name):
                return self._ends(self.rules[name], text, at)
            case ("any", options):
                return set().union(*(self._ends(option, text, at) for option in options))
            case ("all", parts):
                ends = {at}
                for part in parts:
                    ends = set().union(*(self._ends(part, text, end) for end in ends))
                return ends
            case ("many", part, low, high):
                ends, reached, count = {at}, set({at} if low == 0 else ()), 0
                while ends and count < high:
                    count += 1
                    ends = set().union(*(self._ends(part, text, end) for end in ends)) - {at}
                    new = ends - reached
                    if count >= low:
                        reached |= ends
                        ends = new
                return reached
        raise AssertionError(node)

    def accepts(self, text: str) -> bool:
        return len(text) in self._ends(self.rules["root"], text, 0)


STRING, INTEGER, NUMBER, FLAG = (
    {"type": kind} for kind in ("string", "integer", "number", "boolean")
)
ENUM = {"enum": ["min", 'say "h"', 3]}
CASES: list[tuple[dict[str, Any], Any, Any]] = [
    (STRING, 'a "b" \\ c\nd é', 5),
    (INTEGER, -12, "x"),
    ({"type": "integer", "minimum": 0}, 12, -1),
    (NUMBER, -2.5, True),
    ({"type": "number", "exclusiveMinimum": 0}, 2.5, -2.5),
    (FLAG, True, 1),
    (ENUM, 'say "h"', "hours"),
    ({"const": "x"}, "x", "y"),
    ({"type": ["integer", "null"]}, None, "x"),
    ({"anyOf": [INTEGER, {"type": "null"}]}, None, "x"),
    ({"type": "array", "items": INTEGER}, [1, 2, 3], ["x"]),
    ({"type": "object", "properties": {"x": INTEGER}, "required": ["x"]}, {"x": 1}, {"x": "y"}),
    ({"$ref": "#/$defs/unit"}, "s", "h"),
    ({"allOf": [{"$ref": "#/$defs/unit"}]}, "s", "h"),
]


@pytest.mark.parametrize(("schema", "good", "bad"), CASES)
def test_values_of_the_right_type_pass_and_others_do_not(
    schema: dict[str, Any], good: Any, bad: Any
) -> None:
    rules = Gbnf(grammar((tool({"x": schema}, **{"$defs": {"unit": {"enum": ["s", "m"]}}}),)))
    assert rules.accepts(call_text("f", {"x": good}))
    assert not rules.accepts(call_text("f", {"x": bad}))


@pytest.mark.parametrize(
    ("required", "given_names", "passes"),
    [
        (["a"], ["a"], True),
        (["a"], ["a", "b", "c"], True),
        (["a"], ["a", "c"], True),
        (["a"], [], False),
        (["a"], ["b"], False),
        ([], [], True),
        ([], ["b"], True),
        ([], ["a", "c"], True),
        ([], ["c", "a"], False),
        (["b"], ["b", "a"], True),
        (["a", "b", "c"], ["a", "b"], False),
    ],
)
def test_required_arguments_must_be_given_and_others_may(
    required: list[str], given_names: list[str], passes: bool
) -> None:
    rules = Gbnf(grammar((tool(dict.fromkeys("abc", INTEGER), required),)))
    assert rules.accepts(call_text("f", dict.fromkeys(given_names, 1))) is passes


def test_several_calls_stand_on_lines_of_their_own_up_to_four() -> None:
    rules = Gbnf(grammar((tool({}), tool({}, name="g"))))
    assert rules.accepts("f()\ng()")
    assert rules.accepts("\n".join(["f()"] * 4))
    assert not rules.accepts("\n".join(["f()"] * 5))
    assert not rules.accepts("f() g()")


@pytest.mark.parametrize(
    "text", ["f()", "Sure (yes).", "# Title", "two\nlines", "", " hi", "<tool>"]
)
def test_speech_can_be_neither_a_call_nor_markup(text: str) -> None:
    assert not Gbnf(SPEAK).accepts(text)


@pytest.mark.parametrize("text", ["It's 72% or $3.50, isn't it? Très bien!", "x"])
def test_plain_words_are_speech_with_and_without_tools(text: str) -> None:
    assert Gbnf(SPEAK).accepts(text)
    assert Gbnf(grammar((tool({}),))).accepts(text)


@pytest.mark.parametrize("text", [", it is.", " and more", "", "x"])
def test_a_sentence_that_was_begun_may_go_on_in_any_way(text: str) -> None:
    assert Gbnf(SPEAK_REST).accepts(text)
    assert Gbnf(SPEAK_ON).accepts(text) is bool(text)
    assert not Gbnf(SPEAK_ON).accepts(text + "(x=1)")


SCHEMAS: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from([case[0] for case in CASES]) | st.just({}) | st.just(True),
    lambda inner: (
        st.builds(lambda item: {"type": "array", "items": item}, inner)
        | st.builds(lambda items: {"anyOf": items}, st.lists(inner, min_size=1, max_size=3))
        | st.builds(
            lambda props: {"type": "object", "properties": props},
            st.dictionaries(st.sampled_from(["x", "é", 'q"', "max-n"]), inner, max_size=3),
        )
    ),
    max_leaves=5,
)
TOOLS = st.lists(
    st.builds(
        tool,
        st.dictionaries(st.sampled_from(["a", "b", "max-n", "from"]), SCHEMAS, max_size=4),
        st.lists(st.sampled_from(["a", "b", "absent"]), max_size=2),
        st.sampled_from(["f", "do_it", "git-hub.find"]),
    ),
    max_size=3,
).map(tuple)


ODD_SCHEMAS: st.SearchStrategy[Any] = st.deferred(
    lambda: st.booleans() | st.fixed_dictionaries({}, optional=ODD_KEYWORDS)
)
ODD_KEYWORDS: dict[str, st.SearchStrategy[Any]] = {
    "type": st.sampled_from(["string", "object", "array", "null", ["null", "number"]]),
    "enum": st.lists(st.sampled_from(["", "a\b", None, 1.5, [1], {"": {}}]), max_size=3),
    "const": st.sampled_from([None, "\x00", {"a": []}]),
    "examples": st.just([]),
    "anyOf": st.lists(ODD_SCHEMAS, min_size=1, max_size=2),
    "allOf": st.lists(ODD_SCHEMAS, min_size=1, max_size=2),
    "items": ODD_SCHEMAS,
    "$ref": st.sampled_from(["#", "#/properties/a", "#/required/0", "#/none", "elsewhere"]),
    "properties": st.dictionaries(
        st.sampled_from(["", " ", "a", "\f", '"']), ODD_SCHEMAS, max_size=3
    ),
    "required": st.lists(st.sampled_from(["", "a", '"']), max_size=3, unique=True),
}


@given(st.fixed_dictionaries({}, optional=ODD_KEYWORDS))
def test_a_tool_of_any_valid_schema_is_dressed_within_bounds(schema: dict[str, Any]) -> None:
    Tool(ToolSchema("f", "", schema), print)  # valid
    request = ThinkRequest("You are Ann.", (), (ToolSchema("f", "", schema),))
    dressed, _ = Dressing().of(request)
    assert len(dressed.grammar) < LONGEST + 2000
    Gbnf(dressed.grammar)


def endless(properties: int) -> dict[str, Any]:
    inner = {str(number): {"$ref": "#/$defs/a"} for number in range(properties)}
    node = {"type": "object", "properties": inner}
    return {"$defs": {"a": node}, "properties": {"x": {"$ref": "#/$defs/a"}}}


@pytest.mark.parametrize(
    "schema",
    [
        endless(40),
        endless(150),
        {"properties": {str(number): {} for number in range(900)}},
        {"properties": {str(number): {} for number in range(900)}, "required": ["0"]},
        {"$defs": {"a": {"enum": ["x" * 9000]}}}
        | {"properties": {f"x{number}": {"$ref": "#/$defs/a"} for number in range(99)}},
    ],
)
def test_a_tool_whose_grammar_would_be_too_long_may_be_called_with_anything(
    schema: dict[str, Any],
) -> None:
    text = grammar((tool({"unit": {"enum": ["s"]}}, name="set"), ToolSchema("f", "", schema)))
    assert len(text) < LONGEST + 2000
    rules = Gbnf(text)
    assert rules.accepts('f(x=[1, {"a": None}], other="b")')
    assert rules.accepts("f()")
    assert rules.accepts('set(unit="s")')
    assert not rules.accepts('set(unit="h")')


def test_sixty_optional_arguments_are_checked_still() -> None:
    rules = Gbnf(grammar((tool({f"a{number}": FLAG for number in range(60)}, []),)))
    assert rules.accepts("f(a3=True, a59=False)")
    assert not rules.accepts("f(a3=1)")
    assert not rules.accepts("f(a4=True, a3=False)")


@given(TOOLS)
def test_any_schema_gives_a_grammar_whose_rules_all_exist(tools: tuple[ToolSchema, ...]) -> None:
    rules = Gbnf(grammar(tools)).rules

    def check(node: Any) -> None:
        match node:
            case ("rule", name):
                assert name in rules
            case ("any" | "all", parts):
                for part in parts:
                    check(part)
            case ("many", part, _, _):
                check(part)

    for rule in rules.values():
        check(rule)


def test_a_schema_that_refers_to_itself_ends() -> None:
    node: dict[str, Any] = {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}}
    assert (
        len(grammar((tool({"x": {"$ref": "#/$defs/node"}}, **{"$defs": {"node": node}}),))) < 5000
    )
