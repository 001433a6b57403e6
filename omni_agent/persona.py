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
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field, StringConstraints, ValidationError
from pydantic_core import PydanticCustomError

from omni_agent import front_matter
from omni_agent.errors import PersonaError

MAX_BYTES = 1_000_000

MOST_LISTED = 32
"""Entries of a list in the front matter."""
_MOST_TOLD = 10
"""Problems of a file that a message names."""
_MOST_HEADINGS = 100
"""Headings that are looked at for a slip of the pen."""

_UNPRINTABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})
_BIDI_CONTROLS = re.compile("[\u202a-\u202e\u2066-\u2069]")
"""UAX #9: they have the text around a name read otherwise than it is written."""


def _printable(text: str) -> str:
    if _BIDI_CONTROLS.search(text) or not _UNPRINTABLE.isdisjoint(map(unicodedata.category, text)):
        raise PydanticCustomError(
            "printable", "String should be one line, without control characters"
        )
    return text


Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
"""Text on one line, or nearly."""
Lines = Annotated[tuple[Line, ...], Field(max_length=MOST_LISTED)]
Shown = AfterValidator(_printable)
"""Of what pages, terminals and logs show of a persona."""


class TurnTaking(BaseModel, extra="forbid", frozen=True):
    """patience_ms: silence that ends the user's turn (shorter when they clearly finished).

    filler_after_ms: a tool still running then has "One moment." said for it. filler_again_ms:
    after so much silence another filler follows; each later silence is half as long again.
    """

    patience_ms: int = Field(default=500, ge=200, le=5000)
    backchannels: Literal["ignore", "interrupt"] = "ignore"
    filler_after_ms: int = Field(default=200, ge=0, le=10_000)
    filler_again_ms: int = Field(default=4000, ge=500, le=60_000)


class SamplingOptions(BaseModel, extra="forbid", frozen=True):
    """How freely the Thinker chooses its words; max_tokens bounds one reply."""

    temperature: float = Field(default=0.7, ge=0, le=2)
    top_p: float = Field(default=0.95, gt=0, le=1)
    max_tokens: int = Field(default=200, ge=1, le=4096)


class Speech(BaseModel, extra="forbid", frozen=True):
    """speed: 1 is the voice's own. pause_ms: silence between sentences."""

    speed: float | None = Field(default=None, ge=0.5, le=2.0)
    pause_ms: int | None = Field(default=None, ge=0, le=2000)


class Persona(BaseModel, extra="forbid", frozen=True):
    """One persona; ``thinker`` and ``talker`` are the two prompts of the file's body.

    tools, filters: names of plugins, tools and text filters, in order. language:
    a BCP 47 tag.
    """

    name: Annotated[
        str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80), Shown
    ]
    description: Annotated[str, StringConstraints(strip_whitespace=True), Shown] = ""
    voice: Line | None = None
    language: str = Field(default="en", pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$")
    tools: Lines = ()
    filters: Lines = ("no-markdown",)
    greeting: Line | None = None
    goodbye: Line | None = None
    fillers: Lines = ("One moment.", "Let me check.", "Let me see.")
    turn: TurnTaking = TurnTaking()
    speech: Speech = Speech()
    sampling: SamplingOptions = SamplingOptions()
    thinker: str = ""
    talker: str = ""


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
    package = Path(__file__).resolve().parent
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
            (front.line_of(problem["loc"]), problem)
            for problem in error.errors(include_url=False, include_context=False)
        ]
        wrong.sort(key=lambda problem: problem[0])
        found += len(wrong)
        problems += [(number, _explain(problem)) for number, problem in wrong[:_MOST_TOLD]]
    else:
        if not problems:
            return persona
    problems.sort(key=lambda problem: problem[0])
    (line, reason), *more = problems[:_MOST_TOLD]
    reason += "".join(f"\n{path}:{number}: {other}" for number, other in more)
    if found > _MOST_TOLD:
        reason += f"\n{path}: and {found - _MOST_TOLD} more"
    raise PersonaError(path, line, reason)


def _explain(problem: Any) -> str:
    """One pydantic problem in the words of someone who writes a persona."""
    *parents, last = problem["loc"]
    where = (
        ".".join(str(part) for part in problem["loc"] if isinstance(part, str)) or "front matter"
    )
    if problem["type"] == "extra_forbidden":
        fields = _fields(parents)
        close = difflib.get_close_matches(str(last), fields, 1)
        hint = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(fields)}"
        return f"unknown key {where!r}; {hint}"
    if problem["type"] == "missing":
        return f"{where!r} is missing"
    if problem["type"] == "too_long":
        return f"{where}: should have at most {MOST_LISTED} entries"
    if problem["type"] == "tuple_type":
        return f"{where}: should be a list, such as [{problem['input']}]"
    message = problem["msg"].removeprefix("Input should ").removeprefix("String should ")
    return f"{where}: should {message}, not {_shown(problem['input'])}"


def _fields(parents: list[str | int]) -> list[str]:
    model: Any = Persona
    for part in parents:
        model = model.model_fields[part].annotation
    return [name for name in model.model_fields if name not in ("thinker", "talker")]


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    text = repr(value)
    return text if len(text) <= 40 else text[:40] + "…"


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
                problems.append((number, f"did you mean '# {close[0].title()}'?"))
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
