"""Whatever a tool returns or raises becomes text that can be read, sent and said."""

from __future__ import annotations

import datetime as dt
import enum
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from omni_agent.errors import words_of
from omni_agent.tools.results import render
from omni_agent.utf8 import MAX_OUTPUT_CHARS, clean


class Address(BaseModel):
    street: str
    number: int = 1


@dataclass
class Point:
    x: int
    y: float


class Colour(enum.Enum):
    RED = "red"


class Hostile:
    """Raises whatever is asked of it, in ways that end processes."""

    def __str__(self) -> str:
        raise SystemExit(3)

    __repr__ = __len__ = __iter__ = __str__  # type: ignore[assignment]  # that is the point


class HostileText(str):
    def __len__(self) -> int:
        raise SystemExit(3)

    def __str__(self) -> str:
        raise SystemExit(3)


class HostileMapping(dict[str, int]):
    def items(self) -> Any:
        raise GeneratorExit


def circular() -> list[Any]:
    loop: list[Any] = [1]
    loop.append(loop)
    return loop


def deep() -> list[Any]:
    value: list[Any] = []
    for _ in range(5000):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("result", "text"),
    [
        (None, "done"),
        ("ok", "ok"),
        (True, "true"),
        (3, "3"),
        (2.5, "2.5"),
        (float("nan"), "not a number"),
        ({"a": float("inf")}, '{"a": "infinite"}'),
        ({"a": (1, None)}, '{"a": [1, null]}'),
        ({"a": {2}}, '{"a": [2]}'),
        ({(1, 2): 3}, '{"(1, 2)": 3}'),
        (Address(street="Elm"), '{"street": "Elm", "number": 1}'),
        ([Address(street="Elm")], '[{"street": "Elm", "number": 1}]'),
        (Point(1, 2.0), '{"x": 1, "y": 2.0}'),
        (Colour.RED, "red"),
        (dt.date(2026, 3, 2), "2026-03-02"),
        ((n * n for n in range(3)), "[0, 1, 4]"),
        (b"plain words", "plain words"),
        (b"\x89PNG\r\n\x1a\n" + bytes(12_000), "an image (image/png, 12 kB)"),
        (b"\xff\xd8\xff\xe0", "an image (image/jpeg, 4 bytes)"),
        ({"photo": b"\x89PNG\r\n\x1a\n"}, '{"photo": "an image (image/png, 8 bytes)"}'),
        (b"\x00\x01\xfe", "binary data (3 bytes)"),
        (circular(), '[1, "…"]'),
        ("half \ud83d a face", "half  a face"),
        ("\ud83d\ude00", "\U0001f600"),
        ({"half": "\ude00"}, '{"half": ""}'),
        (10**200, "a very large number"),
    ],
)
def test_results_are_rendered_as_text(result: Any, text: str) -> None:
    assert render(result) == text


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: HostileText("words"), "words"),
        (lambda: Hostile(), "done; the result cannot be told (a Hostile)"),
        (lambda: [Hostile()], "done; the result cannot be told (a list)"),
        (lambda: HostileMapping(a=1), "done; the result cannot be told (a HostileMapping)"),
    ],
    ids=["text", "object", "list", "mapping"],
)
def test_a_hostile_result_is_rendered_or_refused(make: Callable[[], Any], text: str) -> None:
    assert render(make()) == text


@pytest.mark.parametrize(
    "result",
    [
        "x" * 1_000_000,
        b"x" * 1_000_000,
        list(range(1_000_000)),
        {str(n): "x" * 100 for n in range(10_000)},
        itertools.count(),
        itertools.repeat("again"),
        deep(),
    ],
    ids=["text", "bytes", "list", "mapping", "endless", "repeated", "deep"],
)
def test_a_huge_or_endless_result_is_cut(result: Any) -> None:
    assert len(render(result)) <= MAX_OUTPUT_CHARS + len(" … (cut)")


@given(st.recursive(st.none() | st.floats() | st.text() | st.binary(), st.lists))
def test_every_text_can_be_sent(result: Any) -> None:
    render(result).encode()


@given(st.text(st.characters(codec=None, exclude_categories=()), max_size=20))
def test_clean_text_can_be_sent_and_whole_characters_stay(text: str) -> None:
    assert clean(text).encode().decode() == clean(text)
    assert clean("é😀" + text).startswith("é😀")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: ValueError("no tea"), "no tea"),
        (lambda: ValueError(), "ValueError"),
        (lambda: ValueError(Hostile()), "ValueError"),
        (lambda: ValueError("\ud83d"), "ValueError"),
    ],
)
def test_an_exception_has_words_even_if_it_cannot_say_them(
    make: Callable[[], Exception], words: str
) -> None:
    assert words_of(make()) == words
