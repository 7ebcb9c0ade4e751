"""`alft validate`: everything wrong with questions, views and configuration, at once, without a model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alft.cli.train import Settings

if TYPE_CHECKING:
    from rich.console import Console

    from alft.errors import Problem
    from alft.validation import Report

CONFIGURATIONS = (".yaml", ".yml")


def validate(
    what: Annotated[
        str | None, typer.Argument(help="YAML configuration, or a source of questions; without it: the defaults")
    ] = None,
    set_: Settings = None,
    as_json: Annotated[bool, typer.Option("--json", help="print the report as JSON")] = False,
) -> None:
    """Check questions, views and configuration without loading a model; exit code 2 if anything must be mended."""
    report = _report(what, set_ or [])
    if as_json:
        import json

        typer.echo(json.dumps(report.to_json(), indent=2))
    else:
        _show(report)
    if not report.good:
        raise typer.Exit(2)


def _report(what: str | None, settings: Sequence[str]) -> Report:
    from alft.config_file import load_config
    from alft.errors import AlftError
    from alft.validation import Report, Summary, validate_config, validate_questions

    try:
        if what is not None and not what.endswith(CONFIGURATIONS):
            return validate_questions(load_config(None, [f"data.path={what}", *settings]))
        config = load_config(None if what is None else Path(what), settings)
    except AlftError as error:
        return Report(error.problems, (), (), Summary())
    from alft.cli.quiet import quiet_libraries

    quiet_libraries()
    from alft.training.prompts import prompt_problems

    return validate_config(config, prompt_problems)


def _show(report: Report) -> None:
    from rich.console import Console

    from alft.validation.table import summary_table

    console = Console()
    if report.train.questions:
        console.print(summary_table(report))
    _list("look at", report.notes, console)
    _list("numbers differ", report.suspects, console)
    _list("error", report.problems, Console(stderr=True))
    if report.good:
        doubts = len(report.notes) + len(report.suspects)
        told = f"nothing that stops a run; {doubts} to look at" if doubts else "nothing to mend"
        console.print(told, style="yellow" if doubts else "green")


def _list(kind: str, problems: Sequence[Problem], console: Console) -> None:
    from rich.text import Text

    from alft.evaluation.text import visible

    for problem in problems:
        told = visible(str(problem), lines=True)
        console.print(Text(f"{kind}: {told}", style="red" if kind == "error" else "yellow"), soft_wrap=True)
