"""Commands that look after the installation: doctor, models, personas, plugins, transcripts."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from omni_agent import persona as personas_module
from omni_agent.cli.doctor import doctor
from omni_agent.errors import ConfigError, ModelStoreError, OmniAgentError
from omni_agent.models import ModelStore, as_rich
from omni_agent.registry import Registry
from omni_agent.store import TranscriptStore

upkeep = typer.Typer()
upkeep.command()(doctor)
models = typer.Typer(help="The model files: list, fetch, verify, remove.", no_args_is_help=True)
out = Console(highlight=False)

FOR_TALKING = ("whisper-base", "qwen2.5-coder-1.5b", "silero-vad")
FOR_LIGHT = ("whisper-tiny.en", "qwen2.5-coder-0.5b", "silero-vad")
FOR_TESTS = (*FOR_TALKING, "whisper-tiny.en", "smollm2-135m")


# -- models ------------------------------------------------------------------------------


@models.command("list")
def list_models() -> None:
    """The models, what they are for, their licences, and which are here."""
    table = Table(box=None, pad_edge=False)
    for column in ("model", "for", "size", "licence", "here"):
        table.add_column(column, justify="right" if column == "size" else "left")
    for status in ModelStore().status():
        model = status.model
        here = "[green]yes[/]" if status.state == "ready" else status.state
        table.add_row(model.name, model.purpose, f"{model.size / 1e6:.0f} MB", model.licence, here)
    out.print(table)


@models.command()
def fetch(
    names: Annotated[
        list[str] | None, typer.Argument(help="Models; none: those for a call.")
    ] = None,
    light: Annotated[bool, typer.Option("--light", help="The smaller set.")] = False,
    for_tests: Annotated[bool, typer.Option("--for-tests", help="What the tests use.")] = False,
) -> None:
    """Fetch models, each verified by its hash; what is here already is not fetched again."""
    chosen = names or (FOR_TESTS if for_tests else FOR_LIGHT if light else FOR_TALKING)
    store = ModelStore()
    with as_rich() as report:
        for name in chosen:
            store.fetch(name, report)


@models.command()
def verify(names: Annotated[list[str] | None, typer.Argument()] = None) -> None:
    """Read every byte of the fetched models again and compare the hashes."""
    store = ModelStore()
    failed = False
    for status in store.status():
        name = status.model.name
        if (names and name not in names) or not (names or status.state == "ready"):
            continue
        try:
            store.verify(name)
            out.print(f"[green]ok[/]     {name}")
        except ModelStoreError as error:
            failed = True
            out.print(f"[red]failed[/] {error}")
    if failed:
        raise typer.Exit(1)


@models.command()
def remove(names: Annotated[list[str], typer.Argument(help="Models to remove.")]) -> None:
    """Remove model files."""
    for name in names:
        freed = ModelStore().remove(name)
        out.print(f"{name}: {freed / 1e6:.0f} MB freed")


# -- personas, plugins, transcripts --------------------------------------------------------


@upkeep.command()
def personas(
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the front matter's JSON schema, for editors.")
    ] = False,
) -> None:
    """The personas that can be named, and what is wrong with those that cannot be used."""
    if schema:
        out.print_json(data=personas_module.json_schema())
        return
    broken = False
    for name in personas_module.available():
        try:
            persona = personas_module.load(personas_module.find(name))
        except OmniAgentError as error:
            broken = True
            out.print(f"[red]{name}[/]  {error}", soft_wrap=True)
            continue
        tools = f"  [dim]tools: {', '.join(persona.tools)}[/]" if persona.tools else ""
        out.print(f"[bold]{name}[/]  {persona.description}{tools}")
    if broken:
        raise typer.Exit(1)


@upkeep.command()
def plugins() -> None:
    """The plugins, their tools, and what is wrong with those that were skipped."""
    registry = Registry()
    for plugin, tools in registry.tools().items():
        out.print(f"[bold]{plugin}[/]")
        for tool in tools.values():
            summary = tool.schema.description.strip().splitlines()[0]
            out.print(f"  {tool.name:<16} [dim]{summary}[/]")
    engines = [name for name in registry.names if name not in registry.tools()]
    out.print(f"[bold]engines[/] {', '.join(engines)}")
    for problem in registry.problems:
        out.print(f"[red]skipped[/] {problem}", soft_wrap=True)
    if registry.problems:
        raise typer.Exit(1)


@upkeep.command()
def transcripts(
    session: Annotated[str | None, typer.Argument(help="A session's id: print its words.")] = None,
    limit: Annotated[int, typer.Option(help="How many sessions to list.")] = 20,
) -> None:
    """The calls that were kept, newest first; they survive crashes."""
    store = TranscriptStore()
    try:
        if session is None:
            for session_id, persona, started, reason in store.sessions(limit):
                when = datetime.fromtimestamp(started).strftime("%Y-%m-%d %H:%M")
                out.print(f"{session_id}  {when}  {persona}  [dim]{reason or 'not ended'}[/]")
            return
        items = store.items(session)
    finally:
        store.close()
    if not items:
        raise ConfigError(f"there is no session {session!r}; `omni-agent transcripts` lists them")
    for item in items:
        words = item.body.get("text") or item.body.get("output") or item.body.get("arguments")
        out.print(f"[bold]{item.kind:<10}[/] {words}", soft_wrap=True)
