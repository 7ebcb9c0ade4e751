"""`alft solve`: the exact equilibrium of a game on given answer marginals, or on a file of samples."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from alft.storage.files import new_problems, picture_problems, write_json, write_text

GameOption = Annotated[
    str | None,
    typer.Option(
        "--game",
        help="game to solve, as in a configuration, path.py:MyGame too; default: coherence_geometric for samples, "
        "a problem's own",
    ),
]
BetaOption = Annotated[
    float | None, typer.Option("--beta", help="of samples: weight of the KL, by default 0, the limit")
]
ShrinkageOption = Annotated[
    float | None,
    typer.Option(
        "--shrinkage", help="of samples: pseudo-completions like the other views', by default 1 if a game compares"
    ),
]
PowerOption = Annotated[
    float | None,
    typer.Option("--power", help="sharpen the reference to ν₀^POWER: views agree and are sure; default 1"),
]
BorrowOption = Annotated[
    bool | None,
    typer.Option(
        "--borrow/--no-borrow",
        help="of samples: train a view on other views' completions for answers that it never gave; default: yes",
    ),
]


def solve(
    problem: Annotated[Path, typer.Argument(help="samples (Parquet), or game, beta and questions (JSON)")],
    game: GameOption = None,
    beta: BetaOption = None,
    shrinkage: ShrinkageOption = None,
    power: PowerOption = None,
    borrow: BorrowOption = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="weighted samples (Parquet) or equilibrium (JSON)")
    ] = None,
    summary: Annotated[Path | None, typer.Option("--summary", help="of samples: the summary as JSON")] = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", help="of a problem: picture of the dynamics (PNG, SVG, PDF)")
    ] = None,
) -> None:
    """Solve a game exactly: what the answers become, certified by its gap; of samples also a weight for each.

    A problem is JSON like {"game": "coherence_geometric", "beta": 0.1, "questions": [{"id": "q1", "answers": ["7",
    "8"], "reference": [[0.9, 0.1], [0.4, 0.6]]}]}: a list a view, or "counts" in place of "reference".
    """
    from alft.errors import DataError, Problem
    from alft.offline.samples import is_samples

    problems = [*new_problems(output, summary, plot), *picture_problems("--plot", plot)]
    sampled = is_samples(problem)
    of_samples = {"--beta": beta, "--shrinkage": shrinkage, "--borrow": borrow, "--summary": summary}
    apart = {"--plot": plot} if sampled else of_samples
    of_what = "a problem in JSON" if sampled else "samples in Parquet; a JSON problem says its own beta"
    problems += [Problem(name, f"is for {of_what}") for name, given in apart.items() if given is not None]
    if problems:
        raise DataError(problems)
    if sampled:
        from alft.offline.solve import COHERENCE

        asked = (game or COHERENCE, beta or 0.0, shrinkage, 1.0 if power is None else power, borrow is not False)
        _solve_samples(problem, asked, output, summary)
    else:
        _solve_problem(problem, (game, power), output, plot)


def _solve_samples(
    path: Path, asked: tuple[str, float, float | None, float, bool], output: Path | None, summary: Path | None
) -> None:

    from rich.console import Console

    from alft.offline import read_samples, solve_samples
    from alft.offline.solve import settings_of
    from alft.reporting.terminal import solution_table

    settings = settings_of(*asked)
    solution = solve_samples(read_samples(path), settings, asked[0])
    found = solution.summary()
    Console().print(solution_table(found))
    if output is not None:
        solution.write(output)
        told = f"written: {output}\nnext:    alft distill {output} -o DIRECTORY"
        Console().print(told, markup=False, highlight=False)
    if summary is not None:
        write_json(summary, found)


def _solve_problem(
    path: Path, asked: tuple[str | None, float | None], output: Path | None, plot: Path | None
) -> None:
    from rich.console import Console

    from alft.config.load import load_config
    from alft.errors import DataError, Problem
    from alft.offline.problem import load_problem
    from alft.tabular.problem import solve_problem
    from alft.tabular.show import equilibrium_table, plot_dynamics, to_json

    game, power = asked
    loaded = load_problem(path, None if game is None else load_config(None, [f"game={game}"]).game)
    if power is not None:
        loaded = loaded.sharpened(power)
    if plot is not None and loaded.beta == 0:
        raise DataError(Problem("--plot", "play step by step needs a beta above 0", "leave it out"))
    found = solve_problem(loaded)
    Console().print(equilibrium_table(loaded, found))
    if output is not None:
        write_text(output, to_json(loaded, found))
        Console().print(f"written: {output}", markup=False, highlight=False)
    if plot is not None:
        plot_dynamics(loaded, found, plot)
