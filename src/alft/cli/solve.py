"""`alft solve`: the exact equilibrium of a game on given answer marginals, with its certificate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def solve(
    problem: Annotated[Path, typer.Argument(help="JSON file: game, beta, and questions × views × answers")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="write the equilibrium as JSON")] = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", help="write a picture of the dynamics (PNG, SVG, PDF)")
    ] = None,
) -> None:
    """Solve a game exactly on the answer simplex: equilibrium table, gap, and a plot of the dynamics."""
    from rich.console import Console

    from alft.errors import DataError, Problem
    from alft.tabular.problem import load_problem, solve_problem
    from alft.tabular.show import equilibrium_table, plot_dynamics, to_json

    taken = [
        Problem(str(path), "exists already", "choose another name")
        for path in (output, plot)
        if path and path.exists()
    ]
    if taken:
        raise DataError(taken)
    loaded = load_problem(problem)
    found = solve_problem(loaded)
    Console().print(equilibrium_table(loaded, found))
    if output is not None:
        output.write_text(to_json(loaded, found), encoding="utf-8")
    if plot is not None:
        plot_dynamics(loaded, plot)
