"""Arguments as models write them: fitted where one thing can be meant, refused otherwise."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from omni_agent import tool
from omni_agent.errors import ToolArgumentsError
from omni_agent.testing import FakeCall
from omni_agent.tools.arguments import fitted

ABSENT: Any = object()


class Guest(BaseModel):
    name: str
    age: int = 0


GOT: dict[str, Any] = {}


@tool
async def probe(
    text: str = ABSENT,
    maybe_text: str | None = ABSENT,
    count: int = ABSENT,
    maybe_count: int | None = ABSENT,
    ratio: float = ABSENT,
    flag: bool = ABSENT,
    state: Literal["on", "off"] = ABSENT,
    level: Literal[1, 2] = ABSENT,
    names: list[str] = ABSENT,
    counts: list[int] = ABSENT,
    guest: Guest = ABSENT,
    guests: list[Guest] = ABSENT,
    either: int | str = ABSENT,
    anything: Any = ABSENT,
) -> str:
    """Notes what arrived."""
    GOT.clear()
    GOT.update({name: value for name, value in locals().items() if value is not ABSENT})
    return ""


@tool
async def strict(count: int) -> str:
    """Needs a count."""
    GOT.clear()
    GOT["count"] = count
    return ""


@pytest.mark.parametrize(
    ("arguments", "arrives"),
    [
        ({"count": "5"}, {"count": 5}),
        ({"count": " -5 "}, {"count": -5}),
        ({"count": 5.0}, {"count": 5}),
        ({"count": "5.0"}, {"count": 5}),
        ({"count": None}, {}),
        ({"count": ""}, {}),
        ({"maybe_count": None}, {"maybe_count": None}),
        ({"maybe_count": "7"}, {"maybe_count": 7}),
        ({"maybe_text": None}, {"maybe_text": None}),
        ({"text": None}, {}),
        ({"text": 1042}, {"text": "1042"}),
        ({"text": "5"}, {"text": "5"}),
        ({"text": "null"}, {"text": "null"}),
        ({"ratio": "2.5"}, {"ratio": 2.5}),
        ({"ratio": "3"}, {"ratio": 3.0}),
        ({"flag": "true"}, {"flag": True}),
        ({"flag": "False"}, {"flag": False}),
        ({"flag": None}, {}),
        ({"state": "On"}, {"state": "on"}),
        ({"state": " off "}, {"state": "off"}),
        ({"level": "2"}, {"level": 2}),
        ({"names": "Anna"}, {"names": ["Anna"]}),
        ({"names": [1, "Bo"]}, {"names": ["1", "Bo"]}),
        ({"names": '["Anna", "Bo"]'}, {"names": ["Anna", "Bo"]}),
        ({"names": None}, {}),
        ({"counts": "5"}, {"counts": [5]}),
        ({"counts": ["1", 2.0]}, {"counts": [1, 2]}),
        ({"guest": {"name": "Anna", "age": "7"}}, {"guest": Guest(name="Anna", age=7)}),
        ({"guest": {"name": "Anna", "age": None}}, {"guest": Guest(name="Anna")}),
        ({"guest": '{"name": "Anna"}'}, {"guest": Guest(name="Anna")}),
        ({"guests": {"name": "Anna"}}, {"guests": [Guest(name="Anna")]}),
        ({"either": "5"}, {"either": "5"}),
        ({"either": 5}, {"either": 5}),
        ({"anything": None}, {"anything": None}),
        ({"anything": "5"}, {"anything": "5"}),
    ],
)
async def test_what_can_mean_one_thing_arrives_as_that(
    arguments: dict[str, Any], arrives: dict[str, Any]
) -> None:
    await probe.call(arguments, FakeCall())
    assert arrives == GOT
    assert [type(value) for value in GOT.values()] == [type(value) for value in arrives.values()]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"count": "five"}, "count: 'five' is not of type 'integer'"),
        ({"count": "5.5"}, "count: '5.5'"),
        ({"count": 5.5}, "count: 5.5"),
        ({"count": "1e3"}, "count: '1e3'"),
        ({"count": "9" * 40}, "count: "),
        ({"count": True}, "count: True is not of type 'integer'"),
        ({"count": [5]}, r"count: \[5\]"),
        ({"ratio": "nan"}, "ratio: 'nan'"),
        ({"ratio": "inf"}, "ratio: 'inf'"),
        ({"flag": "maybe"}, "flag: 'maybe'"),
        ({"flag": 1}, "flag: 1"),
        ({"state": "dim"}, "state: 'dim' is not one of"),
        ({"text": True}, "text: True"),
        ({"text": ["a"]}, "text: "),
        ({"names": '["Anna"'}, None),
        ({"guest": '{"name": '}, "guest: "),
        ({"nobody": None}, "unexpected"),
    ],
)
async def test_what_can_mean_several_things_or_none_is_refused_clearly(
    arguments: dict[str, Any], reason: str | None
) -> None:
    if reason is None:  # a broken list is the text of a list of one
        await probe.call(arguments, FakeCall())
        return
    with pytest.raises(ToolArgumentsError, match=reason):
        await probe.call(arguments, FakeCall())


@pytest.mark.parametrize("arguments", [{"count": None}, {"count": ""}, {}])
def test_what_is_required_cannot_be_absent(arguments: dict[str, Any]) -> None:
    with pytest.raises(ToolArgumentsError, match="count"):
        strict.validate(arguments)


@given(st.integers(-(10**14), 10**14))
async def test_every_integer_in_words_of_digits_is_that_integer(number: int) -> None:
    await strict.call({"count": str(number)}, FakeCall())
    assert {"count": number} == GOT


def test_alternatives_that_read_a_value_alike_are_looked_at_once() -> None:
    looked: list[Any] = []

    def fits(value: Any, schema: Any) -> bool:
        looked.append(value)
        return False

    schema = {"anyOf": [{"type": "integer"}] * 100}
    assert fitted({"a": "5"}, {"properties": {"a": schema}}, fits) == {"a": "5"}
    assert looked == ["5", 5]
