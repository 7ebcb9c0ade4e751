"""`alft train`: make a model's answers coherent (or play any other game), measured before and after."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from alft.cli.options import Settings

if TYPE_CHECKING:
    from alft.plan.plan import Plan, Start


def train(
    config: Annotated[
        Path | None, typer.Argument(help="YAML configuration; without it: the demonstration")
    ] = None,
    set_: Settings = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="check everything, load no model")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="go on from the newest valid checkpoint")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="start anew in place of an earlier run")] = False,
) -> None:
    """Train a model on its final answers: the built-in demonstration, or your own model and questions."""
    from alft.config.load import dump_config
    from alft.plan.build import load_plan
    from alft.plan.checks import plan_notes
    from alft.plan.plan import check_directory

    start = _start(resume, overwrite)
    plan = load_plan(config, set_ or [])
    check_directory(plan.directory, start)
    console = Console()
    for note in plan_notes(plan):
        console.print(f"look at: {note}", markup=False, style="yellow")
    if dry_run:
        console.print(dump_config(plan.config), markup=False, highlight=False)
        console.print(_ready(plan))
        return

    from alft.reporting.progress import quiet_libraries

    quiet_libraries()
    from alft.evaluation.approach import in_words
    from alft.reporting import render_report
    from alft.reporting.tables import before_after_table
    from alft.reporting.terminal import story
    from alft.storage.files import write_text
    from alft.training.run import train as run

    result = run(plan, start=start)
    console.print(before_after_table(result.results))
    console.print(story(result.results), markup=False, highlight=False, style="bold")
    if result.results["approach"] is not None:
        console.print(in_words(result.results["approach"]), markup=False)
    if result.results["training"]["stopped"]:
        console.print(f"stopped: {result.results['training']['stopped']}", markup=False, style="red")
    if (kept := result.results["training"].get("restored_step")) is not None:
        console.print(f"the model after is the one kept at step {kept}", style="red")
    write_text(result.directory / "report.html", render_report([result.directory]))
    console.print(
        f"model:   {result.directory / 'model'}\nreport:  {result.directory / 'report.html'}\n"
        f"compare: alft report {result.directory} OTHER_RUN",
        markup=False,
        highlight=False,
    )


def _ready(plan: Plan) -> str:
    """What a run would do, in a sentence."""
    from alft.text import counted

    return (
        f"ready: {counted(len(plan.train), 'question')} × {counted(plan.views, 'view')} to train on, "
        f"{len(plan.held_out)} held out; {counted(plan.config.training.steps, 'step')}, "
        f"{counted(plan.completions_per_step, 'completion')} in each batch"
    )


def _start(resume: bool, overwrite: bool) -> Start:
    from alft.errors import ConfigError, Problem
    from alft.plan.plan import Start

    if resume and overwrite:
        raise ConfigError(Problem("--resume --overwrite", "one goes on, the other starts anew", "choose one"))
    return Start.RESUME if resume else Start.OVERWRITE if overwrite else Start.NEW
