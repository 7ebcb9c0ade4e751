"""`alft solve`: the exact equilibrium of a game on given answer marginals, or on a file of samples."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from alft.cli.options import ConfigOption, Settings, print_plain

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

MOST_HELPED = 0.5
"""Share of the questions that a solution must help for training to be the next step."""


def solve(
    problem: Annotated[
        list[Path],
        typer.Argument(help="samples (Parquet, or the folder of its parts), or game, beta and questions (JSON)"),
    ],
    game: GameOption = None,
    beta: BetaOption = None,
    shrinkage: ShrinkageOption = None,
    power: PowerOption = None,
    borrow: BorrowOption = None,
    model: Annotated[
        str | None,
        typer.Option("--model", help="of samples: the model that was sampled; views borrow by its likelihoods"),
    ] = None,
    config: ConfigOption = None,
    set_: Settings = None,
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
    from alft.reporting.terminal import solution_table
    from alft.tabular.show import equilibrium_table
    from alft.verbs.solve import Equilibria, GameChoice, SolveFiles
    from alft.verbs.solve import solve as run

    choice, files = GameChoice(game, beta, shrinkage, power, borrow), SolveFiles(output, summary, plot)
    found = run(problem, choice, files, model=model, config=config, overrides=set_ or [])
    next_step = ""
    if isinstance(found, Equilibria):
        Console().print(equilibrium_table(found.problem, found.solved))
    else:
        Console().print(solution_table(found.summary()))
        most = found.outlook.helped.mean() >= MOST_HELPED
        remedy = "make more of the completions readable first (above), and sample again"
        next_step = f"\nnext:    {f'alft distill {output} -o DIRECTORY' if most else remedy}"
    if output is not None:
        print_plain(f"written: {output}{next_step}")
