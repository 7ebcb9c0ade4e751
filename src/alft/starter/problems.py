"""The built-in questions. Arithmetic word problems in four views: a start and two to four gains and losses.

The starter was trained to misread two of the views: in "game" a loss is often read as a gain, in "stock" an
increase as a decrease (`benchmarks/starter/corpus.py`).

Questions that are answered at once, for the games that arithmetic can't show: numbers of which many are right, and
loans asked for in two towns. A number question ("a number from 20 to 41 that is a multiple of 3") has several
right answers: correctness training settles on one, diversity keeps them. Some of them hold the digit 4, which a
constraint can keep rare. A loan question has one right answer (grant it if income exceeds debt), as often yes in
one town as in the other; the corpus is lenient in one town and harsh in the other.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

from alft.questions import Question, View

NAMES = (
    "Anna", "Ben", "Carla", "David", "Emma", "Felix", "Greta", "Hugo",
    "Ida", "Jonas", "Kira", "Leo", "Mara", "Nils", "Olga", "Paul",
)  # fmt: skip
ITEMS = ("apples", "coins", "shells", "stamps", "books", "marbles", "cards", "pens")
LARGEST = 49
HELD_OUT_SHARE = 0.1
UNLUCKY = "4"
TOWNS = ("Northtown", "Southtown")
FEWEST_VALID = 3


class Drawn:
    """What a question asks, drawn at random; a tenth, chosen by the hash of its numbers, is held out."""

    @property
    def numbers(self) -> tuple[Any, ...]:
        """All but names, items and towns."""
        return tuple(value for value in vars(self).values() if not isinstance(value, str))

    @property
    def held_out(self) -> bool:
        """Whether the numbers belong to the held-out tenth."""
        return hashlib.sha256(repr(self.numbers).encode()).digest()[0] < HELD_OUT_SHARE * 256


@dataclass(frozen=True)
class Problem(Drawn):
    """`start`, then signed `steps`; nobody ever has less than 1 or more than 49."""

    name: str
    item: str
    start: int
    steps: tuple[int, ...]

    @property
    def answer(self) -> int:
        """What is left in the end."""
        return self.start + sum(self.steps)


@dataclass(frozen=True)
class NumberChoice(Drawn):
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


@dataclass(frozen=True)
class Loan(Drawn):
    """`name` of `town` asks for a loan, with an `income` and a `debt`."""

    name: str
    town: str
    income: int
    debt: int

    @property
    def answer(self) -> str:
        """The right decision: yes if income exceeds debt, else no."""
        return "yes" if self.income > self.debt else "no"


def draw(rng: np.random.Generator, steps: int | None = None) -> Problem:
    """A random problem, of two to four steps unless given how many."""
    start = total = int(rng.integers(10, 31))
    wanted = int(rng.integers(2, 5)) if steps is None else steps
    taken: list[int] = []
    for amount in rng.integers(1, 10, size=wanted).tolist():
        gain = bool(rng.random() < 0.5)
        gain = total + amount <= LARGEST if gain else total - amount < 1
        taken.append(amount if gain else -amount)
        total += taken[-1]
    name, item = NAMES[rng.integers(len(NAMES))], ITEMS[rng.integers(len(ITEMS))]
    return Problem(name, item, start, tuple(taken))


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


def _told(template: str, gain: str, loss: str) -> Callable[[Problem], str]:
    """How a view asks a problem: a template with the steps as `{moves}`, by the verbs for a gain and a loss."""

    def tell(problem: Problem) -> str:
        moves = ", ".join(f"{gain if step > 0 else loss} {abs(step)}" for step in problem.steps)
        return template.format(**vars(problem), moves=moves)

    return tell


_START = "Start with {start}, {moves}. What is the result?"
_HAS_NOW = "{name} has {start} {item}, {moves}. How many {item} now?"
_HAD_NOW = "{name} had {start} {item}, {moves}. How many {item} now?"
_HAD_END = "{name} had {start} {item}, {moves}. How many at the end?"
WORDINGS: Mapping[str, Callable[[Problem], str]] = {
    "plain": _told(_START, "add", "subtract"),
    "story": _told(_HAS_NOW, "buys", "sells"),
    "game": _told(_HAD_END, "won", "lost"),
    "stock": _told("Stock of {item}: {start}, {moves}. What is it now?", "increase of", "decrease of"),
}
"""The four views, by name, each telling the same problem."""
SHARING: Mapping[str, Callable[[Problem], str]] = {
    "plain": WORDINGS["plain"],
    "lost": _told(_START, "won", "lost"),
    "story": _told(_HAS_NOW, "buys", "lost"),
    "now": _told(_HAD_NOW, "won", "lost"),
    "end": _told(_HAD_END, "buys", "lost"),
}
"""Five views of which four share a mistake: the corpus holds none of the four, and "lost" is misread in all."""
NUMBER_WORDINGS: Mapping[str, Callable[[NumberChoice], str]] = {
    "name": lambda c: f"Name a number from {c.low} to {c.high} that is a multiple of {c.divisor}.",
    "which": lambda c: f"Which number between {c.low} and {c.high} can be divided by {c.divisor}?",
}
LOAN_WORDINGS: Mapping[str, Callable[[Loan], str]] = {
    "letter": lambda a: f"{a.name} from {a.town} earns {a.income} and owes {a.debt}. Grant the loan?",
    "form": lambda a: f"Loan form: {a.town}, {a.name}, income {a.income}, debt {a.debt}. Yes or no?",
}

T = TypeVar("T", bound=Drawn)


def _distinct(draw: Callable[[np.random.Generator], T], count: int, held_out: bool, *seeds: int) -> list[T]:
    """`count` draws of different numbers, which training and held-out questions never share."""
    rng = np.random.default_rng([seeds[0], int(held_out), *seeds[1:]])
    found: dict[tuple[Any, ...], T] = {}
    while len(found) < count:
        drawn = draw(rng)
        if drawn.held_out == held_out:
            found.setdefault(drawn.numbers, drawn)
    return list(found.values())


def _views(asked: T, wordings: Mapping[str, Callable[[T], str]]) -> tuple[View, ...]:
    return tuple(View(tell(asked), name) for name, tell in wordings.items())


def questions(
    count: int, *, held_out: bool, seed: int = 0, wordings: Mapping[str, Callable[[Problem], str]] = WORDINGS
) -> list[Question]:
    """`count` problems of distinct numbers as questions, in an order that the seed decides.

    Training and held-out questions share no numbers, whatever the seeds.
    """
    made: list[Question] = []
    for problem in _distinct(draw, count, held_out, seed):
        label = f"{problem.start}{''.join(f'{step:+d}' for step in problem.steps)}"
        made.append(Question(label, _views(problem, wordings), str(problem.answer)))
    return made


def number_questions(count: int, *, held_out: bool, seed: int = 0) -> list[Question]:
    """`count` number questions of two views; each valid number is a gold answer."""
    made: list[Question] = []
    for choice in _distinct(draw_number, count, held_out, seed, 1):
        first, *others = map(str, choice.valid)
        label = f"{choice.low}-{choice.high}/{choice.divisor}"
        made.append(Question(label, _views(choice, NUMBER_WORDINGS), first, aliases=tuple(others)))
    return made


def loan_questions(count: int, *, held_out: bool, seed: int = 0) -> list[Question]:
    """`count` loan questions of two views; every request is made in both towns, so their gold rates are equal."""
    loans = _distinct(draw_loan, -(-count // 2), held_out, seed, 2)
    return [
        Question(f"{one.town}-{one.income}-{one.debt}", _views(one, LOAN_WORDINGS), one.answer, one.town)
        for one in [replace(loan, town=town) for loan in loans for town in TOWNS][:count]
    ]
