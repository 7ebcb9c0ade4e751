"""The `alft` command: one verb a file, heavy imports inside the verb."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.console import Console

from alft.cli.distill import distill
from alft.cli.evaluate import evaluate
from alft.cli.printing import data_warnings_as_notes, print_problems
from alft.cli.report import report
from alft.cli.sample import sample
from alft.cli.solve import solve
from alft.cli.train import train
from alft.cli.validate import validate
from alft.cli.views import views
from alft.errors import AlftError, RunInterrupted

app = typer.Typer(no_args_is_help=True, add_completion=False)
VERBS = (
    train,
    evaluate,
    views,
    validate,
    report,
    sample,
    solve,
    distill,
)
for verb in VERBS:
    app.command()(verb)


def _tell_version(asked: bool) -> bool:
    if asked:
        from importlib.metadata import version

        typer.echo(f"alft {version('alft')}")
        raise typer.Exit
    return asked


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="tell the version, and end")
    ] = False,
) -> None:
    """Fine-tune language models on their final answers."""


def main() -> None:
    """Run a verb; a mendable error is printed with all its problems, and exits with code 2.

    A run that was stopped exits as its signal asks: 130 after Ctrl-C, 143 after SIGTERM.
    """
    try:
        with data_warnings_as_notes(Console()):
            app(prog_name="alft")
    except AlftError as error:
        print_problems("error", error.problems, Console(stderr=True))
        sys.exit(128 + error.signal if isinstance(error, RunInterrupted) else 2)
