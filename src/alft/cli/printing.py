"""How problems and notes are printed: one line each, however long the path in it."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.text import Text

from alft.errors import Problem
from alft.questions import DataWarning


@contextmanager
def data_warnings_as_notes(console: Console) -> Iterator[None]:
    """What warns of questions is told as other notes are, not as a warning with a line of our source."""
    with warnings.catch_warnings():
        shown = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *place: Any) -> None:
            if issubclass(category, DataWarning):
                print_problems("look at", [str(message)], console, "yellow")
            else:
                shown(message, category, *place)

        warnings.simplefilter("default", DataWarning)
        warnings.showwarning = show
        yield


def print_problems(kind: str, problems: Iterable[Problem | str], console: Console, style: str = "red") -> None:
    """`kind: problem`, nothing in it a control character.

    A path that rich breaks at column 80 can be neither copied nor searched for: the terminal wraps instead.
    """
    from alft.text import visible

    for problem in problems:
        console.print(Text(f"{kind}: {visible(str(problem), lines=True)}", style=style), soft_wrap=True)
