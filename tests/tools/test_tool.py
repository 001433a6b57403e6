"""Tools made from typed functions."""

from __future__ import annotations

import asyncio
import datetime as dt
import enum
import functools
import threading
from collections import deque
from collections.abc import Coroutine, Iterable, Iterator
from typing import Annotated, Any, Literal

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field, RootModel, SecretStr

from omni_agent.errors import ConfigError, ToolArgumentsError
from omni_agent.testing import FakeCall
from omni_agent.thinker import ToolSchema
from omni_agent.tools.context import CallContext, When
from omni_agent.tools.panels import Panel, PanelRow
from omni_agent.tools.tool import Tool, tool


class Threads(FakeCall):
    """Notes on which thread each thing was done."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[int] = set()

    def say(self, text: str, when: When = "silence") -> None:
        super().say(text, when)
        self.seen.add(threading.get_ident())

    def show(self, name: str, panel: Panel) -> None:
        super().show(name, panel)
        self.seen.add(threading.get_ident())

    def progress(self, text: str) -> None:
        super().progress(text)
        self.seen.add(threading.get_ident())

    def background(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        self.seen.add(threading.get_ident())
        return super().background(work)


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Address(BaseModel):
    street: str
    number: int = 1


class Tree(BaseModel):
    title: str
    children: list[Tree] = []


@tool
def order_status(order_id: str, call: CallContext) -> str:
    """Where an order is. order_id: the number on the receipt, e.g. A-1042."""
    return f"{order_id} is out for delivery in {call.session_id}"


@tool(timeout_s=3, interruptible=True, examples={"Book Monday": {"day": "2026-03-02"}})
async def book(
    day: dt.date,
    colour: Colour = Colour.RED,
    size: Literal["small", "large"] = "small",
    note: str | None = None,
    address: Address | None = None,
    seats: Annotated[int, Field(ge=1, le=9)] = 1,
) -> dict[str, Any]:
    """Book a table.

    Args:
        day: the day, as in
            2026-03-02
        seats (int): how many
    """
    return {
        "types": [type(value).__name__ for value in (day, colour, size, note, address, seats)],
        "colour": colour is Colour.BLUE,
    }


def test_the_docstring_gives_the_description_and_the_parameters() -> None:
    assert order_status.schema == ToolSchema(
        name="order_status",
        description="Where an order is.",
        parameters={
            "type": "object",
            "properties": {
                "order_id": {
                    "type": "string",
                    "description": "the number on the receipt, e.g. A-1042",
                }
            },
            "required": ["order_id"],
            "additionalProperties": False,
        },
    )


def test_the_context_parameter_is_hidden_and_filled_in() -> None:
    assert order_status.context_parameter == "call"
    assert "call" not in order_status.schema.parameters["properties"]


async def test_a_plain_function_runs_with_its_context() -> None:
    assert (
        await order_status.call({"order_id": "A-1"}, FakeCall())
        == "A-1 is out for delivery in call_1"
    )


async def test_a_tool_is_called_like_the_function_it_was() -> None:
    assert order_status("A-1", FakeCall()) == "A-1 is out for delivery in call_1"
    assert (await book(dt.date(2026, 3, 2), Colour.BLUE))["colour"]


def test_types_become_schema_without_titles_or_references() -> None:
    properties = book.schema.parameters["properties"]
    assert properties["day"]["format"] == "date"
    assert properties["day"]["description"] == "the day, as in 2026-03-02"
    assert properties["seats"] == {
        "type": "integer",
        "minimum": 1,
        "maximum": 9,
        "default": 1,
        "description": "how many",
    }
    assert properties["size"]["enum"] == ["small", "large"]
    assert properties["colour"]["enum"] == ["red", "blue"]
    assert properties["address"]["anyOf"][0]["required"] == ["street"]
    assert "$defs" not in book.schema.parameters
    assert book.schema.parameters["required"] == ["day"]
    assert book.schema.description == "Book a table."


async def test_arguments_arrive_as_the_declared_types() -> None:
    output = await book.call(
        {"day": "2026-03-02", "colour": "blue", "address": {"street": "Elm"}, "seats": 3},
        FakeCall(),
    )
    assert output == (
        '{"types": ["date", "Colour", "str", "NoneType", "Address", "int"], "colour": true}'
    )


async def test_omitted_arguments_take_the_functions_own_defaults() -> None:
    marker = object()

    @tool
    async def probe(where: Any = marker) -> bool:
        """Probe."""
        return where is marker

    assert await probe.call({}, FakeCall()) == "true"


async def test_a_field_as_default_is_a_default_for_the_function_too() -> None:
    @tool
    def probe(count: int = Field(5, ge=1, description="how often")) -> int:
        """Probe."""
        return count

    assert await probe.call({}, FakeCall()) == "5"
    assert probe.schema.parameters["properties"]["count"] == {
        "type": "integer",
        "default": 5,
        "minimum": 1,
        "description": "how often",
    }
    with pytest.raises(ToolArgumentsError, match="count: 0 is less than the minimum"):
        probe.validate({"count": 0})


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({}, "'day' is a required property"),
        ({"day": "someday"}, "day: .*date"),
        ({"day": "2026-03-02", "seats": "two"}, "seats: 'two' is not of type 'integer'"),
        ({"day": "2026-03-02", "seats": 10}, "seats: 10 is greater than the maximum of 9"),
        ({"day": "2026-03-02", "size": "huge"}, r"size: 'huge' is not one of \['small', 'large'\]"),
        ({"day": "2026-03-02", "when": 1}, "'when' was unexpected.*; it takes day, colour, size"),
        ({"day": "x" * 10_000}, "day: "),
    ],
)
def test_wrong_arguments_are_named(arguments: dict[str, Any], reason: str) -> None:
    with pytest.raises(ToolArgumentsError, match=reason) as caught:
        book.validate(arguments)
    assert caught.value.tool == "book"
    assert len(str(caught.value)) < 500


def test_parameters_may_be_called_anything_a_function_allows() -> None:
    @tool
    def odd(json: str, _private: int, copy: str, title: str, model_config: str = "x") -> str:
        """Odd names."""
        return f"{json}{_private}{copy}{title}{model_config}"

    assert set(odd.schema.parameters["properties"]) == {
        "json",
        "_private",
        "copy",
        "title",
        "model_config",
    }
    odd.validate({"json": "a", "_private": 1, "copy": "b", "title": "c"})


async def test_a_model_that_contains_itself_keeps_its_reference() -> None:
    @tool
    async def plant(tree: Tree) -> int:
        """Plant."""
        assert isinstance(tree.children[0], Tree)
        return len(tree.children)

    assert (
        await plant.call({"tree": {"title": "a", "children": [{"title": "b"}]}}, FakeCall()) == "1"
    )
    assert list(plant.schema.parameters["$defs"]) == ["Tree"]
    with pytest.raises(ToolArgumentsError, match="children"):
        plant.validate({"tree": {"title": "a", "children": [{"name": "b"}]}})


def test_description_comes_from_annotations_before_the_docstring() -> None:
    @tool
    def look(
        city: Annotated[str, "a city"], land: Annotated[str, Field(description="a land")] = "x"
    ) -> str:
        """Look. city: nothing. land: nothing."""
        return city + land

    properties = look.schema.parameters["properties"]
    assert properties["city"]["description"] == "a city"
    assert properties["land"]["description"] == "a land"


def documented_in_numpy_style(order_id: str, fast: bool = False) -> str:
    """Where an order is.

    It asks the shop.

    Parameters
    ----------
    order_id : str
        The number on the receipt,
        e.g. A-1042.
    fast : bool, optional
        Whether to hurry.

    Returns
    -------
    str
        Where it is.

    Raises
    ------
    ValueError
        When there is none.
    """
    return order_id


def documented_in_rest(order_id: str, fast: bool = False) -> str:
    """Where an order is. It asks the shop.

    :param str order_id: The number on the receipt,
        e.g. A-1042.
    :param fast: Whether to hurry.
    :type fast: bool
    :returns: Where it is.
    :raises ValueError: When there is none.
    """
    return order_id


def documented_in_google_style(order_id: str, fast: bool = False) -> str:
    """Where an order is.

    It asks the shop.

    Args:
        order_id (str): The number on the receipt,
            e.g. A-1042.
        fast: Whether to hurry.

    Returns:
        Where it is.

    Raises:
        ValueError: When there is none.
    """
    return order_id


def documented_inline(order_id: str, fast: bool = False) -> str:
    """Where an order is. It asks the shop. order_id: The number on the receipt, e.g. A-1042.

    fast: Whether to hurry.
    """
    return order_id


def documented_in_both_ways(order_id: str, fast: bool = False) -> str:
    """Where an order is. It asks the shop. fast: Whether to hurry.

    :param order_id: The number on the receipt, e.g. A-1042.
    """
    return order_id


@pytest.mark.parametrize(
    "function",
    [
        documented_in_numpy_style,
        documented_in_rest,
        documented_in_google_style,
        documented_inline,
        documented_in_both_ways,
    ],
)
def test_every_style_of_docstring_is_taken_apart(function: Any) -> None:
    schema = tool(function).schema
    assert schema.description == "Where an order is. It asks the shop."
    assert {
        name: part["description"] for name, part in schema.parameters["properties"].items()
    } == {
        "order_id": "The number on the receipt, e.g. A-1042",
        "fast": "Whether to hurry",
    }


def test_without_a_docstring_the_name_describes_it() -> None:
    @tool
    def ring_the_bell() -> str:
        return "ding"

    assert ring_the_bell.schema.description == "ring the bell"
    assert ring_the_bell.schema.parameters["properties"] == {}
    ring_the_bell.validate({})


def untyped(city) -> str:  # type: ignore[no-untyped-def]  # that is the point
    return str(city)


def star(*cities: str) -> str:
    return ""


def positional(city: str, /) -> str:
    return city


def unresolvable(city: Nowhere) -> str:  # type: ignore[name-defined]  # noqa: F821  # that is the point
    return ""


def no_schema(socket: threading.Thread) -> str:
    return ""


def two_contexts(a: CallContext, b: CallContext) -> str:
    return ""


def generator(city: str) -> Any:
    yield city


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (untyped, "untyped: parameter 'city' needs a type"),
        (star, r"star: \*cities"),
        (positional, "positional: 'city' is positional-only"),
        (unresolvable, "unresolvable: cannot resolve its annotations .*Nowhere"),
        (no_schema, "no_schema: no JSON schema can be made of parameter 'socket'"),
        (two_contexts, "two_contexts: only one parameter"),
        (generator, "generator: return a value"),
        (lambda: 1, "'<lambda>' cannot be a tool's name"),
        (Address, "needs a function"),
        (order_status, "needs a function"),
        (3, "needs a function"),
    ],
)
def test_a_function_no_schema_can_be_made_of_is_refused(function: Any, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        tool(function)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"name": "two words"}, "'two words' cannot be"),
        ({"name": "class"}, "'class' cannot be"),
        (
            {"approval": "Look at {town}?"},
            "asks with {town}, which is no argument; there are: city",
        ),
        ({"timeout_s": 0}, "timeout_s"),
        ({"timeout_s": float("nan")}, "timeout_s"),
        ({"examples": {"Hi": {"city": [3]}}}, r"example 'Hi' is wrong: city: \[3\] is not of type"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], reason: str) -> None:
    def look(city: str) -> str:
        return city

    with pytest.raises(ConfigError, match=reason):
        tool(**options)(look)


def test_an_approval_asks_with_the_values_of_the_arguments() -> None:
    def look(city: str, days: int = 1) -> str:
        return city

    made = tool(approval="Look at {city} for {days}?")(look)
    assert made.question({"city": "Rome", "days": 2}) == "Look at Rome for 2?"
    assert made.question({"city": "{days}\ud83d"}) == "Look at {days} for ?"
    assert tool(look).question({"city": "Rome"}) == ""


def test_a_schema_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="'bad': not a JSON schema"):
        Tool(ToolSchema("bad", "", {"type": "objekt"}), run=print)


async def test_a_tool_from_a_schema_alone_validates_and_runs() -> None:
    made = Tool(
        ToolSchema("add", "", {"type": "object", "properties": {"a": {"type": "integer"}}}),
        run=lambda a: a + 1,
    )
    assert await made.call({"a": 1}, FakeCall()) == "2"
    with pytest.raises(ToolArgumentsError, match="a: "):
        await made.call({"a": "one"}, FakeCall())


async def test_partials_methods_and_callable_objects_are_functions_too() -> None:
    class Shop:
        def price(self, item: str) -> str:
            """What it costs."""
            return f"{item}: 3"

        async def __call__(self, item: str) -> str:
            return f"{item}!"

    def add(a: int, b: int) -> int:
        return a + b

    assert await tool(Shop().price).call({"item": "tea"}, FakeCall()) == "tea: 3"
    assert await tool(name="shop")(Shop()).call({"item": "tea"}, FakeCall()) == "tea!"
    assert await tool(name="add")(functools.partial(add, 1)).call({"b": 2}, FakeCall()) == "3"


async def test_a_plain_function_reaches_the_call_on_the_loops_thread() -> None:
    finished = asyncio.Event()

    async def later() -> None:
        finished.set()

    @tool
    def ring(call: CallContext) -> str:
        """Ring."""
        assert threading.get_ident() != loop_thread
        call.state["rung"] = True
        call.say("ding")
        call.progress("half")
        call.show("bell", Panel(title="Bell", rows=[PanelRow(label="a", value="b")]))
        call.background(later())
        return call.session_id

    loop_thread = threading.get_ident()
    context = Threads()
    assert await ring.call({}, context) == "call_1"
    await finished.wait()
    assert (context.said, context.progressed, list(context.panels)) == (
        ["ding"],
        ["half"],
        ["bell"],
    )
    assert context.seen == {loop_thread}
    assert context.state == {"rung": True}


async def test_what_a_tool_raises_reaches_the_caller() -> None:
    @tool
    def broken() -> str:
        """Break."""
        raise KeyError("x")

    with pytest.raises(KeyError):
        await broken.call({}, FakeCall())


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=8,
)


# A busy machine is no failure: no deadline, no health check of the clock.
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(
        st.sampled_from(["day", "colour", "size", "note", "address", "seats", "other"]), json_values
    )
    | st.fixed_dictionaries(
        {"day": st.dates().map(str)},
        optional={
            "colour": st.sampled_from(["red", "blue", "green"]),
            "size": st.sampled_from(["small", "large"]),
            "address": st.fixed_dictionaries(
                {"street": st.text(max_size=5), "number": json_values}
            ),
            "seats": st.integers() | st.floats(),
        },
    )
)
@example({"day": 0})
def test_any_arguments_validate_or_are_refused_as_such(arguments: dict[str, Any]) -> None:
    try:
        book.validate(arguments)
    except ToolArgumentsError:
        return
    assert dt.date.fromisoformat(arguments["day"])
    assert 1 <= int(arguments.get("seats") or 1) <= 9


class Payment(BaseModel):
    euros: int = Field(exclude=True)
    to: str = "bob"


@tool
def pay_all(payments: list[Payment], first: Payment) -> str:
    """Pay."""
    return ""


def test_who_judges_a_call_sees_what_its_models_do_not_show() -> None:
    given = {"payments": [{"euros": "99"}], "first": {"euros": 5, "to": "ann"}}
    settled = pay_all.settle(given).told
    assert settled["first"] == {"euros": 5, "to": "ann"}
    assert settled["payments"] == [{"euros": 99, "to": "bob"}]


class Batch(BaseModel):
    sizes: Iterable[int]
    code: SecretStr = SecretStr("")


@tool
def sum_up(sizes: Iterable[int], batches: deque[Batch], by: dict[str, Iterable[int]]) -> str:
    """Add."""
    return str([*sizes, *batches[0].sizes, *by["a"]])


async def test_what_can_be_read_once_is_left_to_the_tool() -> None:
    given = {"sizes": [1, 2], "batches": [{"sizes": [3], "code": "1234"}], "by": {"a": [4]}}
    settled = sum_up.settle(given)
    stars = {"sizes": [3], "code": "**********"}
    assert settled.told == {**given, "batches": [stars]}
    assert await sum_up.call(settled, FakeCall()) == "[1, 2, 3, 4]"


class Names(RootModel[list[str]]):
    def __iter__(self) -> Iterator[str]:  # type: ignore[override]  # as pydantic's docs have it
        return iter(self.root)


@tool
def greet(names: Names) -> str:
    """Greet."""
    return " and ".join(names)


async def test_a_model_may_be_iterated_as_it_likes() -> None:
    assert await greet.call(greet.settle({"names": ["Ann", "Bob"]}), FakeCall()) == "Ann and Bob"


def test_each_call_has_a_default_of_its_own() -> None:
    @tool
    def collect(item: str, into: list[str] = []) -> str:  # noqa: B006
        """Collect."""
        into.append(item)
        return str(into)

    one, other = collect.settle({"item": "a"}), collect.settle({"item": "b"})
    assert one.keywords["into"] is not other.keywords["into"]
