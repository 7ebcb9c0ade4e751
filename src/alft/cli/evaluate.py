"""`alft evaluate`: how accurate, coherent and varied a model's answers are; or two models, paired by question."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from alft.cli.options import EndpointOption, ModelOption, Settings, VllmOption
from alft.verbs.asking import Asked

if TYPE_CHECKING:
    from alft.verbs.evaluate import Measurement

WHAT = (
    "what to measure: a model (directory, Hub id, starter), a run directory, the --output of this command, a file "
    "of `alft sample`; two are compared. Of logs of lm-eval (.jsonl) or Inspect (.json) each is a view; a name "
    "ending in .yaml is the configuration"
)
OUTPUT = (
    "directory for results.json, and the completions of a model if it is the last WHAT, to be named as WHAT again"
)


def evaluate(
    what: Annotated[list[str] | None, typer.Argument(help=WHAT, show_default=False)] = None,
    set_: Settings = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help=OUTPUT)] = None,
    endpoint: EndpointOption = None,
    model: ModelOption = None,
    vllm: VllmOption = False,
) -> None:
    """Measure a model on questions: accuracy by view, pass@k, agreement, incoherence, limits, unread share."""
    from alft.cli.options import tell_refused
    from alft.errors import DataError, Problem
    from alft.verbs.evaluate import measurements

    if output is not None and output.exists():
        raise DataError(Problem(str(output), "exists already", "choose another --output"))
    found = measurements(what or [], set_ or [], Asked(endpoint, model, vllm=vllm))
    for one in found:
        tell_refused(one.evaluation.refused(), Console())
    results = _told(found) if len(found) == 1 else _compared(found)
    if output is not None:
        _write(output, found[-1], results)  # whose name the results have


def _told(found: list[Measurement]) -> dict[str, Any]:
    from alft.reporting.tables import summary_table

    summary = _summary(found[0])
    Console().print(f"measured: {found[0].name}", markup=False, highlight=False)
    Console().print(summary_table(summary))
    if found[0].outcomes is not None:
        counts = ", ".join(f"{name} {count}" for name, count in found[0].outcomes.items())
        Console().print(f"with a second opinion: {counts}", markup=False, highlight=False)
    return {"name": found[0].name, "measured": summary}


def _compared(found: list[Measurement]) -> dict[str, Any]:
    from alft.errors import DataError, Problem
    from alft.evaluation import compare
    from alft.reporting.tables import comparison_table

    first, second = found
    difference = compare(first.evaluation, second.evaluation)
    if not difference["questions"] or not difference["views"]:
        told = f"shares no question and view with {first.name}"
        raise DataError(Problem(second.name, told, "measure both on the same questions"))
    summaries = _summary(first), _summary(second)
    Console().print(comparison_table((first.name, second.name), summaries, difference))
    return {
        "name": second.name,
        "measured": summaries[1],
        "compared_with": {"name": first.name, "measured": summaries[0], "difference": difference},
    }


def _summary(measurement: Measurement) -> dict[str, Any]:
    from alft.evaluation.limits import full_summary

    summary = full_summary(measurement.evaluation, measurement.limits, measurement.questions)
    return summary | ({} if measurement.outcomes is None else {"outcomes": measurement.outcomes})


def _write(output: Path, measurement: Measurement, results: dict[str, Any]) -> None:
    """What was measured; the completions too, unless they lie elsewhere already."""
    from alft.config.load import dump_config
    from alft.evaluation.recorded import MEASURED
    from alft.questions import dump_questions
    from alft.storage.files import write_json, write_text
    from alft.training.rundir import RunDirectory, environment

    output.mkdir(parents=True)
    write_text(output / "config.yaml", dump_config(measurement.config))
    write_json(output / "environment.json", environment())
    if measurement.fresh:
        dump_questions(measurement.questions, output / "questions.jsonl")
        directory = RunDirectory(output)
        directory.log_completions(measurement.evaluation.records, MEASURED)
        directory.close()
        directory.tidy()
    write_json(output / "results.json", results)
    Console().print(f"written: {output}", markup=False, highlight=False)
