"""The story of one or several runs in a screenful of terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Group, RenderableType
from rich.text import Text

from alft.evaluation.tables import runs_table
from alft.evaluation.text import short
from alft.report.runs import load_runs


def terminal_report(run_dirs: Sequence[Path]) -> RenderableType:
    """A table of runs side by side: every view of each, before and after. Raises DataError."""
    runs = load_runs(run_dirs)
    done = {run.name: run.results for run in runs if run.results is not None}
    notes = [
        Text(f"{short(run.name, 60)}: no results.json yet ({len(run.metrics)} steps so far)", style="yellow")
        for run in runs
        if run.results is None
    ]
    return Group(*([runs_table(done)] if done else []), *notes)
