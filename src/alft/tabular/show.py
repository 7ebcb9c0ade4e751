"""How an equilibrium is shown: a table for the terminal, JSON, a plot of the dynamics."""

import json
from pathlib import Path

import numpy as np
from rich.table import Table
from rich.text import Text

from alft.simplex import Array
from alft.tabular.dynamics import mirror_ascent, no_regret
from alft.tabular.problem import Solved, TabularProblem

MOST_ROWS = 60
ROUNDS = 100


def equilibrium_table(problem: TabularProblem, found: list[Solved]) -> Table:
    """Each answer's probability by view, before → after, and the certificate of its question."""
    gap = max(float(solved.equilibrium.gap) for solved in found)
    table = Table(title=f"equilibrium at β = {problem.beta:g}, largest gap {gap:.1e}")
    for column in ("question", "answer", "by view, reference → equilibrium", "mean", "gap"):
        table.add_column(column, justify="right" if column in ("mean", "gap") else "left")
    rows = 0
    for question, solved in zip(problem.questions, found, strict=True):
        solution = solved.equilibrium
        for i in np.argsort(-solution.nu.mean(axis=0), kind="stable"):
            rows += 1
            if rows > MOST_ROWS:
                table.caption = f"the first {MOST_ROWS} rows; --output writes all"
                return table
            by_view = zip(question.reference[:, i], solution.nu[:, i], strict=True)
            moves = "  ".join(f"{before:.3f} → {after:.3f}" for before, after in by_view)
            mean = f"{solution.nu[:, i].mean():.3f}"
            table.add_row(Text(question.id), Text(question.answers[i]), moves, mean, f"{solution.gap:.1e}")
    return table


def to_json(problem: TabularProblem, found: list[Solved]) -> str:
    """Equilibria as JSON: marginals by view, the weights ν*/ν_0 of an answer, objective, value, gap."""
    rows = []
    for question, solved in zip(problem.questions, found, strict=True):
        solution, reference = solved.equilibrium, question.reference
        weight = np.divide(solution.nu, reference, out=np.zeros_like(solution.nu), where=reference > 0)
        rows.append(
            {
                "id": question.id,
                "answers": list(question.answers),
                "reference": reference.tolist(),
                "equilibrium": solution.nu.tolist(),
                "weights": weight.tolist(),
                "objective": float(solution.objective),
                "value": float(solution.value),
                "gap": float(solution.gap),
                "iterations": int(solution.iterations),
                **({} if solved.multipliers is None else {"multipliers": solved.multipliers.tolist()}),
            }
        )
    return json.dumps({"beta": problem.beta, "questions": rows}, indent=2, ensure_ascii=False, allow_nan=False)


def gaps_by_round(problem: TabularProblem, found: list[Solved]) -> dict[str, Array]:
    """The largest gap over questions after each round: of mirror ascent, no-regret play and the solver's steps."""
    curves: dict[str, list[Array]] = {"mirror ascent": [], "no-regret play": [], "solver": []}
    for question, solved in zip(problem.questions, found, strict=True):
        game, reference, weights = solved.game, question.reference, question.weights
        for name, play in (("mirror ascent", mirror_ascent), ("no-regret play", no_regret)):
            curves[name].append(play(game, reference, problem.beta, weights=weights, rounds=ROUNDS).gaps)
        steps = np.atleast_1d(np.asarray(solved.equilibrium.history))[: ROUNDS + 1]
        curves["solver"].append(np.pad(steps, (0, ROUNDS + 1 - len(steps)), mode="edge"))
    return {name: np.max(gaps, axis=0) for name, gaps in curves.items()}


def plot_dynamics(problem: TabularProblem, found: list[Solved], path: Path) -> None:
    """A picture of `gaps_by_round`."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.add_subplot()
    for name, gaps in gaps_by_round(problem, found).items():
        axes.semilogy(np.maximum(gaps, 1e-17), label=name)
    axes.set(xlabel="round", ylabel="gap: upper bound of J* − J(ν)", title=f"β = {problem.beta:g}")
    axes.legend()
    axes.grid(alpha=0.3)
    figure.savefig(path)
