"""`alft report`: one or several runs, side by side, in the terminal and as one HTML page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console


def report(
    runs: Annotated[list[Path], typer.Argument(help="run directories")],
    output: Annotated[Path, typer.Option("--output", "-o", help="where the page goes")] = Path("report.html"),
    picture: Annotated[Path | None, typer.Option(help="also draw accuracy by view as .svg or .png")] = None,
) -> None:
    """Compare runs: every view before and after, the curves, the answers."""
    from alft.report import render_report, save_picture, terminal_report
    from alft.report.runs import load_runs

    page = render_report(runs)
    console = Console()
    console.print(terminal_report(runs))
    output.write_text(page, encoding="utf-8")
    console.print(f"report: {output}", markup=False)
    if picture is not None:
        ended = {run.name: run for run in load_runs(runs) if run.results is not None}
        results = {name: run.results or {} for name, run in ended.items()}
        save_picture(results, {name: run.metrics for name, run in ended.items()}, picture)
        console.print(f"picture: {picture}", markup=False)
