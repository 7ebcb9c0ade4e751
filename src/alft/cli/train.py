"""`alft train`: make a model's answers coherent (or play any other game), measured before and after."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

Settings = Annotated[list[str] | None, typer.Option("--set", help="section.key=value, over the file; repeatable")]


def train(
    config: Annotated[
        Path | None, typer.Argument(help="YAML configuration; without it: the demonstration")
    ] = None,
    set_: Settings = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="check everything, load no model")] = False,
) -> None:
    """Train a model on its final answers: the built-in demonstration, or your own model and questions."""
    from alft.config_file import dump_config, load_config
    from alft.plan import make_plan

    plan = make_plan(load_config(config, set_ or []))
    console = Console()
    if dry_run:
        console.print(dump_config(plan.config), markup=False, highlight=False)
        console.print(
            f"ready: {len(plan.train)} questions × {plan.views} views to train on, {len(plan.held_out)} held out, "
            f"{plan.completions_per_step} completions a step"
        )
        return

    from alft.cli.quiet import quiet_libraries

    quiet_libraries()
    from alft.evaluation.tables import before_after_table
    from alft.report import render_report
    from alft.training.run import train as run

    result = run(plan)
    console.print(before_after_table(result.results))
    if result.results["training"]["stopped"]:
        console.print(f"stopped: {result.results['training']['stopped']}", markup=False, style="red")
    (result.directory / "report.html").write_text(render_report([result.directory]), encoding="utf-8")
    console.print(
        f"model:  {result.directory / 'model'}\nreport: {result.directory / 'report.html'}", markup=False
    )
