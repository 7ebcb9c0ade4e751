"""The story of one or several runs in a screenful of terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Group, RenderableType
from rich.text import Text

from alft.evaluation.tables import runs_table
from alft.evaluation.text import counted, short
from alft.report.runs import Run, load_runs
from alft.report.story import story, vote_story


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
