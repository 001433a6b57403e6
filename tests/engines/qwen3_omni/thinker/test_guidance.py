"""What a guided model can write: words as it likes, calls only as they can be read."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import jsonschema
import numpy as np
import pytest
import xgrammar

from omni_agent.engines.qwen3_omni.hermes import HermesParser
from omni_agent.engines.qwen3_omni.thinker.guidance import structural_tag
from omni_agent.thinker import TextDelta, Thought, ToolCallBegun, ToolCallRequest, ToolSchema

WEATHER = ToolSchema(
    "weather",
    "The weather.",
    {
        "type": "object",
        "properties": {
            "place": {"type": "string"},
            "days": {"type": "integer", "minimum": 1, "maximum": 7},
        },
        "required": ["place"],
        "additionalProperties": False,
    },
)
CLOCK = ToolSchema("clock", "The time.", {"type": "object", "properties": {}})
LIGHT = ToolSchema(
    "light",
    "Lights.",
    {
        "type": "object",
        "properties": {
            "room": {"enum": ["kitchen", "Büro", 'a "quoted" one']},
            "on": {"type": "boolean"},
            "level": {
                "anyOf": [{"type": "integer", "minimum": 0, "maximum": 99}, {"type": "null"}]
            },
            "days": {"type": "array", "items": {"type": "string"}, "maxItems": 2},
        },
        "required": ["room", "on", "level"],
    },
)
TOOLS = (WEATHER, CLOCK, LIGHT)
IM_END = 151_645


def call(name: str, arguments: str) -> str:
    return f'<tool_call>\n{{"name": "{name}", "arguments": {arguments}}}\n</tool_call>'


OSLO, TIME = call("weather", '{"place": "Oslo", "days": 3}'), call("clock", "{}")


@pytest.fixture(scope="module")
def compiler(reference_tokenizer: Any) -> Any:
    info = xgrammar.TokenizerInfo.from_huggingface(
        reference_tokenizer, vocab_size=152_064, stop_token_ids=[IM_END]
    )
    return xgrammar.GrammarCompiler(info)


Write = Callable[..., str]


@pytest.fixture(scope="module")
def write(compiler: Any) -> Write:
    """Whether a reply can be ``"written"``, only ``"begun"``, or not at all: ``"refused"``."""

    def written(reply: str, *tools: ToolSchema, required: bool, thinking: bool = False) -> str:
        tag = structural_tag(tools or TOOLS, required=required, thinking=thinking)
        matcher = xgrammar.GrammarMatcher(compiler.compile_structural_tag(tag))
        if not matcher.accept_string(reply):
            return "refused"
        return "written" if matcher.accept_token(IM_END) else "begun"

    return written


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "Hello.\n\n",
        "a < b, <tool> and <tool_ call>, </tool_call>",
        "<think>\nHm.\n</think>\n\nHello.",
        OSLO,
        f"Let me look.\n{OSLO}",
        f"{OSLO}\n{TIME}",
        f"{OSLO}{TIME} Done.",
        call("weather", '{"place": "<tool_call>\\n</tool_call>"}'),
        call("weather", '{"place":"Oslo","days":3}'),
        call("weather", '{ "place" : "Oslo" }'),
    ],
)
def test_words_are_free_and_so_are_calls_among_them(write: Write, reply: str) -> None:
    assert write(reply, required=False) == "written"


@pytest.mark.parametrize(
    "reply",
    [
        "<tool_call>Oslo",
        "Well. <tool_call> is a tag",
        call("snow", "{}"),
        call("weather", "{}"),
        call("weather", '{"place": "Oslo", "days": 9}'),
        call("weather", '{"place": "Oslo", "when": "now"}'),
        call("weather", '{"place": "Oslo",   "days": 3}'),
        call("weather", '"Oslo"'),
        call("weather", '{"place": "Oslo\n"}'),
        call("clock", '{"zone": "UTC"}'),
        OSLO.replace("}\n</tool", ', "why": 1}\n</tool'),
    ],
)
@pytest.mark.parametrize("required", [False, True])
def test_a_call_that_is_not_one_cannot_be_written(write: Write, reply: str, required: bool) -> None:
    assert write(reply, required=required) == "refused"


@pytest.mark.parametrize("required", [False, True])
def test_a_reply_cannot_end_inside_a_call(write: Write, required: bool) -> None:
    for end in range(len("<tool_call>"), len(OSLO)):
        assert write(OSLO[:end], required=required) == "begun"


@pytest.mark.parametrize("reply", [OSLO, TIME])
def test_a_required_call_is_one_call(write: Write, reply: str) -> None:
    assert write(reply, required=True) == "written"


@pytest.mark.parametrize(
    "reply", ["Hello.", f"Well.\n{OSLO}", f"\n{OSLO}", f"{OSLO} Done.", f"{OSLO}\n{TIME}"]
)
def test_and_nothing_else(write: Write, reply: str) -> None:
    assert write(reply, required=True) == "refused"
    assert write("", required=True) == "begun"


def test_names_that_begin_alike_are_told_apart(write: Write) -> None:
    longer = ToolSchema("clock_set", "", WEATHER.parameters)
    for required in (False, True):
        assert write(TIME, CLOCK, longer, required=required) == "written"
        assert write(call("clock_set", "{}"), CLOCK, longer, required=required) == "refused"


def test_a_name_in_any_script_can_be_called(write: Write) -> None:
    tool = ToolSchema("größe", "", CLOCK.parameters)
    reply = '<tool_call>\n{"name": "gr\\u00f6\\u00dfe", "arguments": {}}\n</tool_call>'
    assert write(reply, tool, required=True) == "written"
    assert read(reply) == [ToolCallBegun("größe"), ("größe", {})]


# -- the variant that thinks -----------------------------------------------------------------

THOUGHT = "Should I <tool_call>? Yes.\n</think>\n\n"


def test_thoughts_are_free_and_a_call_is_required_after_them(write: Write) -> None:
    assert write(f"{THOUGHT}{OSLO}", required=True, thinking=True) == "written"
    assert write(THOUGHT, required=True, thinking=True) == "begun"
    assert write(OSLO, required=True, thinking=True) == "begun"  # a thought, still
    assert write(f"{THOUGHT}Hello", required=True, thinking=True) == "refused"
    assert read(f"{THOUGHT}{OSLO}", thinking=True)[-1] == ("weather", {"place": "Oslo", "days": 3})


def test_after_free_thoughts_words_are_free_and_calls_are_not(write: Write) -> None:
    assert write(f"{THOUGHT}Hello. {OSLO}", required=False, thinking=True) == "written"
    assert write(f"{THOUGHT}Hello. <tool_call> so", required=False, thinking=True) == "refused"


# -- schemas as they come --------------------------------------------------------------------


def schema(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


@pytest.mark.parametrize(
    "parameters",
    [
        schema(a={"type": "string", "pattern": r"^\p{L}+$"}),
        schema(a={"$ref": "#/$defs/Missing"}),
        schema(a={"type": "integer", "minimum": -(10**30)}),
        schema(a={"type": "integer", "minimum": 0, "exclusiveMinimum": True}),
        schema(a={"type": "text"}),
        {"type": "object", "properties": {"a": False}},
    ],
    ids=["pattern", "reference", "bound", "draft 4", "type", "false"],
)
def test_a_schema_beyond_the_grammar_leaves_its_tool_any_arguments_and_others_theirs(
    write: Write, parameters: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    odd = ToolSchema("odd", "", parameters)
    reply = call(odd.name, '{"a": [1, {"b": null}]}')
    for required in (False, True):
        assert write(reply, odd, WEATHER, required=required) == "written"
        assert write(call(odd.name, '"a"'), odd, WEATHER, required=required) == "refused"
        assert write(OSLO, odd, WEATHER, required=required) == "written"
        assert write(call("weather", "{}"), odd, WEATHER, required=required) == "refused"
    assert caplog.text.count("the schema of odd cannot guide decoding") == 1


def test_a_tool_without_a_schema_takes_any_object(write: Write) -> None:
    bare = ToolSchema("bare", "", {"type": "object"})
    assert write(call("bare", '{"x": {"y": [1]}}'), bare, required=True) == "written"


# -- a model that writes anything it is allowed to ------------------------------------------


def read(reply: str, *, thinking: bool = False) -> list[Any]:
    """The reply's thoughts, calls as (name, arguments)."""
    parser = HermesParser(thinking=thinking)
    thoughts: list[Thought] = [*parser.feed(reply), *parser.finish(cut=False)]
    return [(t.name, dict(t.arguments)) if isinstance(t, ToolCallRequest) else t for t in thoughts]


def anything(compiler: Any, tokenizer: Any, tag: str, seed: int) -> str:
    """A reply of tokens drawn at random among those allowed, inclined to come to an end."""
    choose = random.Random(seed)
    matcher = xgrammar.GrammarMatcher(compiler.compile_structural_tag(tag))
    mask = xgrammar.allocate_token_bitmask(1, 152_064)
    marks = ('"', '"}', "}", "]", "}}\n", *["<tool_call>"] * 4)
    ends = [tokenizer.encode(mark)[0] for mark in marks]
    ids: list[int] = []
    for _ in range(400):
        matcher.fill_next_token_bitmask(mask)
        bits = np.unpackbits(mask.numpy().view(np.uint8), bitorder="little")
        tokens = np.flatnonzero(bits).tolist()
        wanted = [token for token in ends if bits[token]] if choose.random() < 0.4 else []
        token = IM_END if bits[IM_END] and len(ids) > 8 else choose.choice(wanted or tokens)
        assert matcher.accept_token(token)
        if token == IM_END:
            break
        ids.append(token)
    else:
        pytest.fail("it never came to an end")
    return str(tokenizer.decode(ids))


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("required", [False, True])
def test_whatever_is_written_is_read_and_its_calls_are_valid(
    compiler: Any, reference_tokenizer: Any, seed: int, required: bool
) -> None:
    tag = structural_tag(TOOLS, required=required)
    thoughts = read(anything(compiler, reference_tokenizer, tag, seed))
    schemas = {tool.name: tool.parameters for tool in TOOLS}
    for thought in thoughts:
        match thought:
            case (str(name), dict(arguments)):
                jsonschema.validate(arguments, schemas[name])
            case TextDelta():
                assert not required
            case _:
                assert isinstance(thought, ToolCallBegun)
    assert not required or len(thoughts) == 2
