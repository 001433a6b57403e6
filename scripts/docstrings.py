"""Reads our docstrings for the documentation site (a Griffe extension).

Parameters and fields are explained where they stand, ``name: what it is.`` at the beginning of a
sentence; here they become the sections that the site makes tables of. An example follows ``::``,
indented; ``:class:`x.Y``` is only a name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Set
from typing import Any

import griffe

_SENTENCE = r"(?:^|(?<=[.;!?)] ))"
_ENTRY = re.compile(rf"{_SENTENCE}(?=([a-z]\w*(?:, [a-z]\w*)*): )")
_OUTCOME = re.compile(rf"{_SENTENCE}(?=(?:Raises|Returns) )")
_ROLE = re.compile(r":[a-z]+:`")
_EXAMPLE = re.compile(r"(?:^|(?<=\n))(.*?) ?::\n\n((?:[ ]{4}.*(?:\n|$)|\n)+)")


class Docstrings(griffe.Extension):
    """Rewrites every docstring as Markdown with a Google section for what it explains."""

    def on_object(self, *, obj: griffe.Object, loader: griffe.GriffeLoader, **_: Any) -> None:
        if obj.docstring:
            heading, names = _explainable(obj)
            obj.docstring.value = rewritten(obj.docstring.value, heading, names)

    def on_class_members(self, *, cls: griffe.Class, **_: Any) -> None:
        """A dataclass's private fields are no arguments of anybody's."""
        for name in [name for name in cls.members if re.match(r"_(?!_)\w", name)]:
            if cls.members[name].is_attribute:
                cls.del_member(name)


def _explainable(obj: griffe.Object) -> tuple[str, Set[str]]:
    """What the docstring may explain: a function's parameters, a class's, or its fields."""
    if isinstance(obj, griffe.Function):
        return "Args", {parameter.name for parameter in obj.parameters} - {"self"}
    if not isinstance(obj, griffe.Class):
        return "", frozenset()
    if isinstance(made := obj.members.get("__init__"), griffe.Function):
        return "Args", {parameter.name for parameter in made.parameters} - {"self"}
    return "Attributes", {name for name, one in obj.members.items() if one.is_attribute}


def rewritten(text: str, heading: str, names: Set[str]) -> str:
    """The text, its examples in fences, and a section for those of ``names`` that it explains."""
    kept, explained = [], []
    for paragraph in _fenced(text).split("\n\n"):
        if "```" in paragraph or paragraph.startswith(" "):
            kept.append(paragraph)
            continue
        for name, what in _entries(" ".join(paragraph.split()), names):
            explained += [f"    {one}: {what}" for one in name.split(", ") if one]
            kept += [] if name else [what]
    section = [f"{heading}:\n" + "\n".join(explained)] if explained else []
    return "\n\n".join([*kept, *section])


def _fenced(text: str) -> str:
    text = _ROLE.sub("`", text)

    def fence(found: re.Match[str]) -> str:
        lead, code = found.groups()
        lines = "\n".join(line.removeprefix("    ") for line in code.strip("\n").splitlines())
        before = f"{lead}:\n\n" if lead else ""
        return f"{before}```python\n{lines}\n```\n\n"

    return _EXAMPLE.sub(fence, text)


def _entries(paragraph: str, names: Set[str]) -> Iterator[tuple[str, str]]:
    """(names, what is said of them), in order; without a name where nothing is explained."""
    starts = [
        (found.start(), found[1])
        for found in _ENTRY.finditer(paragraph)
        if set(found[1].split(", ")) <= names
    ]
    starts += [(found.start(), "") for found in _OUTCOME.finditer(paragraph)]
    marks = sorted({0: "", **dict(starts)}.items())
    ends = [*(at for at, _ in marks[1:]), len(paragraph)]
    for (start, name), end in zip(marks, ends, strict=True):
        said = paragraph[start:end].strip().removeprefix(f"{name}: " if name else "")
        if said:
            yield name, said
