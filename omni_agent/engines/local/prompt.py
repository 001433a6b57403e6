"""From a ThinkRequest to the text a small model continues: ChatML, demonstrations, a window.

Every token past the cached prefix costs about 17 ms on two cores, so a turn adds
nothing but its words and two marks.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from omni_agent.conversation import Item, Message, ToolCall, ToolResult
from omni_agent.engines.local.tool_calls import call_text, written
from omni_agent.thinker import ToolSchema

MAX_RESULT_CHARS = 700
"""Of one tool's result: about three seconds of prefill."""
MAX_FOUND_CHARS = 2000
"""Of what was found for one turn: about eight seconds of prefill, once."""
_OUTCOMES = (
    ("It is 7 past 4 on Friday.", "It is 7 past 4 on Friday."),
    ("Ready: number 42.5 for Anna.", "All right, number 42.5 is ready for Anna."),
    ("That did not work. There is no connection.", "Sorry, there is no connection."),
)
"""Results and how to tell them; whatever the tool, the numbers are carried over."""
_STORY = (
    "With pleasure. One winter evening a young fox found a lantern in the snow. She carried it "
    "home through the forest, and every animal that saw the light came out and walked along "
    "with her. By midnight the whole wood was dancing around it."
)
"""Without one long answer among the short ones the model declines to tell stories."""
_STYLE = (
    "Your words are spoken aloud on a phone call. Answer in one or two short sentences, "
    "in plain words, without lists or symbols."
)
_TOOLS = (
    "When the user asks for something a function below does, answer with the call alone. "
    "Use only values the user said; when one is missing, ask for it. "
    "After a result, tell all of it to the user in a short sentence. Never make up a result."
)


def turn(role: str, text: str) -> str:
    """One ChatML turn. Marks inside ``text`` are defused: a user cannot open a turn."""
    return f"{opening(role)}{defused(text)}<|im_end|>\n"


def opening(role: str) -> str:
    return f"<|im_start|>{role}\n"


def defused(text: str) -> str:
    return text.replace("<|", "< |")


def prefix(instructions: str, tools: Sequence[ToolSchema]) -> str:
    """What every prompt of a persona begins with; its KV state is kept on disk."""
    parts = [instructions.strip(), _STYLE]
    if tools:
        parts.append(_TOOLS + "\n" + "\n".join(map(signature, tools)))
    text = turn("system", "\n\n".join(part for part in parts if part))
    return text + "".join(turn(role, words) for role, words in demonstrations(tools))


def signature(tool: ToolSchema) -> str:
    """A tool as a line of Python: ``set_timer(amount: int, unit: "s" | "min") - …``."""
    properties: Mapping[str, Any] = tool.parameters.get("properties") or {}
    required = set(tool.parameters.get("required") or ())
    described: list[str] = []
    arguments: list[str] = []
    for name, schema in properties.items():
        arguments.append(f"{name}: {_kind(schema)}" + ("" if name in required else " = None"))
        if isinstance(schema, Mapping) and schema.get("description"):
            described.append(f"{name}: {schema['description']}")
    words = ". ".join(part.strip().rstrip(".") for part in [tool.description, *described] if part)
    return f"{tool.name}({', '.join(arguments)}) - {' '.join(words.split())}"


def _kind(schema: Any) -> str:
    if not isinstance(schema, Mapping):
        return "any"
    if schema.get("enum"):
        return " | ".join(written(value) for value in schema["enum"])
    kinds = {"string": "str", "integer": "int", "number": "float", "boolean": "bool"}
    kinds |= {"array": "list", "object": "dict", "null": "None"}
    options = schema.get("anyOf") or schema.get("oneOf")
    if options:
        return " | ".join(kind for option in options if (kind := _kind(option)) != "None")
    return kinds.get(str(schema.get("type")), "any")


# -- demonstrations ---------------------------------------------------------------------------


def demonstrations(tools: Sequence[ToolSchema]) -> Iterator[tuple[str, str]]:
    """(role, words) turns that show how to call (twice at once, too), to ask back, to report
    and just to talk.

    Talk stands between calls: where it comes last, the 1.5B model goes on talking after any
    small talk.
    """
    if not tools:
        return
    yield "user", "Hello, how are you?"
    yield "assistant", "I am fine, thank you. What can I do for you?"
    outcomes = iter(_OUTCOMES)
    yield from _calls(tools, 0, outcomes)
    yield "user", "What is the largest ocean?"
    yield "assistant", "That is the Pacific Ocean."
    if len(tools) > 1:
        yield from _both(tools[0], tools[-1])
    yield from _calls(tools, 1, outcomes)
    yield "user", "Tell me a story about a fox."
    yield "assistant", _STORY
    if vague := next(filter(_required, tools), None):
        missing = _required(vague)[0].replace("_", " ")
        # "Set timer, please." would have "Cancel the timer, please." asked back, too.
        yield "user", f"I would like to {re.sub(r'[_.-]+', ' ', vague.name)}."
        yield "assistant", f"Sure. Which {missing} should it be?"
    yield "user", "Thanks, that was all."
    yield "assistant", "You are welcome."


def _calls(
    tools: Sequence[ToolSchema], number: int, outcomes: Iterator[tuple[str, str]]
) -> Iterator[tuple[str, str]]:
    """Each tool's example of this number, while there are outcomes with one of them."""
    for tool in tools:
        examples = _examples(tool)
        shown = examples if len(tools) > 1 else (*examples, *examples)
        for say, arguments in shown[number : number + 1]:
            yield "user", say
            yield "assistant", call_text(tool.name, arguments)
            for result, told in itertools.islice(outcomes, 1):
                yield "tool", result
                yield "assistant", told


def _both(one: ToolSchema, other: ToolSchema) -> Iterator[tuple[str, str]]:
    """Two requests in a breath.

    Left alone the 1.5B model does the first and forgets the second, or makes its result up.
    """
    (first, how), (second, then) = _examples(one)[0], _examples(other)[0]
    yield "user", f"{first.rstrip('.?!')}, and {second[:1].lower()}{second[1:]}"
    yield "assistant", f"{call_text(one.name, how)}\n{call_text(other.name, then)}"
    yield "tool", "It is half past 9.\nThat was number 3."
    yield "assistant", "It is half past 9, and that was number 3."


def _examples(tool: ToolSchema) -> Sequence[tuple[str, Mapping[str, Any]]]:
    return tool.examples or (_imagined(tool),)


def _required(tool: ToolSchema) -> list[str]:
    required = set(tool.parameters.get("required") or ())
    return [name for name in tool.parameters.get("properties") or {} if name in required]


def _request(tool: ToolSchema) -> str:
    """The tool's description as a request: its first sentence, or its name."""
    sentence = re.split(r"[.\n:;(]", tool.description.strip(), maxsplit=1)[0].strip()
    words = sentence or re.sub(r"[_.-]+", " ", tool.name)
    return f"Please {words[0].lower()}{words[1:]}."


def _imagined(tool: ToolSchema) -> tuple[str, Mapping[str, Any]]:
    """A request made of the schema alone: its description and a value for each argument."""
    properties: Mapping[str, Any] = tool.parameters.get("properties") or {}
    names = _required(tool) or list(properties)[:1]
    arguments = {name: _sample(name, properties[name]) for name in names}
    values = ", ".join(
        f"{name.replace('_', ' ')} {value if isinstance(value, str) else written(value)}"
        for name, value in arguments.items()
    )
    request = _request(tool)
    return (f"{request[:-1]}: {values}." if values else request), arguments


def _sample(name: str, schema: Any) -> Any:
    """A plausible value of a schema."""
    if not isinstance(schema, Mapping):
        return 1
    for key in ("const", "default"):
        if schema.get(key) is not None:
            return schema[key]
    for key in ("examples", "enum"):
        if isinstance(choices := schema.get(key), list) and choices:
            return choices[0]
    for key in ("anyOf", "oneOf"):
        if schema.get(key):
            return _sample(name, schema[key][0])
    match schema.get("type"):
        case "integer":
            return max(int(schema.get("minimum", 0)), 7)
        case "number":
            return max(float(schema.get("minimum", 0)), 2.5)
        case "boolean":
            return True
        case "array":
            return [_sample(name, schema.get("items", {}))]
        case "object":
            inner = schema.get("properties") or {}
            return {key: _sample(key, value) for key, value in inner.items()}
        case _:
            return " ".join(["blue", *name.replace("_", " ").split()[-1:]])


# -- the conversation -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Exchange:
    """A user's turn, what stands beside it, and everything up to the next one; dropped as a whole
    or not at all."""

    turns: tuple[str, ...]

    @property
    def text(self) -> str:
        return "".join(self.turns)


def exchanges(items: Sequence[Item], most_found: int = MAX_FOUND_CHARS) -> list[Exchange]:
    """The conversation in turns; several calls (or results) in a row share one turn.

    most_found: characters of what was found for a turn.
    """
    results = {item.call_id for item in items if isinstance(item, ToolResult)}
    groups: list[list[tuple[str, type[Item], list[str]]]] = [[]]
    for item in items:
        role, text = _rendered(item)
        if not text:
            continue
        rows = groups[-1]
        if rows and role in ("user", "system") and rows[-1][0] != "system":
            groups.append(rows := [])
        if isinstance(item, Message) and item.retrieved:
            text = text[:most_found]
        if rows and rows[-1][1] is type(item) and not isinstance(item, Message):
            rows[-1][2].append(text)
        else:
            rows.append((role, type(item), [text]))
        if isinstance(item, ToolCall) and item.call_id not in results:
            rows.append(("tool", ToolResult, ["still running"]))
    return [
        Exchange(tuple(turn(role, "\n".join(texts)) for role, _, texts in rows))
        for rows in groups
        if rows
    ]


def _rendered(item: Item) -> tuple[str, str]:
    match item:
        case Message(role=role):
            text = item.text.strip()
            return role, f"{text} …" if item.interrupted and text else text
        case ToolCall():
            return "assistant", call_text(item.name, item.arguments)
        case ToolResult():
            output = " ".join(item.told.split()) or "done"
            if len(output) > MAX_RESULT_CHARS:
                output = output[:MAX_RESULT_CHARS] + " …"
            return "tool", output


def tokens_at_most(text: str) -> int:
    """An upper estimate: a digit is a token, other text has three bytes to one or more."""
    digits = sum(character.isdigit() for character in text)
    return digits + (len(text.encode()) - digits) // 3 + 4 * text.count("<|")


def window(groups: Sequence[Exchange], budget: int) -> Sequence[Exchange]:
    """The latest exchanges that fit ``budget`` tokens; the last one always stays.

    When they no longer fit, the older half goes at once: what is left then keeps
    its place in the KV cache for many turns instead of moving with each. The
    outcome depends on the conversation alone, so it is the same on every turn.
    """
    start, size = 0, 0
    sizes = [tokens_at_most(group.text) for group in groups]
    for at, cost in enumerate(sizes):
        size += cost
        if size > budget:
            while start < at and size > budget // 2:
                size -= sizes[start]
                start += 1
    return groups[start:]


def conversation(items: Sequence[Item], budget: int, beside: str = "") -> str:
    """The turns after the prefix, within ``budget`` tokens.

    beside: what is to be read for the latest turn; it stands before that, so that what comes
    earlier stays computed. At most half the budget is for it.
    """
    aside = turn("system", beside[: budget * 3 // 2]) if beside else ""
    groups = exchanges(items, min(MAX_FOUND_CHARS, budget * 3 // 2))
    *before, last = [group.text for group in window(groups, budget - tokens_at_most(aside))] or [""]
    return "".join([*before, aside, last])
