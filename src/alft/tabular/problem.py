"""A game with its β on questions that may differ in views and answers, solved question by question (`alft solve`).

Reading such a problem from a file is `alft.offline.problem`'s business: here are numbers only.
"""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from alft import simplex
from alft.errors import DataError, Problem
from alft.games import Facts, Game, Moments, Sum
from alft.simplex import Array
from alft.tabular.certificate import warn_of_gaps
from alft.tabular.constrained import solve_constrained
from alft.tabular.solver import Equilibrium, solve


@dataclass(frozen=True)
class TabularQuestion:
    """One question: `reference` (view, answer), `facts` such as gold answers, view `weights`, `limits`, if any."""

    id: str
    answers: tuple[str, ...]
    reference: Array
    facts: Facts
    weights: Array | None = None
    limits: Moments | None = None


@dataclass(frozen=True)
class TabularProblem:
    """A game with its β on questions that may differ in views and answers."""

    game: Game
    beta: float
    questions: tuple[TabularQuestion, ...]

    def sharpened(self, power: float) -> Self:
        """The same problem against the reference ν_0^power/Z (theory.md 2.4); DataError for another power.

        The facts of its questions stay those of ν_0.
        """
        if not 1 <= power <= simplex.LARGEST_POWER:
            what = f"must be a number from 1 to {simplex.LARGEST_POWER:g}, not {power}"
            raise DataError(Problem("--power", what))
        questions = (replace(one, reference=simplex.sharpened(one.reference, power)) for one in self.questions)
        return replace(self, game=self.game.sharpened(power), questions=tuple(questions))


@dataclass(frozen=True)
class Solved:
    """The `equilibrium` of a question, the `game` that was played, and the multipliers λ of its limits, if any."""

    equilibrium: Equilibrium
    game: Game
    multipliers: Array | None = None


def solve_problem(problem: TabularProblem, source: str = "") -> list[Solved]:
    """The equilibrium of every question, with its history. Raises DataError with every question that has none.

    A GapWarning names those whose equilibrium was not found. `source` is the file that messages name.
    """
    solved, problems, place = [], [], f"{source}: " if source else ""
    for question in problem.questions:
        try:
            solved.append(_solve(problem, question))
        except (ValueError, ArithmeticError) as error:
            excluded = "every view" in str(error) or "−∞" in str(error)
            remedy = "give counts, which are smoothed" if excluded else ""
            problems.append(Problem(f"{place}question {question.id}", str(error), remedy))
    if problems:
        raise DataError(problems)
    gaps = np.array([float(found.equilibrium.gap) for found in solved])
    warn_of_gaps([question.id for question in problem.questions], gaps, place + type(problem.game).__name__)
    return solved


def _solve(problem: TabularProblem, question: TabularQuestion) -> Solved:
    """Under limits: the equilibrium of the game less λ·costs, whose history and gap are those at the last λ."""
    game, multipliers = problem.game.given(question.facts.seen_by(problem.game)), None
    if question.limits is not None:
        multipliers = solve_constrained(game, question.limits, question.reference, problem.beta).multipliers
        game = Sum((1.0, game), (1.0, question.limits.game(multipliers)))
    found = solve(game, question.reference, problem.beta, weights=question.weights, history=True)
    return Solved(found, game, multipliers)
