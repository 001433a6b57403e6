"""The ``omni-agent`` command."""

from __future__ import annotations

import logging
import sys
from typing import Annotated, Literal

import typer
from rich.console import Console

from omni_agent.cli.calls import calls
from omni_agent.cli.options import (
    ApiKey,
    BaseUrl,
    EngineName,
    Light,
    Model,
    PersonaName,
    Personas,
    make_agent,
)
from omni_agent.cli.upkeep import models, upkeep
from omni_agent.errors import OmniAgentError
from omni_agent.registry import Registry
from omni_agent.store import TranscriptStore

app = typer.Typer(
    help="Voice agents you can see, script and trust.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(calls)
app.add_typer(upkeep)
app.add_typer(models, name="models")
err = Console(stderr=True)
Metrics = Literal["private", "public", "off"]


@app.command()
def serve(
    persona: PersonaName = "concierge",
    personas: Personas = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 takes any free one.", min=0, max=65535)] = 7860,
    engine: EngineName = "local",
    model: Model = None,
    light: Light = False,
    base_url: BaseUrl = None,
    api_key: ApiKey = None,
    server_key: Annotated[
        str | None,
        typer.Option(
            envvar="OMNI_AGENT_SERVER_KEY",
            help="What programs must bring to call, and the page asks for once.",
        ),
    ] = None,
    origin: Annotated[
        list[str] | None, typer.Option(help="Another site whose pages may call (repeatable).")
    ] = None,
    name: Annotated[
        list[str] | None, typer.Option(help="A public name this server answers to (repeatable).")
    ] = None,
    trusted_proxy: Annotated[
        list[str] | None,
        typer.Option(
            help="An address or network whose X-Forwarded-For and -Proto are believed (repeatable)."
        ),
    ] = None,
    metrics: Annotated[
        Metrics,
        typer.Option(help="Who reads /metrics; private: this machine, and who has the server key."),
    ] = "private",
    ice_server: Annotated[
        list[str] | None, typer.Option(help="A STUN or TURN URL for both ends (repeatable).")
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log what happens.")] = False,
) -> None:
    """Serve the call page: open the printed URL and press Call."""
    from omni_agent.server.options import ServerOptions

    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    agent = make_agent(
        persona,
        engine,
        model,
        light,
        base_url,
        api_key,
        personas=personas,
        transcripts=TranscriptStore(),
    )
    for problem in agent.registry.problems:
        err.print(f"[yellow]skipped:[/] {problem}", highlight=False)
    agent.on_progress(lambda line: err.print(f"[dim]▸ {line or 'ready: press Call'}[/]"))
    agent.serve(
        host,
        port,
        options=ServerOptions(
            api_key=server_key,
            origins=tuple(origin or ()),
            hosts=tuple(name or ()),
            trusted_proxies=tuple(trusted_proxy or ()),
            metrics=metrics,
            ice_servers=tuple({"urls": url} for url in ice_server or ()),
        ),
        announce=lambda url: err.print(f"\n  [bold]{url}[/]\n", highlight=False),
    )


def main() -> None:
    """The console script: errors on purpose are one line, and exit with 2."""
    try:
        Registry().extend_cli(app)
        app()
    except OmniAgentError as error:
        err.print(f"[red]error:[/] {error}", highlight=False, soft_wrap=True)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
