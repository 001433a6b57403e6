"""The ``omni-agent`` command."""

from __future__ import annotations

import sys
from typing import NoReturn

import typer

from omni_agent.cli.calls import calls
from omni_agent.cli.printing import err, show
from omni_agent.cli.serve import serve
from omni_agent.cli.transcripts import transcripts
from omni_agent.cli.upkeep import models, upkeep
from omni_agent.errors import OmniAgentError, first_of
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
    """The console script: errors on purpose, and files that cannot be had, are one line, and
    exit with 2."""
    try:
        Registry().extend_cli(app)
        app()
    except OmniAgentError as error:
        _refuse(str(error))
    except BaseExceptionGroup as group:  # of a task group that something failed in
        if group.split(OmniAgentError)[1] is not None:
            raise
        _refuse(str(first_of(group)))
    except OSError as error:
        if error.filename is None:
            raise
        _refuse(f"{error.filename}: {error.strerror}")
    except KeyboardInterrupt:
        sys.exit(130)


def _refuse(why: str) -> NoReturn:
    show(("error: ", "red"), why, to=err)
    sys.exit(2)
