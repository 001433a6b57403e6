"""The docs are kept true: what exists is documented, and what they show is valid."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType

import httpx
import pytest
from typer.testing import CliRunner

from omni_agent import Agent, hookspecs
from omni_agent.call.reply import APOLOGY, CALL_APOLOGY
from omni_agent.cli import app
from omni_agent.cli.serve import serve
from omni_agent.engine import StageName
from omni_agent.persona import Persona
from omni_agent.personas.files import load
from omni_agent.registry.registry import ENGINES_GROUP, LINES_GROUP, TOOLS_GROUP, Registry
from omni_agent.testing import rehearse
from omni_agent.tools.ledger import FAILED

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
def test_every_hook_is_documented_with_arguments_that_it_has(hook: str) -> None:
    shown = re.search(rf"`{hook}\(([\w, ]*)\)`", REFERENCE)
    assert shown
    spec = inspect.signature(getattr(hookspecs, hook)).parameters
    assert {*filter(None, shown[1].split(", "))} <= {*spec}


@pytest.mark.parametrize("group", [TOOLS_GROUP, ENGINES_GROUP, LINES_GROUP])
def test_every_group_of_entry_points_is_documented(group: str) -> None:
    assert f"`{group}`" in REFERENCE


@pytest.mark.parametrize("option", inspect.signature(rehearse).parameters)
def test_every_option_of_a_rehearsal_is_documented(option: str) -> None:
    assert f"`{option}=`" in REFERENCE


@pytest.mark.parametrize("text", [APOLOGY, CALL_APOLOGY, FAILED])
def test_what_the_agent_says_by_itself_is_documented(text: str) -> None:
    page = REFERENCE.replace("\n", " ")
    assert text in page, "docs/reference.md quotes it: change it there, too"


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


def test_the_file_of_options_that_is_shown_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served: list[Agent] = []
    monkeypatch.setattr(
        "omni_agent.server.serving.serve", lambda agent, *rest, **more: served.append(agent)
    )
    monkeypatch.setenv("OMNI_AGENT_HOME", str(tmp_path))
    shown = re.findall(r"^```toml\n(.*?)^```", REFERENCE, re.M | re.S)
    for text in shown:
        for name in re.findall(r"\$\{(\w+)\}", text):
            monkeypatch.setenv(name, "key")
        (tmp_path / "shown.toml").write_text(text)
        found = CliRunner().invoke(app, ["serve", "--config", str(tmp_path / "shown.toml")])
        assert found.exit_code == 0, found.exception
    assert len(served) == len(shown) > 0


def test_the_plugin_that_is_shown_changes_goodbyes_and_nothing_else() -> None:
    (shown,) = re.findall(r"^```python\n(.*?class Seafaring.*?)^```", REFERENCE, re.M | re.S)
    plugin = ModuleType("seafaring")
    exec(shown, vars(plugin))
    outfit = Registry([plugin], discover=False).outfit(Persona(name="Test"))
    assert outfit.manners.is_farewell("Fair winds, my friend.")
    assert outfit.manners.is_farewell("Goodbye.")
    assert not outfit.manners.is_farewell("Fair enough.")
    assert outfit.manners.consents("Yes, please.")


def test_what_each_engine_can_be_told_is_documented() -> None:
    page = (ROOT / "docs" / "engines.md").read_text()
    engines = Registry().engines
    stages: tuple[StageName, ...] = ("thinker", "talker", "ears")
    rows = re.findall(r"^\| `([\w-]+)` \| (.*) \|$", page.partition("can be told |")[2], re.M)
    assert {name for name, _ in rows} >= {e.name for e in entry_points(group=ENGINES_GROUP)}
    for name, row in rows:
        for stage, cell in zip(stages, row.split(" | "), strict=True):
            if cell != "–":
                told = set(re.findall(r"`(\w+)`", cell))
                assert told == engines.named(stage, name).understands(stage), (name, stage)


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
            offered = httpx.get(f"{url}v1/personas", timeout=300).json()
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


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "SECURITY.md", *DOCS])
def test_links_to_files_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text()
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", text):
        assert ((ROOT / page).parent / target).exists(), target


def _is_there(reference: str) -> bool:
    """Whether a module has the class, function or value; or a package, which may import it."""
    module, _, name = reference.rpartition(".")
    file = ROOT.joinpath(*module.split("."))
    made = rf"^(class |def |async def )?{name}\b"
    if file.is_dir():
        return (
            re.search(rf"{made}|import.*\b{name}\b", (file / "__init__.py").read_text(), re.M)
            is not None
        )
    if file.with_suffix(".py").is_file():
        return re.search(made, file.with_suffix(".py").read_text(), re.M) is not None
    return _is_there(module)  # of a class


def test_what_docstrings_refer_to_is_there() -> None:
    role = re.compile(r":(?:class|func|meth):`~?(omni_agent\.[\w.]+)`")
    references = {
        (str(path), reference)
        for path in (ROOT / "omni_agent").rglob("*.py")
        for reference in role.findall(path.read_text())
    }
    assert len(references) > 20
    assert [each for each in sorted(references) if not _is_there(each[1])] == []
