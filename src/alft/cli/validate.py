"""`alft validate`: everything wrong with questions, views and configuration, at once, without a model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from alft.cli.options import Settings
from alft.cli.printing import data_warnings_as_notes, print_problems

if TYPE_CHECKING:
    from alft.plan.validation import Report

CONFIGURATIONS = (".yaml", ".yml")


def validate(
    what: Annotated[
        str | None, typer.Argument(help="YAML configuration, or a source of questions; without it: the defaults")
    ] = None,
    set_: Settings = None,
    as_json: Annotated[bool, typer.Option("--json", help="print the report as JSON")] = False,
) -> None:
    """Check questions, views and configuration without loading a model; exit code 2 if anything must be mended."""
    with data_warnings_as_notes(Console(stderr=as_json)):  # with JSON, nothing else is on stdout
        report = _report(what, set_ or [])
    if as_json:
        import json

        typer.echo(json.dumps(report.to_json(), indent=2))
    else:
        _show(report)
    if not report.good:
        raise typer.Exit(2)


def _report(what: str | None, settings: Sequence[str]) -> Report:
    from alft.config.load import PartlyReadError, load_config
    from alft.errors import AlftError
    from alft.plan.build import rest_problems
    from alft.plan.validation import Report, Summary, validate_config, validate_questions

    try:
        if what is not None and not what.endswith(CONFIGURATIONS):
            return validate_questions(load_config(None, [f"data.path={what}", *settings]))
        config = load_config(None if what is None else Path(what), settings)
    except PartlyReadError as error:
        return Report((*error.problems, *rest_problems(error)), (), (), Summary())
    except AlftError as error:
        return Report(error.problems, (), (), Summary())
    from alft.reporting.progress import quiet_libraries

    quiet_libraries()
    from alft.training.prompts import prompt_problems

    return validate_config(config, prompt_problems)


def _show(report: Report) -> None:
    from alft.reporting.terminal import questions_table

    console = Console()
    if report.train.questions:
        console.print(questions_table(report.to_json()))
    print_problems("look at", report.notes, console, "yellow")
    print_problems("numbers differ", report.suspects, console, "yellow")
    print_problems("error", report.problems, Console(stderr=True))
    if report.good:
        doubts = len(report.notes) + len(report.suspects)
        told = f"nothing that stops a run; {doubts} to look at" if doubts else "nothing to mend"
        console.print(told, style="yellow" if doubts else "green")
