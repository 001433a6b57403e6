"""The import rule of docs/architecture.md, and what the package promises as a whole."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from graphlib import TopologicalSorter
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import get_args

import pytest

import omni_agent
from omni_agent._moved import NAMES

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "omni_agent"
PAGE = (ROOT / "docs" / "architecture.md").read_text()

SECTION = PAGE.partition("## Where a line belongs")[2].partition("\n## ")[0]
LAYERS = [
    re.findall(r"`([\w.]+)/?`", row.split("|")[2])
    for row in re.findall(r"^\| .*$", SECTION, re.MULTILINE)
    if "`" in row.split("|")[2]
]
"""As the page's table has them; a module of a package may have a layer of its own."""
PLACE = {name: layer for layer, names in enumerate(LAYERS) for name in names}
HEAVY = {
    "torch", "vllm", "transformers", "aiortc", "av", "onnxruntime", "ctranslate2",
    "faster_whisper", "xllamacpp", "hibari", "triton",
}  # fmt: skip


def named(path: Path, root: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {
    named(path, ROOT): path for path in PACKAGE.rglob("*.py") if "_personas" not in str(path)
}


def imports(path: Path) -> Iterator[str]:
    """What a file imports, at once, late or for type checkers only."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def own(name: str) -> str:
    """The module of ours that a dotted name lies in; "" for somebody else's."""
    while name and name not in MODULES:
        name = name.rpartition(".")[0]
    return name


GRAPH = {
    name: {module for each in imports(path) if (module := own(each)) and module != name}
    for name, path in MODULES.items()
}


def layer(module: str) -> int:
    """Where a module stands; it, or what it lies in, must be in the page's table."""
    inside = module.removeprefix("omni_agent.")
    while inside not in PLACE:
        inside, dot, _ = inside.rpartition(".")
        assert dot, f"{module} has no place in the table of docs/architecture.md"
    return PLACE[inside]


INSIDE = sorted(m for m in MODULES if "." in m and not m.startswith("omni_agent._"))


def test_the_table_names_every_module_and_nothing_else() -> None:
    tops = {module.split(".")[1] for module in INSIDE}
    assert tops <= set(PLACE)
    assert all(f"omni_agent.{name}" in MODULES for name in PLACE)


@pytest.mark.parametrize("module", INSIDE)
def test_imports_go_one_way(module: str) -> None:
    for other in GRAPH[module] - {"omni_agent", "omni_agent._moved"}:
        assert layer(other) <= layer(module), f"{module} imports {other}"


def test_no_module_waits_for_itself_not_even_for_type_checkers() -> None:
    TopologicalSorter(
        {name: others - {"omni_agent"} for name, others in GRAPH.items() if name != "omni_agent"}
    ).prepare()  # raises CycleError, which names them


def test_no_room_waits_for_itself() -> None:
    rooms: dict[str, set[str]] = {room(name): set() for name in INSIDE}
    for name in INSIDE:
        rooms[room(name)] |= {room(other) for other in GRAPH[name]} - {room(name), "omni_agent"}
    TopologicalSorter(rooms).prepare()  # raises CycleError, which names them


def room(module: str) -> str:
    """The package that a module lies in, or the module at the top."""
    return ".".join(module.split(".")[:2])


def test_nothing_but_engines_knows_an_engine() -> None:
    for module, others in GRAPH.items():
        if not module.startswith("omni_agent.engines"):
            known = {other for other in others if other.startswith("omni_agent.engines")}
            assert not known, f"{module} imports {known}"


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=str)
def test_nothing_but_engines_names_an_engine(path: Path) -> None:
    """An engine says by itself whether it is a default, and what it can be told."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    engines = set(project["project"]["entry-points"]["omni_agent.engines"])
    if "engines" in path.relative_to(PACKAGE).parts:
        return
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            assert node.value not in engines, f"{path}:{node.lineno}"


@pytest.mark.parametrize("package", sorted({m.split(".")[1] for m in INSIDE if m.count(".") > 1}))
def test_a_package_tells_its_story_in_order(package: str) -> None:
    told = ast.get_docstring(ast.parse((PACKAGE / package / "__init__.py").read_text())) or ""
    prefix = f"omni_agent.{package}."
    parts = {m.removeprefix(prefix).split(".")[0] for m in INSIDE if m.startswith(prefix)}
    assert parts <= set(re.findall(r"``(\w+)", told)), f"{package}/__init__.py"


SOURCES = [
    *PACKAGE.rglob("*.py"),
    *(
        p
        for d in ("plugins", "transports")
        for p in (ROOT / d).rglob("*.py")
        if "tests" not in p.parts
    ),
]


def test_modules_and_functions_are_short() -> None:
    functions = sorted(
        (node.end_lineno or 0) - node.lineno + 1
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    assert functions[int(0.95 * len(functions))] <= 30
    long = {str(path): len(path.read_text().splitlines()) for path in SOURCES}
    assert {path: lines for path, lines in long.items() if lines > 400} == {}


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


@pytest.mark.parametrize("path", sorted((ROOT / "transports").rglob("*.py")), ids=str)
def test_lines_import_nouns_and_contracts_and_what_lines_share(path: Path) -> None:
    for module in filter(None, map(own, imports(path))):
        allowed = module == "omni_agent" or layer(module) <= PLACE["line"]
        assert allowed or room(module) == "omni_agent.lines", f"{path} imports {module}"


def test_what_hooks_are_given_and_return_can_be_imported_from_the_top() -> None:
    """Classes, that is; of what is a choice of some (a Part, a Verdict), each."""
    tree = ast.parse((PACKAGE / "hookspecs.py").read_text())
    named = {name.rpartition(".")[::2] for name in imports(PACKAGE / "hookspecs.py")}
    specs = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    used = {n.id for spec in specs for n in ast.walk(spec) if isinstance(n, ast.Name)}
    types = [getattr(import_module(home), name) for home, name in named if name in used
             and home.startswith("omni_agent.") and name not in ("Event", "Item")]  # fmt: skip
    classes = {
        each for one in types for each in (get_args(one) or (one,)) if isinstance(each, type)
    }
    wanted = {each.__name__ for each in classes if each.__module__.startswith("omni_agent.")}
    assert wanted <= set(omni_agent.__all__)


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


def test_a_module_that_moved_is_found_by_its_old_name() -> None:
    check = (
        "import warnings; warnings.simplefilter('error'); import omni_agent.reply as a\n"
        "import omni_agent.call.reply as b; assert a is b"
    )
    said = subprocess.run(
        [sys.executable, "-c", check], check=False, capture_output=True, text=True
    )
    assert said.stderr.splitlines()[-1] == (
        "DeprecationWarning: omni_agent.reply is omni_agent.call.reply now"
    )
    patient = check.replace("'error'", "'ignore'")
    assert subprocess.run([sys.executable, "-c", patient], check=False).returncode == 0


@pytest.mark.parametrize(
    ("module", "name"), [(module, name) for module in NAMES for name in NAMES[module]]
)
def test_a_name_that_moved_is_found_where_it_was(module: str, name: str) -> None:
    place, _, called = NAMES[module][name].partition(":")
    there, called = import_module(f"omni_agent.{place}"), called or name
    now = f"{module}.{name} is {there.__name__}.{called} now"
    with pytest.warns(DeprecationWarning, match=now):
        found = getattr(import_module(f"omni_agent.{module}"), name)
    assert found is getattr(there, called)


def test_a_name_that_never_was_is_missing_as_anywhere() -> None:
    assert not hasattr(import_module("omni_agent.persona"), "nothing")


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
