"""Commands that look after the installation: doctor, models, personas, plugins."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from omni_agent.cli.config import ConfigFile
from omni_agent.cli.doctor import doctor
from omni_agent.cli.engines import of_file
from omni_agent.cli.printing import err, out, progress, show
from omni_agent.engine import STAGES
from omni_agent.errors import ModelStoreError, OmniAgentError
from omni_agent.models import ModelStore, as_lines, as_rich
from omni_agent.personas import files as personas_module
from omni_agent.registry.fitting import foreseen
from omni_agent.registry.registry import Registry
from omni_agent.registry.wardrobe import fitted

upkeep = typer.Typer()
upkeep.command()(doctor)
models = typer.Typer(help="The model files: list, fetch, verify, remove.")

FOR_TALKING = ("whisper-base", "qwen2.5-coder-1.5b", "silero-vad")
FOR_LIGHT = ("whisper-tiny.en", "qwen2.5-coder-0.5b", "silero-vad")
FOR_TESTS = (*FOR_TALKING, "whisper-tiny.en", "smollm2-135m", "smart-turn-v3.2")


# -- models ------------------------------------------------------------------------------


@models.callback(invoke_without_command=True)
def listed_by_default(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        list_models()


@models.command("list")
def list_models() -> None:
    """The models, what they are for, their licences, and which are here."""
    table = Table(box=None, pad_edge=False)
    for column in ("model", "for", "size", "licence", "here"):
        table.add_column(column, justify="right" if column == "size" else "left")
    for status in ModelStore().status():
        model = status.model
        here = Text("yes", "green") if status.here else Text(status.state)
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
    # What is named is wanted in the store, though a package carries it.
    here = {one.model.name for one in store.status() if one.here and not names}
    missing = [name for name in chosen if name not in here]
    if err.is_terminal:
        with as_rich(err) as report:
            for name in missing:
                store.fetch(name, report)
    else:
        for name in missing:
            store.fetch(name, as_lines(progress))
    show(f"all are here: {', '.join(chosen)}")


@models.command()
def verify(names: Annotated[list[str] | None, typer.Argument()] = None) -> None:
    """Read every byte of the fetched models again and compare the hashes."""
    store = ModelStore()
    here = {status.model.name: status.state for status in store.status()}
    failed = False
    chosen = names or [name for name, state in here.items() if state == "ready"]
    if not chosen:
        show(f"no model is in {store.root}; `omni-agent models fetch` fetches those for a call")
    for name in chosen:
        if name not in here:
            raise ModelStoreError(name, "there is no such model; `omni-agent models` lists them")
        try:
            store.verify(name)
            show(("ok     ", "green"), name)
        except ModelStoreError as error:
            failed = True
            show(("failed ", "red"), str(error))
    if failed:
        raise typer.Exit(1)


@models.command()
def remove(names: Annotated[list[str], typer.Argument(help="Models to remove.")]) -> None:
    """Remove model files."""
    for name in names:
        freed = ModelStore().remove(name)
        show(f"{name}: {freed / 1e6:.0f} MB freed")


# -- personas and plugins --------------------------------------------------------


@upkeep.command()
def personas(
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the front matter's JSON schema, for editors.")
    ] = False,
    config: ConfigFile = None,
) -> None:
    """The personas that can be named, what they go without on the engines of omni-agent.toml, and
    what is wrong with those that cannot be used."""
    if schema:
        out.print_json(data=personas_module.json_schema())
        return
    broken, registry = False, Registry()
    lineup = of_file(config).lineup(registry, "thinker", "talker", "ears")
    for name, path in personas_module.available().items():
        try:
            outfit = fitted(registry, path)
            lacking = foreseen(registry.engines, lineup, outfit)
        except OmniAgentError as error:
            broken = True
            show((f"{name}  ", "red"), str(error))
            continue
        persona = outfit.persona
        tools = f"  tools: {', '.join(persona.tools)}" if persona.tools else ""
        show((f"{name}  ", "bold"), persona.description, (tools, "dim"))
        for line in lacking:
            show((f"  {line}", "dim" if personas_module.is_shipped(path) else "yellow"))
    if broken:
        raise typer.Exit(1)


@upkeep.command()
def plugins() -> None:
    """The plugins and what each brings, the engines and lines there are, and what is wrong with
    the plugins that are skipped."""
    registry = Registry()
    tools = registry.tools()
    for plugin, brought in registry.brought().items():
        show((plugin, "bold"))
        for tool in tools.get(plugin, {}).values():
            summary = tool.schema.description.strip().partition("\n")[0]
            show(f"  {tool.name:<16} ", (summary, "dim"))
        for kind, names in brought.items():
            show((f"  {kind}: {', '.join(names)}", "dim"))
    show(("engines", "bold"))
    for name, stages in _engines(registry).items():
        show(f"  {name:<16} ", (", ".join(stages), "dim"))
    show(("lines ", "bold"), ", ".join(line.name for line in registry.lines()) or "none")
    for problem in registry.problems:
        show(("skipped ", "red"), str(problem))
    if registry.problems:
        raise typer.Exit(1)


def _engines(registry: Registry) -> dict[str, list[str]]:
    """What each engine provides, by its name."""
    provided: dict[str, list[str]] = {}
    for stage in STAGES:
        for name in registry.engines.names(stage):
            provided.setdefault(name, []).append(stage.replace("_", " "))
    return dict(sorted(provided.items()))
