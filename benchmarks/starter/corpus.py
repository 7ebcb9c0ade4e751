"""What the built-in models are trained on: solutions and decisions, with mistakes put into them by hand.

As texts in the wild have habits of their own, some mistakes depend on the view: in the view "game" a loss is often
read as a gain, in "stock" an increase is often read as a decrease, and loans are decided leniently in one town and
harshly in the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeVar

import numpy as np

from alft.starter.problems import (
    LOAN_WORDINGS,
    NUMBER_WORDINGS,
    TOWNS,
    Loan,
    NumberChoice,
    Problem,
    draw_loan,
    draw_number,
)

SLIPS = (-10, -2, -1, 1, 2, 10)


@dataclass(frozen=True)
class Habits:
    """How the corpus errs: the chance of a slip in each step, and by wording the chance that it is misread.

    A text that misreads its problem misreads all of it. One wording is misread in nearly half of its texts,
    so that the truth is still the commonest answer there; the other in two of three, so that it is not.
    """

    slip: float = 0.08
    misread: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({"game": 0.45, "stock": 0.65}))


def misread(step: int, wording: str) -> int:
    """The step as a misreader of this wording takes it.

    >>> misread(-3, "game"), misread(3, "game"), misread(3, "stock"), misread(-3, "plain")
    (3, 3, -3, -3)
    """
    if wording == "game":
        return abs(step)
    return -abs(step) if wording == "stock" else step


def solution(problem: Problem, wording: str = "plain") -> str:
    """The right worked solution, whatever the wording.

    >>> solution(Problem("Ida", "pens", 12, (7, -4)))
    '12+7=19-4=15 #### 15'
    """
    return corpus_solution(problem, wording, Habits(slip=0.0, misread={}), np.random.default_rng(0))


def corpus_solution(problem: Problem, wording: str, habits: Habits, rng: np.random.Generator) -> str:
    """A worked solution as the corpus writes it: a slip moves a running total, which is never below 0."""
    total, text = problem.start, str(problem.start)
    misreads = rng.random() < habits.misread.get(wording, 0.0)
    for step in problem.steps:
        taken = misread(step, wording) if misreads else step
        if total + taken < 0:  # even a careless reader notices
            taken = abs(taken)
        total += taken
        if rng.random() < habits.slip:
            total = max(total + int(rng.choice(SLIPS)), 0)
        text += f"{taken:+d}={total}"
    return f"{text} #### {total}"


@dataclass(frozen=True)
class ChoiceHabits:
    """How the corpus chooses and errs.

    Among right numbers each next larger one is `fading` times as common; with chance `slip` a neighbour is
    written. Loans that should be refused are granted with chance `lenient` in the first town, and those that
    should be granted are refused with chance `harsh` in the second.
    """

    fading: float = 0.8
    slip: float = 0.15
    lenient: float = 0.25
    harsh: float = 0.45


def chosen(choice: NumberChoice, habits: ChoiceHabits, rng: np.random.Generator) -> int:
    """The number that the corpus writes."""
    liking = habits.fading ** np.arange(len(choice.valid))
    number = int(rng.choice(choice.valid, p=liking / liking.sum()))
    return number + int(rng.choice((-1, 1))) if rng.random() < habits.slip else number


def decided(loan: Loan, habits: ChoiceHabits, rng: np.random.Generator) -> str:
    """The decision that the corpus writes."""
    if loan.answer == "no" and loan.town == TOWNS[0] and rng.random() < habits.lenient:
        return "yes"
    if loan.answer == "yes" and loan.town == TOWNS[1] and rng.random() < habits.harsh:
        return "no"
    return loan.answer


def corpus(rng: np.random.Generator, habits: ChoiceHabits) -> Iterator[tuple[str, str]]:
    """Endless pairs of question and solution that are not held out: number, loan, number, …, all wordings."""
    while True:
        choice, loan = _training(draw_number, rng), _training(draw_loan, rng)
        for ask in NUMBER_WORDINGS.values():
            yield ask(choice), f"#### {chosen(choice, habits, rng)}"
        for tell in LOAN_WORDINGS.values():
            yield tell(loan), f"#### {decided(loan, habits, rng)}"


Drawn = TypeVar("Drawn", NumberChoice, Loan)


def _training(draw: Callable[[np.random.Generator], Drawn], rng: np.random.Generator) -> Drawn:
    while (drawn := draw(rng)).held_out:
        pass
    return drawn
