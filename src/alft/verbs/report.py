"""`alft.report`: one or several runs, side by side, as one HTML page."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from alft.errors import ConfigError, DataError, Problem
from alft.reporting.page import render_runs
from alft.reporting.plots import save_picture
from alft.reporting.runs import Run, find_runs
from alft.storage.files import ending_problems, folder_problems, write_text


@dataclass(frozen=True)
class Reported:
    """The page, the runs on it, and why other directories were left out."""

    page: Path
    runs: tuple[Run, ...]
    left_out: tuple[Problem, ...]


def report(
    runs: Sequence[Path | str], output: Path | str = "report.html", *, picture: Path | str | None = None
) -> Reported:
    """Compare run directories on one HTML page: every view before and after, the curves, the answers.

    `picture` also draws accuracy by view as .svg, .png or .pdf. Raises ConfigError for a place that can't be
    written to, DataError for a run that can't be read, or where there is no run.
    """
    output, picture = Path(output), None if picture is None else Path(picture)
    problems = [*folder_problems(output, picture), *ending_problems("--picture", picture)]
    problems += ending_problems("--output", output, "web page", [".html"])
    if problems:
        raise ConfigError(problems)
    found, others = find_runs([Path(run) for run in runs])
    results = {run.name: run.results for run in found if run.results is not None}
    write_text(output, render_runs(found))
    if picture is not None:
        if not results:
            raise DataError(Problem("--picture", "no run has finished, so there is nothing to draw"))
        save_picture(results, {run.name: run.metrics for run in found if run.name in results}, picture)
    return Reported(output, tuple(found), tuple(others))
