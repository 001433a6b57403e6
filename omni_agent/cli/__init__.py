"""The ``omni-agent`` command. ``serve`` takes calls, ``talking`` holds one (``demo``, ``chat``),
``stages`` uses a part of one, on ``sounds`` (``say``, ``listen``), ``upkeep`` and ``doctor`` look
after plugins, personas and models, ``transcripts`` reads what was kept. ``options`` are those they
share, ``config`` the file of them, ``engines`` what both say of stages; ``printing`` is
what is shown.
"""

from __future__ import annotations

import sys
from typing import Annotated, NoReturn

import typer

from omni_agent import __version__
from omni_agent.cli.printing import err, show
from omni_agent.cli.serve import serve
from omni_agent.cli.stages import stages
from omni_agent.cli.talking import calls
from omni_agent.cli.transcripts import transcripts
from omni_agent.cli.upkeep import models, upkeep
from omni_agent.errors import OmniAgentError, first_of
from omni_agent.registry.registry import Registry

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(serve)
app.add_typer(calls)
app.add_typer(stages)
app.add_typer(upkeep)
app.add_typer(models, name="models")
app.add_typer(transcripts, name="transcripts")


def _say_version(asked: bool) -> None:
    if asked:
        show(f"omni-agent {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_say_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Voice agents you can see, script and trust."""


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
