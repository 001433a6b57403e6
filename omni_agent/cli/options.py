"""Options that several commands share."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any

import typer

Many = list[str] | None


def checked(make: Callable[[Any], object]) -> Callable[[Any], Any]:
    """An option's callback: what can be said of its value alone is said wherever it stands, on the
    command line and in a file that any command reads. make: raises ConfigError."""

    def check(value: Any) -> Any:
        if value is not None:
            make(value)
        return value

    return check


PersonaName = Annotated[
    str, typer.Option("--persona", "-p", help="A persona's name, or a path to its file.")
]
Personas = Annotated[
    str | None,
    typer.Option(
        help="Personas callers may choose beside --persona, separated by commas: names, files, "
        "folders. Not given: those in its folder where it was named, none where it is a file."
    ),
]
EngineName = Annotated[
    str,
    typer.Option(
        help="Engine of all stages, of `omni-agent plugins`; not given: the one that is there.",
        show_default=False,
    ),
]
Model = Annotated[
    str | None, typer.Option(help="The engine's model: a name from `omni-agent models`, or a path.")
]
Light = Annotated[
    bool, typer.Option("--light", help="Smaller models: less memory and download, weaker at tools.")
]
BaseUrl = Annotated[
    str | None,
    typer.Option(
        help="Think on an OpenAI-compatible server, http://HOST/v1; several: separated by commas."
    ),
]
ApiKey = Annotated[
    str | None, typer.Option(envvar="OPENAI_API_KEY", help="The key for --base-url.")
]


def _of_stage(option: str, whose: str) -> Any:
    return typer.Option(
        option,
        metavar="KEY=VALUE",
        help=f"{whose} own engine; then model=…, device=…, base_url=… and what else that engine "
        "takes, one at a time (repeatable).",
    )


OfThinker = Annotated[Many, _of_stage("--thinker", "The Thinker's")]
OfTalker = Annotated[Many, _of_stage("--talker", "The Talker's")]
OfEars = Annotated[Many, _of_stage("--ears", "The ears'")]

_AGES = {"h": 1 / 24, "d": 1.0, "w": 7.0}
_AGE = re.compile(r"0*([1-9]\d{0,4})([hdw])", re.ASCII)
_PORTS = re.compile(r"(\d{1,5})-(\d{1,5})", re.ASCII)


def days(age: str) -> float:
    """How many days ``30d``, ``12h`` or ``8w`` are; five digits at most."""
    if (found := _AGE.fullmatch(age)) is None:
        raise typer.BadParameter(f"{_short(age)} is not a length of time such as 30d, 12h or 8w")
    return int(found[1]) * _AGES[found[2]]


def port_range(ports: str) -> tuple[int, int]:
    """``40000-40100``."""
    if (found := _PORTS.fullmatch(ports)) is None:
        raise typer.BadParameter(f"{_short(ports)} is not a range of ports such as 40000-40100")
    return int(found[1]), int(found[2])


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:40]}…")
