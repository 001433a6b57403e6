"""Calls as models write them, when their server leaves them in the text."""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from omni_agent.engines.remote.arguments import past, value
from omni_agent.thinker import ToolSchema

_NAMES = ("name", "tool_name", "tool", "function")
_ARGUMENTS = ("arguments", "parameters", "args", "input")
_NAMED = re.compile(
    r"(?<![<\w/`-])(?<!\[CALL_ID\])(?:functions\.)?(?P<name>[\w-]+)(?::\d+)?"
    r"(?:[>\s]|<[|｜][^<>]*[|｜]>|\[CALL_ID\]\w*|\[ARGS\]|```json)*(?=\{)"
)
"""``name{…}`` (Mistral), ``<function=name>{…}`` (Llama), ``functions.name:0<|…|>{…}`` (Kimi),
a name, and a fence with JSON (DeepSeek)."""
_XML = re.compile(r"<function=([\w.-]+)>(.*?)(?:</function>|\Z)", re.DOTALL)
_XML_PARAMETER = re.compile(r"<parameter=([^<>]+)>")
_GLM = re.compile(r"([\w.-]+)\s*(?=<arg_key>|\Z)")
_GLM_ARGUMENT = re.compile(r"<arg_key>([^<>]*)</arg_key>\s*<arg_value>")


@dataclass(frozen=True, slots=True)
class Written:
    """A call in the text. arguments: as JSON, not read yet."""

    name: str
    arguments: str


def calls(text: str, tools: Mapping[str, ToolSchema]) -> list[Written]:
    """All calls in a block, in order; none when it cannot be read."""
    text = text[past(text, 0) :]
    for read in (_json, _python) if text.startswith(("{", "[")) else (_named, _xml, _glm, _python):
        try:
            if found := list(read(text, tools)):
                return found
        except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
            continue
    return []


def _json(text: str, tools: Mapping[str, ToolSchema]) -> Iterator[Written]:
    """``{"name": …, "arguments": …}``, several in a list or one after another."""
    at = 0
    while at >= 0:
        found, at = json.JSONDecoder().raw_decode(text, at)
        for call in found if isinstance(found, list) else [found]:
            yield _call(call)
        at = text.find("{", at)


def _call(found: Any) -> Written:
    """Raises ValueError when it is none."""
    if isinstance(found, dict) and isinstance(inner := found.get("function"), dict):
        found = inner
    if not isinstance(found, dict):
        raise ValueError("not a call")
    name = next((found[key] for key in _NAMES if isinstance(found.get(key), str)), "")
    given: Any = next((found[key] for key in _ARGUMENTS if key in found), {} if name else None)
    if not name or not isinstance(given, dict | str | None):
        raise ValueError("not a call")
    return Written(name.removeprefix("functions."), json.dumps(given))


def _named(text: str, tools: Mapping[str, ToolSchema]) -> Iterator[Written]:
    at = 0
    while found := _NAMED.search(text, at):
        _, at = json.JSONDecoder().raw_decode(text, found.end())
        yield Written(found["name"], text[found.end() : at])


def _xml(text: str, tools: Mapping[str, ToolSchema]) -> Iterator[Written]:
    for name, inside in _XML.findall(text):
        given = {
            key: _typed(tools, name, key, raw.removeprefix("\n").removesuffix("\n"))
            for key, raw in _tagged(inside, _XML_PARAMETER, "</parameter>")
        }
        yield Written(name, json.dumps(given))


def _glm(text: str, tools: Mapping[str, ToolSchema]) -> Iterator[Written]:
    if found := _GLM.match(text):
        given = {
            key.strip(): _typed(tools, found[1], key.strip(), raw)
            for key, raw in _tagged(text, _GLM_ARGUMENT, "</arg_value>")
        }
        yield Written(found[1], json.dumps(given))


def _tagged(text: str, opener: re.Pattern[str], closer: str) -> Iterator[tuple[str, str]]:
    """Names and what stands behind them, up to the first that nothing closes."""
    at = 0
    while (opened := opener.search(text, at)) and (end := text.find(closer, opened.end())) >= 0:
        yield opened[1], text[opened.end() : end]
        at = end + len(closer)


def _python(text: str, tools: Mapping[str, ToolSchema]) -> Iterator[Written]:
    """``[name(key="value"), …]``, Llama 4."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python's advice on escapes is not for users
        tree = ast.parse(text.strip(), mode="eval").body
    for call in tree.elts if isinstance(tree, ast.List) else [tree]:
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or call.args:
            raise ValueError("not a call")
        given = {word.arg: ast.literal_eval(word.value) for word in call.keywords if word.arg}
        yield Written(call.func.id, json.dumps(given))


def _typed(tools: Mapping[str, ToolSchema], name: str, key: str, raw: str) -> Any:
    """A value between tags: a text where the tool wants one, else JSON if it is."""
    properties = tools[name].parameters.get("properties", {}) if name in tools else {}
    wanted = properties.get(key, {}) if isinstance(properties, Mapping) else {}
    if isinstance(wanted, Mapping) and wanted.get("type") == "string":
        return raw
    try:
        return value(raw)
    except ValueError:
        return raw
