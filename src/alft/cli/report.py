"""`alft report`: one or several runs, side by side, in the terminal and as one HTML page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console


def report(
    runs: Annotated[list[Path], typer.Argument(help="run directories")],
    output: Annotated[Path, typer.Option("--output", "-o", help="where the page goes")] = Path("report.html"),
) -> None:
    """Compare runs: every view before and after, the curves, the answers."""
    from alft.report import render_report, terminal_report

    page = render_report(runs)
    console = Console()
    console.print(terminal_report(runs))
    output.write_text(page, encoding="utf-8")
    console.print(f"report: {output}", markup=False)
