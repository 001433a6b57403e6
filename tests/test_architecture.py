"""The import rule of docs/architecture.md, and what the package promises as a whole."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "omni_agent"

NOUNS = {
    "audio",
    "distribution",
    "machine",
    "errors",
    "conversation",
    "streams",
    "marks",
    "scope",
    "threads",
    "results",
    "events",
    "persona",
    "signatures",
    "arguments",
    "front_matter",
}
STAGES = {
    "tools",
    "text",
    "markdown",
    "thinker",
    "talker",
    "ears",
    "transport",
    "turns",
    "manners",
    "echo",
    "listening",
}
CALL = {
    "ledger",
    "call",
    "tool_context",
    "tool_runs",
    "preparation",
    "utterance",
    "reply",
    "replies",
    "attention",
    "session",
    "hookspecs",
    "hooks",
    "registry",
    "store",
    "records",
}
OUTSIDE = {
    "agent",
    "serving",
    "models",
    "cli",
    "server",
    "testing",
    "in_process",
    "engines",
    "wardrobe",
}
LAYERS = [NOUNS, STAGES, CALL, OUTSIDE]
HEAVY = {
    "torch", "vllm", "transformers", "aiortc", "av", "onnxruntime", "ctranslate2",
    "faster_whisper", "xllamacpp", "hibari", "triton",
}  # fmt: skip


def imports(path: Path) -> Iterator[str]:
    """Modules that a file imports when it runs (not only for type checking)."""
    tree = ast.parse(path.read_text())
    skipped = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.dump(block.test)
        for node in ast.walk(block)
    }
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def own_module(name: str) -> str | None:
    parts = name.split(".")
    return parts[1] if parts[0] == "omni_agent" and len(parts) > 1 else None


def layer(module: str) -> int:
    return next(i for i, names in enumerate(LAYERS) if module in names)


MODULES = sorted(p.stem if p.is_file() else p.name for p in PACKAGE.iterdir())
MODULES = [m for m in MODULES if not m.startswith(("_", "py"))]


def test_every_module_has_its_place_in_the_layers() -> None:
    assert set(MODULES) <= set().union(*LAYERS)


def test_the_table_of_the_page_is_these_layers() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    rows = [re.findall(r"`(\w+)/?`", row) for row in re.findall(r"^\| .*$", page, re.MULTILINE)]
    told = [set(row) for row in rows if row]
    assert told == [NOUNS, STAGES, CALL, OUTSIDE - {"engines"}]


@pytest.mark.parametrize("module", [m for m in MODULES if m not in OUTSIDE])
def test_imports_go_one_way(module: str) -> None:
    for name in imports(PACKAGE / f"{module}.py"):
        other = own_module(name)
        if other in MODULES and other is not None:
            assert layer(other) <= layer(module), f"{module} imports {name}"


def test_model_and_media_libraries_stay_inside_their_own_packages() -> None:
    for path in PACKAGE.rglob("*.py"):
        if "engines" not in path.parts:
            found = {name.split(".")[0] for name in imports(path)} & HEAVY
            assert not found, f"{path} imports {found}"


def test_plugins_import_only_public_names() -> None:
    for path in (ROOT / "plugins").rglob("*.py"):
        if "tests" in path.parts:
            continue
        for name in imports(path):
            if name.startswith("omni_agent."):
                assert name.count(".") == 1, f"{path}: {name} is not a public name"


def test_importing_the_package_is_instant_and_pulls_in_no_model_library() -> None:
    check = (
        "import omni_agent, sys; "
        f"sys.exit(bool({HEAVY | {'numpy', 'pydantic'}!r} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


def test_the_public_names_pull_in_no_model_library_either() -> None:
    check = (
        "import omni_agent, sys; [getattr(omni_agent, n) for n in omni_agent.__all__]; "
        f"sys.exit(bool({HEAVY!r} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


def test_folders_and_entry_points_are_in_step() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    declared = project["project"]["entry-points"]["omni_agent"]
    folders = {p.name for p in (ROOT / "plugins").iterdir() if p.is_dir()}
    assert {f"omni_agent_{name}" for name in declared} == set(declared.values()) == folders
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert {p.split("/")[1] for p in packages if p.startswith("plugins/")} == folders
    installed = {e.name for e in entry_points(group="omni_agent")}
    assert set(declared) <= installed


@pytest.mark.parametrize("plugin", sorted(p.name for p in (ROOT / "plugins").iterdir()))
def test_every_plugin_has_a_readme_and_tests(plugin: str) -> None:
    folder = ROOT / "plugins" / plugin
    assert (folder / "README.md").is_file()
    assert list((folder / "tests").glob("test_*.py"))
