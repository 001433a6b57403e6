"""The docs are kept true: what exists is documented, and what they show is valid."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from omni_agent import hookspecs
from omni_agent.cli import app
from omni_agent.cli.serve import serve
from omni_agent.ledger import FAILED
from omni_agent.persona import Persona, load
from omni_agent.reply import APOLOGY, CALL_APOLOGY
from omni_agent.testing import rehearse

ROOT = Path(__file__).parent.parent
REFERENCE = (ROOT / "docs" / "reference.md").read_text()
DOCS = sorted(str(page.relative_to(ROOT)) for page in (ROOT / "docs").glob("*.md"))


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


@pytest.mark.parametrize("option", inspect.signature(rehearse).parameters)
def test_every_option_of_a_rehearsal_is_documented(option: str) -> None:
    assert f"`{option}=`" in REFERENCE


@pytest.mark.parametrize("text", [APOLOGY, CALL_APOLOGY, FAILED])
def test_what_the_agent_says_by_itself_is_documented(text: str) -> None:
    assert text in REFERENCE.replace("\n", " ")


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


@pytest.mark.parametrize("name", inspect.signature(serve).parameters)
def test_every_option_of_serve_is_documented(name: str) -> None:
    pages = "".join(page.read_text() for page in (ROOT / "docs").glob("*.md"))
    assert re.search(rf"--{name.replace('_', '-')}\b", pages)


def test_messages_of_the_library_name_the_command_s_option_too() -> None:
    """Whoever types commands does not know the library's names."""
    sources = [path.read_text() for path in (ROOT / "omni_agent").rglob("*.py")]
    lines = [line for text in sources for line in text.splitlines()]
    named = [line for line in lines if re.search(r"[(,] ?options? [a-z_]+\)", line)]
    assert named
    assert [line for line in named if "--" not in line] == []


def write_files(page: str, folder: Path) -> list[str]:
    """The files that a page tells its reader to save, as they are when it ends."""
    names = []
    for name, text in re.findall(
        r'^```\w+ title="([^"]+)"\n(.*?)^```', (ROOT / page).read_text(), re.M | re.S
    ):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        with path.open("a") as file:
            file.write(f"\n\n{text}" if name in names else text)
        names.append(name)
    return list(dict.fromkeys(names))


PAGES = {"README.md": "orders.py", "docs/assistant.md": "main.py"}
"""Pages that are worked through, and what their reader runs at the end."""


def run(*command: str, folder: Path) -> subprocess.Popen[str]:
    sources = os.pathsep.join(str(ROOT / part) for part in ("", "plugins", "transports"))
    return subprocess.Popen(
        [sys.executable, *command], cwd=folder, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, env=os.environ | {"PYTHONPATH": sources},
    )  # fmt: skip


@pytest.mark.parametrize("page", PAGES)
def test_a_page_s_tests_pass_as_its_reader_runs_them(page: str, tmp_path: Path) -> None:
    written = write_files(page, tmp_path)
    tests = [name for name in written if name.startswith("test_")]
    assert tests
    said, _ = run("-m", "pytest", "-q", *tests, folder=tmp_path).communicate()
    assert re.search(r"^\d+ passed in", said, re.M), said


@pytest.mark.models
@pytest.mark.parametrize("page", PAGES)
def test_a_page_s_program_serves(page: str, tmp_path: Path) -> None:
    write_files(page, tmp_path)
    program = tmp_path / PAGES[page]
    program.write_text(program.read_text().replace(".serve()", ".serve(port=0)"))
    with run("-u", program.name, folder=tmp_path) as serving:
        assert serving.stdout is not None
        try:
            lines = iter(serving.stdout.readline, "")
            url = next(m.group() for line in lines if (m := re.search(r"http://\S+", line)))
            offered = httpx.get(f"{url}v1/personas", timeout=30).json()
        finally:
            serving.terminate()
            serving.stdout.read()
    names = [persona["name"] for persona in offered["personas"]]
    assert offered["default"] in names
    assert names == ["Robin"] or page == "README.md"


@pytest.mark.parametrize("page", ["README.md", *DOCS])
def test_every_command_that_a_page_shows_exists(page: str) -> None:
    for command in re.findall(r"omni-agent ([a-z]+)\b", (ROOT / page).read_text()):
        assert command in {*commands(), "models", "transcripts"}, command


def test_the_personas_in_the_readme_are_valid(tmp_path: Path) -> None:
    names = [name for name in write_files("README.md", tmp_path) if name.endswith(".md")]
    assert [load(tmp_path / name).name for name in names] == ["Captain Mira"]


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", *DOCS])
def test_links_to_files_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text()
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", text):
        assert ((ROOT / page).parent / target).exists(), target
