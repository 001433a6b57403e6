"""The docs are kept true: what exists is documented, and what they show is valid."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import pytest

from omni_agent import hookspecs
from omni_agent.cli import app
from omni_agent.persona import Persona, load

ROOT = Path(__file__).parent.parent
REFERENCE = (ROOT / "docs" / "reference.md").read_text()
README = (ROOT / "README.md").read_text()


def fields() -> list[str]:
    """Front matter keys, nested ones with a dot."""
    names = []
    for name, field in Persona.model_fields.items():
        nested = getattr(field.annotation, "model_fields", None)
        names += [f"{name}.{inner}" for inner in nested] if nested else [name]
    return [name for name in names if name not in ("thinker", "talker")]


@pytest.mark.parametrize("field", fields())
def test_every_persona_field_is_documented(field: str) -> None:
    assert f"`{field}`" in REFERENCE


def hooks() -> list[str]:
    marked = vars(hookspecs).items()
    return [name for name, value in marked if hasattr(value, "omni_agent_spec")]


@pytest.mark.parametrize("hook", hooks())
def test_every_hook_is_documented(hook: str) -> None:
    assert f"`{hook}(" in REFERENCE


def commands() -> list[str]:
    found = [app.registered_commands]
    found += [
        g.typer_instance.registered_commands for g in app.registered_groups if g.typer_instance
    ]
    return [c.name or c.callback.__name__ for group in found for c in group if c.callback]


@pytest.mark.parametrize("command", commands())
def test_every_command_is_documented(command: str) -> None:
    assert f"`{command.replace('list_models', 'list')}`" in REFERENCE


def test_environment_variables_that_are_read_are_documented() -> None:
    read = set()
    for path in (ROOT / "omni_agent").rglob("*.py"):
        read |= set(re.findall(r"OMNI_AGENT_[A-Z_]*[A-Z]", path.read_text()))
    assert {name for name in read if f"`{name}`" not in REFERENCE} == set()


def test_the_persona_in_the_readme_is_valid() -> None:
    (shown,) = re.findall(r"```markdown\n(.*?)```", README, re.DOTALL)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mira.md"
        path.write_text(shown)
        persona = load(path)
    assert persona.name == "Captain Mira"
    assert persona.thinker
    assert persona.talker


def test_the_python_in_the_readme_compiles() -> None:
    for shown in re.findall(r"```python\n(.*?)```", README, re.DOTALL):
        compile(shown, "README.md", "exec")


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "docs/architecture.md"])
def test_links_to_files_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text()
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", text):
        assert ((ROOT / page).parent / target).exists(), target
