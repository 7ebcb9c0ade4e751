"""The story of one or several runs in a screenful of terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from alft.plan.validation import Report, Summary
from alft.questions import MAKERS, PERMUTED, Question
from alft.questions.paraphrase import Rejected
from alft.reporting.runs import Run, load_runs
from alft.reporting.shown import story, vote_story
from alft.reporting.tables import runs_table
from alft.text import counted, short


def terminal_report(run_dirs: Sequence[Path]) -> RenderableType:
    """A table of runs side by side: every view of each, before and after. Raises DataError."""
    return terminal_runs(load_runs(run_dirs))


def terminal_runs(runs: Sequence[Run]) -> RenderableType:
    """The same of runs that were read already."""
    done = {run.name: run.results for run in runs if run.results is not None}
    notes = [
        Text(
            f"{short(run.name, 60)}: no results.json yet ({counted(len(run.metrics), 'step')} so far)",
            style="yellow",
        )
        for run in runs
        if run.results is None
    ]
    stories = [Text(f"{short(name, 60)}: {story(results)}") for name, results in done.items()]
    votes = [told for results in done.values() if (told := vote_story(results))][:1]
    return Group(
        *([runs_table(done)] if done else []), *stories, *(Text(vote, style="dim") for vote in votes), *notes
    )


NAME_WIDTH = 60


def views_table(
    given: Sequence[Question], found: Sequence[Question], rejected: Sequence[Rejected], asked: Sequence[str] = ()
) -> Table:
    """One row for the views that were there, one for each kind of new view, one for each reason of rejection.

    Makers that were `asked` for and had nothing to change have a row too.
    """
    there = {(question.id, view.name) for question in given for view in question.views}
    new = Counter(
        view.name for question in found for view in question.views if (question.id, view.name) not in there
    )
    kept = sum(len(question.views) for question in found) - new.total()
    table = Table("views")
    table.add_column("number", justify="right")
    table.add_column("questions", justify="right")
    table.add_row("there before", str(kept), str(len(found)))
    for name, number in {**new, **{item: 0 for item in asked if _idle(item, new)}}.items():
        table.add_row(Text(short(name, NAME_WIDTH)), str(number), str(len(found)))
    if rejected:
        table.add_section()
        for reason, number in Counter(reject.reason.partition(":")[0] for reject in rejected).most_common():
            table.add_row(Text(f"rejected: {short(reason, NAME_WIDTH)}"), str(number), "")
    return table


def _idle(item: str, new: Counter[str]) -> bool:
    """Whether a maker that was asked for has made no view: questions gave it nothing to change."""
    if item.endswith(PERMUTED):
        return not any(name.startswith("options ") for name in new)
    return item in MAKERS and item not in new


ROWS: dict[str, Callable[[Summary], str]] = {
    "questions": lambda part: str(part.questions),
    "views a question": lambda part: _counted(part.views),
    "answers": lambda part: _counted(part.answers),
    "groups": lambda part: _counted(part.groups),
    "duplicates": lambda part: str(part.duplicates),
}
"""Rows of the table, and what stands in them."""
SHOWN = 8


def summary_table(report: Report) -> Table:
    """Questions, views, kinds of answers, groups, duplicates and overlap, by set."""
    table = Table("", "to train on" if report.held_out else "all")
    parts = [report.train]
    if report.held_out is not None:
        table.add_column("held out")
        parts.append(report.held_out)
    for name, cell in ROWS.items():
        table.add_row(name, *map(cell, parts))
    if report.held_out is not None:
        table.add_row("in both", "", str(report.overlap))
    return table


def _counted(counts: Mapping[Any, int]) -> str:
    """`4 (480)`, or several with their counts, the rest summed up; a dash for none."""
    listed = [f"{name} ({count})" for name, count in list(counts.items())[:SHOWN]]
    if more := len(counts) - SHOWN if len(counts) > SHOWN else 0:
        listed.append(f"{more} more")
    return ", ".join(listed) or "–"
