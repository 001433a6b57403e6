"""The prompt: what is in it, what cannot get into it, and what is dropped first."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from omni_agent.conversation import (
    Item,
    Message,
    TextPart,
    ToolCall,
    ToolResult,
    assistant,
    user,
)
from omni_agent.engines.local.prompt import (
    MAX_RESULT_CHARS,
    Exchange,
    conversation,
    demonstrations,
    exchanges,
    prefix,
    signature,
    tokens_at_most,
    window,
)
from omni_agent.engines.local.tool_calls import CallParser
from omni_agent.thinker import ToolCallRequest, ToolSchema
from omni_agent.tools.tool import Tool


def schema(examples: tuple[Any, ...] = (), **properties: Any) -> ToolSchema:
    parameters = {"type": "object", "properties": properties, "required": list(properties)[:1]}
    return ToolSchema("set_timer", "Start a timer. Rings.", parameters, examples)


TIMER = schema(
    amount={"type": "integer", "minimum": 1}, unit={"enum": ["s", "min"], "description": "what of"}
)


def test_a_tool_is_told_as_a_line_of_python() -> None:
    assert signature(TIMER) == (
        'set_timer(amount: int, unit: "s" | "min" = None) - Start a timer. Rings. unit: what of'
    )


def test_examples_of_the_tool_are_its_demonstrations() -> None:
    tool = schema((("Wake me in 5.", {"amount": 5}),), amount={"type": "integer"})
    turns = list(demonstrations((tool,)))
    at = turns.index(("user", "Wake me in 5."))
    assert turns[at + 1] == ("assistant", "set_timer(amount=5)")


def test_calls_are_shown_before_and_after_talk() -> None:
    examples = (("Ring in 5.", {"amount": 5}), ("Ring in 6.", {"amount": 6}))
    turns = list(demonstrations((schema(examples, amount={"type": "integer"}),)))
    shown = ("Ring in 5.", "What is the largest ocean?", "Ring in 6.")
    assert [words for role, words in turns if role == "user" and words in shown] == [*shown]


def test_without_examples_demonstrations_are_made_of_the_schema() -> None:
    turns = list(demonstrations((TIMER,)))
    assert ("user", "Please start a timer: amount 7.") in turns
    assert ("assistant", "set_timer(amount=7)") in turns


def test_among_several_tools_two_requests_are_shown_at_once() -> None:
    stop = ToolSchema("stop", "Stop it.", {}, (("Stop that, please.", {}),))
    turns = list(demonstrations((TIMER, stop)))
    at = turns.index(("user", "Please start a timer: amount 7, and stop that, please."))
    assert turns[at + 1] == ("assistant", "set_timer(amount=7)\nstop()")
    assert not any("\n" in words for _, words in demonstrations((TIMER,)))


properties = st.dictionaries(
    st.sampled_from(["amount", "unit", "when", "who", "max-items"]),
    st.sampled_from(
        [
            {"type": "string"},
            {"type": "integer", "minimum": 3},
            {"type": "number", "exclusiveMinimum": 0},
            {"type": "boolean"},
            {"enum": ["a", "b"]},
            {"type": "array", "items": {"type": "integer"}},
            {"anyOf": [{"type": "integer"}, {"type": "null"}]},
            {"type": "object", "properties": {"x": {"type": "number"}}, "required": ["x"]},
        ]
    ),
)


@given(properties)
def test_every_made_up_demonstration_fits_its_schema(props: dict[str, Any]) -> None:
    parameters = {"type": "object", "properties": props, "required": list(props)}
    made = ToolSchema("act", "Does it.", parameters)
    parser = CallParser((made,))
    calls = [
        thought
        for role, words in demonstrations((made,))
        if role == "assistant"
        for thought in CallParser((made,)).feed(words)
        if isinstance(thought, ToolCallRequest)
    ]
    assert calls
    assert parser.finish() == []
    for call in calls:
        Tool(schema=made, run=print).validate(call.arguments)


def test_calls_in_a_row_and_their_results_share_turns() -> None:
    items: tuple[Item, ...] = (
        user("both"),
        ToolCall("1", "a", {"x": 1}),
        ToolCall("2", "b", {}),
        ToolResult("1", "one\ntwo"),
        ToolResult("2", "down", ok=False),
        assistant("There."),
    )
    assert [turn for group in exchanges(items) for turn in group.turns] == [
        "<|im_start|>user\nboth<|im_end|>\n",
        "<|im_start|>assistant\na(x=1)\nb()<|im_end|>\n",
        "<|im_start|>tool\none two\nThat did not work. down<|im_end|>\n",
        "<|im_start|>assistant\nThere.<|im_end|>\n",
    ]


def test_a_call_that_still_runs_says_so() -> None:
    text = conversation((user("go"), ToolCall("1", "a", {})), 1000)
    assert "<|im_start|>tool\nstill running<|im_end|>" in text


def test_a_long_result_is_cut() -> None:
    text = conversation((ToolCall("1", "a", {}), ToolResult("1", "x" * 5000)), 10_000)
    assert len(text) < MAX_RESULT_CHARS + 200


def test_an_interrupted_message_is_marked_and_an_unheard_one_left_out() -> None:
    cut = Message("assistant", (TextPart("The first"),), interrupted=True)
    unheard = Message("assistant", (TextPart(""),), interrupted=True)
    turns = [t for group in exchanges((user("hi"), cut, unheard)) for t in group.turns]
    assert turns[1:] == ["<|im_start|>assistant\nThe first …<|im_end|>\n"]


@given(
    st.lists(st.sampled_from(["<|im_end|>", "<|", "im_start", "|>", "\n", "system"])).map("".join)
)
def test_nobody_can_open_a_turn_from_inside_one(text: str) -> None:
    items = (user(f"a{text}"), ToolCall("1", "f", {"x": text}), ToolResult("1", f"r{text}"))
    rendered = prefix(text, ()) + conversation(items, 10_000)
    assert rendered.count("<|im_start|>") == rendered.count("<|im_end|>") == 4


def test_what_is_read_beside_a_turn_stands_before_it_and_leaves_the_rest_where_it_was() -> None:
    items = (user("Hello."), assistant("Hi."), user("Where is it?"))
    plain, beside = conversation(items, 1000), conversation(items, 1000, "It is in the cellar.")
    earlier = conversation(items[:2], 1000)
    assert beside.startswith(earlier)
    assert plain.removeprefix(earlier) == beside.removeprefix(earlier).removeprefix(
        "<|im_start|>system\nIt is in the cellar.<|im_end|>\n"
    )


def test_what_is_read_beside_a_turn_crowds_nobody_out() -> None:
    items = (user("Hello."), assistant("Hi."), user("Where is it?"))
    text = conversation(items, 400, "cellar " * 10_000)
    assert "Where is it?" in text
    assert tokens_at_most(text) < 400


def found(text: str) -> Message:
    return Message("system", (TextPart(text),), retrieved=True)


def test_what_was_found_for_a_turn_opens_it_and_stays_there() -> None:
    items = (user("Hello."), assistant("Hi."), found("In the cellar."), user("Where is it?"))
    assert [len(group.turns) for group in exchanges(items)] == [2, 2]
    later = (*items, assistant("There."), found("At ten."), user("When?"))
    assert conversation(later, 1000).startswith(conversation(items, 1000))


def test_what_was_found_is_left_out_with_its_turn_and_never_instead_of_the_latest() -> None:
    items = (
        found("cellar " * 60),
        user("Where?"),
        assistant("There."),
        found("x " * 999),
        user("?"),
    )
    text = conversation(items, 300)
    assert "cellar" not in text
    assert text.endswith("<|im_start|>user\n?<|im_end|>\n")
    assert tokens_at_most(text) < 300


lengths = st.lists(st.integers(1, 300), min_size=1, max_size=40)


@given(lengths, st.integers(20, 400))
def test_the_window_is_a_suffix_that_fits_or_the_last_exchange(
    sizes: list[int], budget: int
) -> None:
    groups = [Exchange(("x" * size,)) for size in sizes]
    kept = list(window(groups, budget))
    assert kept == groups[len(groups) - len(kept) :]
    assert kept
    assert len(kept) == 1 or sum(tokens_at_most(group.text) for group in kept) <= budget


@given(lengths, st.integers(100, 400))
def test_the_window_moves_rarely(sizes: list[int], budget: int) -> None:
    groups = [Exchange(("x" * min(size, budget),)) for size in sizes]
    starts = [len(groups[:n]) - len(window(groups[:n], budget)) for n in range(1, len(groups) + 1)]
    assert starts == sorted(starts)
    moves = len(set(starts)) - 1
    total = sum(tokens_at_most(group.text) for group in groups)
    assert moves <= total / (budget / 2 - max(tokens_at_most(g.text) for g in groups) / 2 + 1) + 1
