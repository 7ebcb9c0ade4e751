"""The progress display: a line a phase, with the game's metrics."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


def progress_display(console: Console) -> Progress:
    """A line a phase with the game's metrics; nothing where nobody watches (a log, a pipe)."""
    return Progress(
        TextColumn("{task.description:>16}"),
        BarColumn(bar_width=10),
        TextColumn("{task.completed:>4.4g}/{task.total:g}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[metrics]}"),
        console=console,
        disable=not console.is_terminal,
    )
