"""How problems are printed: one line each, however long the path in it."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.text import Text

from alft.errors import Problem


def print_problems(kind: str, problems: Iterable[Problem], console: Console, style: str = "red") -> None:
    """`kind: problem`, nothing in it a control character.

    A path that rich breaks at column 80 can be neither copied nor searched for: the terminal wraps instead.
    """
    from alft.evaluation.text import visible

    for problem in problems:
        console.print(Text(f"{kind}: {visible(str(problem), lines=True)}", style=style), soft_wrap=True)
