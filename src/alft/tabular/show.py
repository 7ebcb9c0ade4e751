"""How an equilibrium is shown: a table for the terminal, JSON, a plot of the dynamics."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from rich.table import Table
from rich.text import Text

from alft.games import Facts
from alft.tabular.dynamics import mirror_ascent, no_regret
from alft.tabular.problem import TabularProblem
from alft.tabular.solver import Equilibrium

MOST_ROWS = 60
ROUNDS = 100


def equilibrium_table(problem: TabularProblem, found: list[Equilibrium]) -> Table:
    """Each answer's probability by view, before → after, and the certificate of its question."""
    table = Table(title=f"equilibrium at β = {problem.beta:g}, largest gap {_largest_gap(found):.1e}")
    for column in ("question", "answer", "by view, reference → equilibrium", "mean", "gap"):
        table.add_column(column, justify="right" if column in ("mean", "gap") else "left")
    rows = 0
    for question, solution in zip(problem.questions, found, strict=True):
        for i in np.argsort(-solution.nu.mean(axis=0), kind="stable"):
            rows += 1
            if rows > MOST_ROWS:
                table.caption = f"the first {MOST_ROWS} rows; --output writes all"
                return table
            moves = "  ".join(
                f"{before:.3f} → {after:.3f}"
                for before, after in zip(question.reference[:, i], solution.nu[:, i], strict=True)
            )
            mean = f"{solution.nu[:, i].mean():.3f}"
            table.add_row(Text(question.id), Text(question.answers[i]), moves, mean, f"{solution.gap:.1e}")
    return table


def to_json(problem: TabularProblem, found: list[Equilibrium]) -> str:
    """Equilibria as JSON: marginals by view, the weights ν*/ν_0 of an answer, objective, value, gap."""
    rows = []
    for question, solution in zip(problem.questions, found, strict=True):
        weight = np.divide(
            solution.nu, question.reference, out=np.zeros_like(solution.nu), where=question.reference > 0
        )
        rows.append(
            {
                "id": question.id,
                "answers": list(question.answers),
                "reference": question.reference.tolist(),
                "equilibrium": solution.nu.tolist(),
                "weights": weight.tolist(),
                "objective": float(solution.objective),
                "value": float(solution.value),
                "gap": float(solution.gap),
                "iterations": int(solution.iterations),
            }
        )
    return json.dumps({"beta": problem.beta, "questions": rows}, indent=2, ensure_ascii=False, allow_nan=False)


def plot_dynamics(problem: TabularProblem, path: Path) -> None:
    """The largest gap over questions against rounds, for mirror ascent, no-regret play and the solver."""
    from matplotlib.figure import Figure

    found = {"mirror ascent": [], "no-regret play": []}
    for question in problem.questions:
        game = problem.game.given(Facts(gold=question.gold, reference=question.reference))
        for name, play in (("mirror ascent", mirror_ascent), ("no-regret play", no_regret)):
            found[name].append(play(game, question.reference, problem.beta, rounds=ROUNDS).gaps)
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.add_subplot()
    for name, gaps in found.items():
        axes.semilogy(np.maximum(np.max(gaps, axis=0), 1e-17), label=name)
    axes.set(xlabel="round", ylabel="gap: upper bound of J* − J(ν)", title=f"β = {problem.beta:g}")
    axes.legend()
    axes.grid(alpha=0.3)
    figure.savefig(path)


def _largest_gap(found: list[Equilibrium]) -> float:
    return max(float(solution.gap) for solution in found)
