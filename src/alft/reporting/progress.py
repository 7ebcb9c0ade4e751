"""Progress of long work: bars where somebody watches a terminal, lines of each phase in a log or a pipe."""

import logging
import os
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Column

PARTS = 10  # lines that a phase writes into a log
SOON = 0.05  # of a phase, before which no time left is said in the first minute


def progress_display(console: Console) -> Progress:
    """A bar a phase with its time, and its metrics as far as there is room; lines where nobody watches."""
    if not console.is_terminal:
        return Lines(console)
    whole = Column(no_wrap=True)
    return Progress(
        TextColumn("{task.description:>16}", table_column=whole),
        BarColumn(bar_width=10, table_column=Column(min_width=6)),
        TextColumn("{task.completed:>4.4g}/{task.total:g}", table_column=whole),
        TimeElapsedColumn(table_column=Column(no_wrap=True, min_width=7)),
        TimeRemainingColumn(table_column=Column(no_wrap=True, min_width=7)),
        TextColumn("{task.fields[metrics]}", table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1)),
        console=console,
    )


class Lines(Progress):
    """What a bar shows, as lines of a log: how far each phase is, seconds since it began and left, its metrics.

    A line comes with the first progress, so that a phase that takes hours says so early, and at every tenth.

    >>> with Lines(Console(width=60)) as progress:
    ...     task = progress.add_task("training", total=2, metrics="")
    ...     progress.update(task, completed=1, metrics="reward 0.5")
    training …
    training 1/2, 0 s, about 0 s left, reward 0.5
    """

    def __init__(self, console: Console) -> None:
        super().__init__(console=console, disable=True)
        self._told: dict[TaskID, tuple[float, int]] = {}

    def add_task(self, description: str, *args: Any, **fields: Any) -> TaskID:
        """Begin a phase."""
        task = super().add_task(description, *args, **fields)
        self._told[task] = (time.monotonic(), -1)
        self._say(f"{description} …")
        return task

    def update(self, task_id: TaskID, *args: Any, **fields: Any) -> None:
        """Note how far a phase is; a line if that is another tenth of it."""
        super().update(task_id, *args, **fields)
        task, (began, told) = self._tasks[task_id], self._told[task_id]
        part = int(PARTS * task.completed / task.total) if task.total else 0
        if part > told and task.completed > 0:
            self._told[task_id] = (began, part)
            seconds = time.monotonic() - began
            left = seconds * ((task.total or 0) / task.completed - 1)
            metrics = task.fields.get("metrics", "")
            far = f"{task.completed:.0%}" if task.total == 1 else f"{task.completed:.4g}/{task.total:g}"
            early = seconds < 60 and task.completed < SOON * (task.total or 0)  # what was set up counts too much
            remaining = f"about {left:.0f} s left" if left > 0 and not early else ""
            said = (f"{task.description} {far}", f"{seconds:.0f} s", remaining, metrics)
            self._say(", ".join(filter(None, said)))

    def _say(self, text: str) -> None:
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)


def quiet_libraries() -> None:
    """Silence progress bars and chatter of transformers, datasets and TRL; errors still come through."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
    warnings.filterwarnings("ignore", category=FutureWarning)
    import datasets
    import transformers

    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # it reports each of its retries
    datasets.disable_progress_bars()
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()


def show_line(text: str) -> None:
    """A line beside the bars."""
    Console(stderr=True).print(text, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def progress_of(what: str) -> Iterator[Callable[[float], Any]]:
    """A bar with the time left, updated with the share done; a line at every tenth in a log or a pipe."""
    with progress_display(Console(stderr=True)) as progress:
        task = progress.add_task(what, total=1.0, metrics="")
        yield lambda share: progress.update(task, completed=share)
