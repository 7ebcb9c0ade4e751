"""The `alft` command: one verb a file, heavy imports inside the verb."""

from __future__ import annotations

import sys

import typer
from rich.console import Console
from rich.text import Text

from alft.cli.distill import distill
from alft.cli.evaluate import evaluate
from alft.cli.report import report
from alft.cli.sample import sample
from alft.cli.solve import solve
from alft.cli.train import train
from alft.cli.validate import validate
from alft.cli.views import views
from alft.errors import AlftError, RunInterrupted

app = typer.Typer(
    help="Fine-tune language models on their final answers.", no_args_is_help=True, add_completion=False
)
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


def main() -> None:
    """Run a verb; a mendable error is printed with all its problems, and exits with code 2.

    A run that was stopped exits as its signal asks: 130 after Ctrl-C, 143 after SIGTERM.
    """
    try:
        app()
    except AlftError as error:
        from alft.evaluation.text import visible

        console = Console(stderr=True)
        for problem in error.problems:
            # A path that is broken at column 80 can be neither copied nor searched for: the terminal wraps.
            console.print(Text(f"error: {visible(str(problem), lines=True)}", style="red"), soft_wrap=True)
        sys.exit(128 + error.signal if isinstance(error, RunInterrupted) else 2)
