"""The ``omni-agent`` command."""

from __future__ import annotations

import sys

import typer

from omni_agent.cli.calls import calls
from omni_agent.cli.printing import err, show
from omni_agent.cli.serve import serve
from omni_agent.cli.transcripts import transcripts
from omni_agent.cli.upkeep import models, upkeep
from omni_agent.errors import OmniAgentError
from omni_agent.registry import Registry

app = typer.Typer(
    help="Voice agents you can see, script and trust.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(serve)
app.add_typer(calls)
app.add_typer(upkeep)
app.add_typer(models, name="models")
app.add_typer(transcripts, name="transcripts")


def main() -> None:
    """The console script: errors on purpose are one line, and exit with 2."""
    try:
        Registry().extend_cli(app)
        app()
    except OmniAgentError as error:
        show(("error: ", "red"), str(error), to=err)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
