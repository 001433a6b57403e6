"""Options that several commands share."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from omni_agent.agent import Agent, Engines
from omni_agent.engines import local

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
EngineName = Annotated[str, typer.Option(help="Engine of all stages; see `omni-agent plugins`.")]
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


def make_agent(
    persona: str,
    engine: str,
    model: str | None,
    light: bool,
    base_url: str | None,
    api_key: str | None,
    *,
    personas: str | None = None,
    silent: bool = False,
) -> Agent:
    """An agent from the command line's options; ``silent`` has neither ears nor voice."""
    if engine == local.NAME and model is not None and not base_url:
        local.check_mind(model)  # now: a server would have begun to listen
    engines = Engines(engine, None, None) if silent else Engines(engine, engine, engine)
    return Agent(
        persona,
        personas=None if personas is None else [one for one in personas.split(",") if one],
        engine=engines,
        model=model,
        light=light,
        base_url=base_url,
        api_key=api_key if base_url else None,
    )
