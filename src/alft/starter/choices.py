"""Questions that are answered at once: numbers of which many are right, and loans asked for in two towns.

For the games that arithmetic can't show. A number question ("a number from 20 to 41 that is a multiple of 3")
has several right answers: correctness training settles on one, diversity keeps them. Some of them hold
the digit 4, which a constraint can keep rare. A loan question has one right answer (grant it if income exceeds
debt), as often yes in one town as in the other; the corpus is lenient in one town and harsh in the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from alft.questions import Question, View
from alft.starter.problems import NAMES, is_held_out

UNLUCKY = "4"
TOWNS = ("Northtown", "Southtown")
FEWEST_VALID = 3


@dataclass(frozen=True)
class NumberChoice:
    """Name a number from `low` to `high` that is a multiple of `divisor`."""

    low: int
    high: int
    divisor: int

    @property
    def valid(self) -> tuple[int, ...]:
        """Every right answer, the smallest first.

        >>> NumberChoice(20, 32, 5).valid
        (20, 25, 30)
        """
        first = -(-self.low // self.divisor) * self.divisor
        return tuple(range(first, self.high + 1, self.divisor))

    @property
    def held_out(self) -> bool:
        """Whether it belongs to the held-out tenth."""
        return is_held_out(self.low, self.high, self.divisor)


@dataclass(frozen=True)
class Loan:
    """`name` of `town` asks for a loan, with an `income` and a `debt`."""

    name: str
    town: str
    income: int
    debt: int

    @property
    def answer(self) -> str:
        """The right decision: yes if income exceeds debt, else no."""
        return "yes" if self.income > self.debt else "no"

    @property
    def held_out(self) -> bool:
        """Whether its numbers belong to the held-out tenth; name and town play no part."""
        return is_held_out(self.income, self.debt)


NUMBER_WORDINGS: Mapping[str, Callable[[NumberChoice], str]] = MappingProxyType(
    {
        "name": lambda c: f"Name a number from {c.low} to {c.high} that is a multiple of {c.divisor}.",
        "which": lambda c: f"Which number between {c.low} and {c.high} can be divided by {c.divisor}?",
    }
)
LOAN_WORDINGS: Mapping[str, Callable[[Loan], str]] = MappingProxyType(
    {
        "letter": lambda a: f"{a.name} from {a.town} earns {a.income} and owes {a.debt}. Grant the loan?",
        "form": lambda a: f"Loan form: {a.town}, {a.name}, income {a.income}, debt {a.debt}. Yes or no?",
    }
)


def draw_number(rng: np.random.Generator) -> NumberChoice:
    """A random number question with several right answers, at least two of them without the digit 4."""
    while True:
        low = int(rng.integers(10, 80))
        choice = NumberChoice(low, min(low + int(rng.integers(15, 31)), 99), int(rng.integers(2, 10)))
        lucky = [number for number in choice.valid if UNLUCKY not in str(number)]
        if len(choice.valid) >= FEWEST_VALID and len(lucky) >= 2:
            return choice


def draw_loan(rng: np.random.Generator) -> Loan:
    """A random request, as likely to be granted as not."""
    debt, income = sorted(rng.choice(np.arange(10, 100), size=2, replace=False).tolist())
    if rng.random() < 0.5:
        debt, income = income, debt
    return Loan(NAMES[rng.integers(len(NAMES))], TOWNS[rng.integers(len(TOWNS))], income, debt)


def number_questions(count: int, *, held_out: bool, seed: int = 0) -> list[Question]:
    """`count` number questions of two views; each valid number is a gold answer."""
    rng = np.random.default_rng([seed, int(held_out), 1])
    found: dict[NumberChoice, None] = {}
    while len(found) < count:
        choice = draw_number(rng)
        if choice.held_out == held_out:
            found[choice] = None
    return [_number_question(choice) for choice in found]


def loan_questions(count: int, *, held_out: bool, seed: int = 0) -> list[Question]:
    """`count` loan questions of two views; every request is made in both towns, so their gold rates are equal."""
    rng = np.random.default_rng([seed, int(held_out), 2])
    found: dict[tuple[int, int], Loan] = {}
    while len(found) < -(-count // 2):
        loan = draw_loan(rng)
        if loan.held_out == held_out:
            found.setdefault((loan.income, loan.debt), loan)
    twice = [_loan_question(loan, town) for loan in found.values() for town in TOWNS]
    return twice[:count]


def _number_question(choice: NumberChoice) -> Question:
    views = tuple(View(ask(choice), name) for name, ask in NUMBER_WORDINGS.items())
    first, *others = map(str, choice.valid)
    label = f"{choice.low}-{choice.high}/{choice.divisor}"
    return Question(label, views, first, aliases=tuple(others))


def _loan_question(loan: Loan, town: str) -> Question:
    told = Loan(loan.name, town, loan.income, loan.debt)
    views = tuple(View(tell(told), name) for name, tell in LOAN_WORDINGS.items())
    return Question(f"{town}-{loan.income}-{loan.debt}", views, told.answer, group=town)
