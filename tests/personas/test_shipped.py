"""The personas and plugins that come along fit each other and their documentation."""

from __future__ import annotations

import importlib
import itertools
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from omni_agent.persona import Persona
from omni_agent.personas.files import available, load
from omni_agent.tools.tool import Tool

ROOT = Path(__file__).parents[2]
PERSONAS = {path.stem: path for path in sorted((ROOT / "personas").glob("*.md"))}
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PLUGINS: dict[str, str] = PROJECT["entry-points"]["omni_agent"]
BUNDLED = ("calculator", "clock", "home", "notes", "weather")
MOST_TOOLS = 14
"""Over all plugins: every tool costs a small model prefill time and accuracy."""


def tools_of(plugin: str) -> dict[str, Tool]:
    return {tool.name: tool for tool in importlib.import_module(PLUGINS[plugin]).register_tools()}


TOOLS = {plugin: tools_of(plugin) for plugin in BUNDLED}
EVERY = [
    pytest.param(tool, id=name) for tools in TOOLS.values() for name, tool in sorted(tools.items())
]


@pytest.mark.parametrize("name", PERSONAS)
def test_a_persona_loads_and_has_both_prompts(name: str) -> None:
    persona = load(PERSONAS[name])
    assert persona.thinker
    assert persona.talker
    assert persona.greeting
    assert persona.description
    assert not re.search(r"[*`]|^[-#] ", persona.thinker, re.MULTILINE)


@pytest.mark.parametrize("name", PERSONAS)
def test_a_persona_names_only_what_there_is(name: str) -> None:
    known = set(TOOLS).union(*TOOLS.values())
    assert set(load(PERSONAS[name]).tools) <= known


def test_the_personas_differ_audibly_and_in_tools() -> None:
    personas = [load(path) for path in PERSONAS.values()]

    def distinct(values: list[Any]) -> bool:
        return len(set(values)) == len(personas)

    assert {"concierge", "tutor", "engineer"} <= set(available())
    assert distinct([persona.voice for persona in personas])
    assert distinct([persona.tools for persona in personas])
    assert distinct([persona.talker for persona in personas])
    speeds = sorted(persona.speech.speed or 1.0 for persona in personas)
    assert all(fast - slow >= 0.1 for slow, fast in itertools.pairwise(speeds))
    pauses = sorted(persona.speech.pause_ms or 0 for persona in personas)
    assert all(long - short >= 100 for short, long in itertools.pairwise(pauses))


def test_a_persona_can_be_made_of_its_own_fields() -> None:
    for path in PERSONAS.values():
        persona = load(path)
        assert Persona.model_validate(persona.model_dump()) == persona


def test_a_small_model_is_not_drowned_in_tools() -> None:
    names = [name for tools in TOOLS.values() for name in tools]
    assert len(names) == len(set(names)) <= MOST_TOOLS


@pytest.mark.parametrize("tool", EVERY)
def test_a_tool_is_made_for_small_models(tool: Tool) -> None:
    assert 1 <= len(tool.schema.examples) <= 2
    assert len(tool.schema.description) <= 90
    properties = tool.schema.parameters["properties"]
    assert len(properties) <= 3
    for schema in properties.values():
        options = schema.get("anyOf", [schema])
        kinds = {option.get("type") for option in options}
        assert kinds <= {"string", "integer", "number", "null"}


@pytest.mark.parametrize("tool", EVERY)
def test_the_demonstrations_use_only_values_that_the_user_said(tool: Tool) -> None:
    for said, arguments in tool.schema.examples:
        for name, value in arguments.items():
            if isinstance(value, str) and "enum" not in tool.schema.parameters["properties"][name]:
                words = re.findall(r"[a-z]{3,}", value.lower())
                assert all(word in said.lower() for word in words), (said, name)


@pytest.mark.parametrize("plugin", BUNDLED)
def test_a_plugin_documents_each_of_its_tools(plugin: str) -> None:
    readme = (ROOT / "plugins" / PLUGINS[plugin] / "README.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \|", readme, re.MULTILINE)
    assert sorted(rows) == sorted(TOOLS[plugin])
    for name, tool in TOOLS[plugin].items():
        row = next(line for line in readme.splitlines() if line.startswith(f"| `{name}`"))
        for parameter in tool.schema.parameters["properties"]:
            assert f"`{parameter}`" in row


@pytest.mark.parametrize("plugin", BUNDLED)
def test_a_plugin_uses_only_public_names(plugin: str) -> None:
    package = PLUGINS[plugin]
    for path in (ROOT / "plugins" / package).glob("*.py"):
        for module in re.findall(
            r"^(?:from|import) (omni_agent\S*)", path.read_text(), re.MULTILINE
        ):
            assert module == "omni_agent" or module.split(".")[0] == package
