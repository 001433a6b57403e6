"""Front matter: the YAML at the head of a text file, with the line of every key.

Files are untrusted: UTF-8 without NUL, YAML without tags, anchors or aliases,
nested at most 16 deep. Every scalar stays text (or None when it is empty), so
that ``language: no`` is Norwegian; who reads it knows which fields are numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from omni_agent.errors import PersonaError

_MAX_FRONT_CHARS = 8_000
"""PyYAML reads some 100,000 characters a second, and calls wait meanwhile."""
_MAX_DEPTH = 16

Key = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """values: the front matter. body: the rest, which begins on line ``body_line``."""

    values: dict[str, Any]
    body: str
    body_line: int
    _positions: Mapping[Key, int]

    def line_of(self, key: Key) -> int:
        """The 1-based line of a key; of its parent when it is not there, or 1."""
        for length in range(len(key), 0, -1):
            if line := self._positions.get(key[:length]):
                return line
        return 1


def read(data: bytes, path: Path) -> FrontMatter:
    """Take a file apart. Raises PersonaError with the line of what is wrong."""
    front, body, body_line = _split(_decode(data, path), path)
    values, positions = _tree(front, path)
    return FrontMatter(values, body, body_line, positions)


def _decode(data: bytes, path: Path) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise PersonaError(path, line, "is not UTF-8 text; save it as UTF-8") from error
    if "\0" in text:
        raise PersonaError(path, text[: text.index("\0")].count("\n") + 1, "is a binary file")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _split(text: str, path: Path) -> tuple[str, str, int]:
    """(YAML, body, the line the body begins on); the YAML begins on line 2."""
    if not text.strip():
        raise PersonaError(path, 0, "is empty; a persona begins with ---, name: …, ---")
    lines = text.split("\n")
    if lines[0].rstrip() != "---":
        raise PersonaError(path, 1, "a persona begins with a line --- and its front matter")
    for number, line in enumerate(lines[1:], start=1):
        if line.rstrip() == "---":
            front = "\n".join(lines[1:number])
            if len(front) > _MAX_FRONT_CHARS:
                raise PersonaError(path, 1, f"front matter is over {_MAX_FRONT_CHARS} characters")
            return front, "\n".join(lines[number + 1 :]), number + 2
    raise PersonaError(path, 1, "the front matter is not closed: add a line --- after it")


def _tree(front: str, path: Path) -> tuple[dict[str, Any], dict[Key, int]]:
    """Front matter as (values, the line of each key). Scalars stay text: ``language:
    no`` is Norwegian, and pydantic knows which fields are numbers."""
    try:
        _check_events(front, path)
        root = yaml.compose(front, Loader=yaml.BaseLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        index = mark.index if mark else getattr(error, "position", 0)
        reason = getattr(error, "problem", None) or getattr(error, "reason", None) or "not YAML"
        if reason.startswith("mapping values are not allowed"):
            reason += "; a text with ': ' in it stands in quotes"
        raise PersonaError(path, _line_at(front, index), f"front matter: {reason}") from error
    positions: dict[Key, int] = {}
    if root is None:
        return {}, positions
    if not isinstance(root, yaml.MappingNode):
        raise PersonaError(path, 2, "front matter must be keys and values, such as name: Concierge")
    value: dict[str, Any] = _value(root, (), positions, front, path)
    return value, positions


def _line_at(front: str, index: int) -> int:
    return front[:index].count("\n") + 2


def _check_events(front: str, path: Path) -> None:
    """Refuse what could make a small file large, deep or executable."""
    depth = 0
    for event in yaml.parse(front, Loader=yaml.BaseLoader):
        # PyYAML's events come with marks; its stubs leave room for those that do not.
        line = _line_at(front, event.start_mark.index if event.start_mark else 0)
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise PersonaError(path, line, "YAML anchors and aliases are not supported here")
        if tag := getattr(event, "tag", None):
            raise PersonaError(path, line, f"YAML tags ({tag}) are not supported here")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _MAX_DEPTH:
                raise PersonaError(path, line, "front matter is nested too deeply")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _value(node: yaml.Node, key: Key, positions: dict[Key, int], front: str, path: Path) -> Any:
    positions.setdefault(key, _line_at(front, node.start_mark.index))
    if isinstance(node, yaml.MappingNode):
        values: dict[str, Any] = {}
        for name_node, value_node in node.value:
            line = _line_at(front, name_node.start_mark.index)
            if not isinstance(name_node, yaml.ScalarNode):
                raise PersonaError(path, line, "a key must be a word")
            name = name_node.value
            if name in values:
                raise PersonaError(path, line, f"{name!r} is given twice")
            positions[*key, name] = line
            values[name] = _value(value_node, (*key, name), positions, front, path)
        return values
    if isinstance(node, yaml.SequenceNode):
        return [
            _value(part, (*key, index), positions, front, path)
            for index, part in enumerate(node.value)
        ]
    plain = getattr(node, "style", None) is None
    return None if plain and node.value.lower() in ("", "~", "null") else node.value
