"""Personas: a Markdown file with front matter and two prompts.

::

    ---
    name: Concierge
    voice: ethan
    tools: [clock, weather]
    ---
    # Thinker
    You are the night concierge of a small hotel …
    # Talker
    Warm, unhurried, slightly amused.

Both sections are optional; text before the first of them is the Thinker's, and
any other heading belongs to the section it stands in. Files are untrusted: they
are at most 1 MB, UTF-8, and YAML without tags or aliases.
"""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from omni_agent.errors import PersonaError
from omni_agent.persona import Persona
from omni_agent.personas import front_matter
from omni_agent.personas.explaining import explained

MAX_BYTES = 1_000_000

_MOST_TOLD = 10
"""Problems of a file that a message names."""

_MOST_HEADINGS = 100
"""Headings that are looked at for a slip of the pen."""


def load(path: Path | str) -> Persona:
    """Read a persona file.

    Raises PersonaError with the line of the first problem; its reason lists ten.
    """
    return _parse(_read(Path(path)), Path(path))


def line_of(path: Path | str, *key: str | int) -> int:
    """The line of a front matter key, e.g. ``line_of(path, "tools", 1)``; its parent's, or 1."""
    return front_matter.read(_read(Path(path)), Path(path)).line_of(key)


def json_schema() -> dict[str, Any]:
    """The front matter's JSON schema (draft 2020-12), for editors."""
    schema = Persona.model_json_schema()
    for prompt in ("thinker", "talker"):  # those are the body's sections
        del schema["properties"][prompt]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "omni_agent persona",
    }


def folders(search: Iterable[Path | str] = ()) -> list[Path]:
    """Where personas are looked for: ``search``, ./personas, and the ones that come along."""
    places = [*map(Path, search), Path("personas"), *_shipped()]
    return [place for place in places if place.is_dir()]


def _shipped() -> list[Path]:
    package = Path(__file__).resolve().parents[1]
    # The last is the repository's folder, which is packaged as the one before.
    return [package / "_personas", package.parent / "personas"]


def is_shipped(path: Path) -> bool:
    """Whether a persona's file is one of those that come along."""
    return path.resolve().parent in _shipped()


def available(search: Iterable[Path | str] = ()) -> dict[str, Path]:
    """Persona files by name (their stem). A name found twice is the first folder's."""
    found: dict[str, Path] = {}
    for folder in folders(search):
        for path in sorted(folder.glob("*.md")):
            if path.stem.lower() != "readme":
                found.setdefault(path.stem, path)
    return dict(sorted(found.items()))


def find(name: Path | str, search: Iterable[Path | str] = (), *, paths: bool = True) -> Path:
    """The file of a persona, named by its path (``….md``) or its stem in ``folders(search)``.

    paths: False for a name that came over the network, which may not name any
    file it likes. Raises PersonaError listing what there is.
    """
    given = Path(name)
    if paths and (given.suffix.lower() == ".md" or len(given.parts) > 1):
        if given.is_file():
            return given
        raise PersonaError(given, 0, _no_file(given))
    search = list(search)
    known = available(search)
    by_lower = {stem.lower(): path for stem, path in known.items()}
    if found := by_lower.get(str(name).strip().lower()):
        return found
    close = difflib.get_close_matches(str(name).lower(), by_lower, 1)
    hint = f"did you mean {by_lower[close[0]].stem!r}? " if close else ""
    places = ", ".join(str(folder) for folder in folders(search)) or "no folder"
    raise PersonaError(
        str(name) or "''",
        0,
        f"no such persona; {hint}known are {', '.join(known) or 'none'} (looked in {places})",
        public="There is no such persona.",
    )


class PersonaFile:
    """A persona file that may change while it is in use.

    ``persona`` is the latest version that was right. Raises PersonaError when
    the first one is not.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        data = _read(self.path)
        self.persona = _parse(data, self.path)
        self._seen: bytes | str = _digest(data)

    def reload_if_changed(self) -> bool:
        """Look at the file again; True when another persona is in force now.

        Call it between turns: it reads the whole file, because it is small and
        modification times lie. Raises PersonaError once for each broken version
        (or when the file is gone) and keeps the persona it has.
        """
        try:
            data = _read(self.path)
        except PersonaError as error:
            if self._seen == str(error):
                return False
            self._seen = str(error)
            raise
        seen = _digest(data)
        if seen == self._seen:
            return False
        self._seen = seen
        fresh = _parse(data, self.path)
        changed = fresh != self.persona
        self.persona = fresh
        return changed


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def _read(path: Path) -> bytes:
    try:
        if not path.is_file():  # a pipe or a device would block
            raise PersonaError(path, 0, _no_file(path))
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise PersonaError(
            path, 0, f"cannot be read: {getattr(error, 'strerror', error)}"
        ) from error
    if len(data) > MAX_BYTES:
        raise PersonaError(
            path, 0, f"is over {MAX_BYTES / 1e6:.0f} MB; a persona is a page of text"
        )
    return data


def _no_file(path: Path) -> str:
    if path.is_dir():
        return "is a folder"
    return "is not a regular file" if path.exists() else "there is no such file"


def _parse(data: bytes, path: Path) -> Persona:
    front = front_matter.read(data, path)
    values = dict(front.values)
    problems: list[tuple[int, str]] = []
    for prompt in ("thinker", "talker"):
        if prompt in values:
            heading = f"write it below the front matter, under '# {prompt.title()}'"
            problems.append((front.line_of((prompt,)), f"{prompt!r} is no key: {heading}"))
            del values[prompt]
    prompts, misplaced = _sections(front.body, front.body_line)
    problems += misplaced
    found = len(problems)
    try:
        persona = Persona.model_validate({**values, **prompts})
    except ValidationError as error:
        wrong = [
            (front.line_of(problem["loc"]), problem) for problem in error.errors(include_url=False)
        ]
        wrong.sort(key=lambda problem: problem[0])
        found += len(wrong)
        problems += [
            (number, explained(problem, Persona)) for number, problem in wrong[:_MOST_TOLD]
        ]
    else:
        if not problems:
            return persona
    problems.sort(key=lambda problem: problem[0])
    (line, reason), *more = problems[:_MOST_TOLD]
    reason += "".join(f"\n{path}:{number}: {other}" for number, other in more)
    if found > _MOST_TOLD:
        reason += f"\n{path}: and {found - _MOST_TOLD} more"
    raise PersonaError(path, line, reason)


_MARKS = frozenset(" `~#")
"""What a fence or a heading begins with."""


def _sections(body: str, first_line: int) -> tuple[dict[str, str], list[tuple[int, str]]]:
    """The two prompts, and the problems with their headings."""
    prompts: dict[str, list[str]] = {"thinker": [], "talker": []}
    opened: dict[str, int] = {}
    problems: list[tuple[int, str]] = []
    current, looked_at = "thinker", 0
    for number, line, heading in _headings(body, first_line):
        if heading in prompts:
            if heading in opened:
                again = (
                    f"'# {heading.title()}' is here twice; the first is on line {opened[heading]}"
                )
                problems.append((number, again))
            opened[heading] = number
            current = heading
            continue
        if heading and looked_at < _MOST_HEADINGS:
            looked_at += 1
            if close := difflib.get_close_matches(heading, prompts, 1, 0.75):
                known = " and ".join(f"'# {name.title()}'" for name in prompts)
                problems.append(
                    (number, f"{line.strip()!r} is no section: did you mean "
                     f"'# {close[0].title()}'? The sections are {known}")
                )  # fmt: skip
        prompts[current].append(line)
    return {name: "\n".join(lines).strip() for name, lines in prompts.items()}, problems


def _headings(body: str, first_line: int) -> Iterator[tuple[int, str, str]]:
    """(line number, line, its text in lower case if it is a first-level heading, else "")."""
    fence = ""
    for number, line in enumerate(body.split("\n"), start=first_line):
        if line[:1] not in _MARKS:
            yield number, line, ""
            continue
        mark = re.match(r" {0,3}(`{3,}|~{3,})", line)
        if mark and (not fence or (mark[1].startswith(fence) and not line.strip(" `~"))):
            fence = "" if fence else mark[1]
        is_heading = not fence and line.startswith(("# ", "#\t"))
        yield number, line, line[1:].strip().rstrip("#").strip().lower() if is_heading else ""
