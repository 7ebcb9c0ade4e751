"""`alft report`: one or several runs, side by side, in the terminal and as one HTML page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from alft.cli.printing import print_problems
from alft.storage.files import folder_problems, picture_problems, write_text


def report(
    runs: Annotated[list[Path], typer.Argument(help="run directories")],
    output: Annotated[Path, typer.Option("--output", "-o", help="where the page goes")] = Path("report.html"),
    picture: Annotated[Path | None, typer.Option(help="also draw accuracy by view as .svg or .png")] = None,
) -> None:
    """Compare runs: every view before and after, the curves, the answers."""
    from alft.errors import ConfigError, DataError, Problem
    from alft.reporting import save_picture
    from alft.reporting.page import render_runs
    from alft.reporting.runs import find_runs
    from alft.reporting.terminal import terminal_runs

    problems = [*folder_problems(output, picture), *picture_problems("--picture", picture)]
    if problems:
        raise ConfigError(problems)
    found, others = find_runs(runs)
    page = render_runs(found)
    console = Console()
    console.print(terminal_runs(found))
    print_problems("left out", others, console, "yellow")
    write_text(output, page)
    console.print(f"report: {output}", markup=False)
    if picture is not None:
        ended = {run.name: run for run in found if run.results is not None}
        if not ended:
            raise DataError(Problem("--picture", "no run has ended, so there is nothing to draw", "let one end"))
        results = {name: run.results or {} for name, run in ended.items()}
        save_picture(results, {name: run.metrics for name, run in ended.items()}, picture)
        console.print(f"picture: {picture}", markup=False)
