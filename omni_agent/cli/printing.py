"""The one way the commands print: text that is not ours is text, never markup or a control code.

What callers say, what models answer, what files and errors contain: all of it ends up in
the operator's terminal, where brackets are markup to Rich and an escape sequence can
rewrite what is on the screen.
"""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from omni_agent.runtime.logs import plain

out = Console(highlight=False, markup=False, emoji=False)
err = Console(stderr=True, highlight=False, markup=False, emoji=False)

Part = str | tuple[str, str]
"""Text, or (text, style); the style is ours."""


def counted(number: int, noun: str) -> str:
    """``1 call``, ``2 calls``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def show(*parts: Part, to: Console = out, end: str = "\n") -> None:
    """Print the parts one after another, however long the line gets."""
    pairs = (part if isinstance(part, tuple) else (part, "") for part in parts)
    line = Text.assemble(*((plain(text), style) for text, style in pairs))
    to.print(line, end=end, soft_wrap=True)


def progress(line: str) -> None:
    """What is being started or fetched; an empty line is the end of it."""
    if line:
        show((f"▸ {line}", "dim"), to=err)
