"""Text that is not ours reaches the terminal as text."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import omni_agent.cli
from omni_agent.cli import printing
from omni_agent.cli.printing import show

SOURCES = sorted(Path(omni_agent.cli.__file__).parent.glob("*.py"))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("pip install 'omni-voice-agent[local]'", "pip install 'omni-voice-agent[local]'"),
        ("should be a list, such as [clock]", "should be a list, such as [clock]"),
        ("[/] [red] :smile:", "[/] [red] :smile:"),
        ("\x1b[2J\x1b]0;owned\x07", "\\x1b[2J\\x1b]0;owned\\x07"),
        ("\x9b31m and a\rcarriage", "\\x9b31m and a\\rcarriage"),
        ("half \ud83d", "half \\ud83d"),
        ("turned \u202eround", "turned \\u202eround"),
        ("Grüße, 你好 👋", "Grüße, 你好 👋"),
    ],
)
def test_brackets_stay_and_control_characters_are_made_visible(
    text: str, shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    show(("label ", "bold red"), text)
    assert capsys.readouterr().out == f"label {shown}\n"


def test_long_lines_are_not_broken(capsys: pytest.CaptureFixture[str]) -> None:
    show("word " * 200)
    assert capsys.readouterr().out.count("\n") == 1


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_commands_print_in_no_other_way(path: Path) -> None:
    """A console's own ``print`` reads markup; tables and JSON bring cells that are text."""
    if path.name == "printing.py":
        return
    allowed = {"out.print(table)", "print(write(call, list(records.items(call.id))), file=sink)"}
    tree = ast.parse(path.read_text())
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    prints = {ast.unparse(node) for node in calls if ast.unparse(node.func).endswith("print")}
    assert prints <= allowed
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)
             for alias in node.names}  # fmt: skip
    assert "Console" not in names


def test_no_console_of_ours_reads_markup() -> None:
    assert not printing.out._markup
    assert not printing.err._markup
