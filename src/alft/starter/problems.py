"""The built-in questions. Arithmetic word problems in four views: a start and two to four gains and losses.

The starter was trained to misread two of the views: in "game" a loss is often read as a gain, in "stock" an
increase as a decrease (`benchmarks/starter/corpus.py`).

Questions that are answered at once, for the games that arithmetic can't show: numbers of which many are right, and
loans asked for in two towns. A number question ("a number from 20 to 41 that is a multiple of 3") has several
right answers: correctness training settles on one, diversity keeps them. Some of them hold the digit 4, which a
constraint can keep rare. A loan question has one right answer (grant it if income exceeds debt), as often yes in
one town as in the other; the corpus is lenient in one town and harsh in the other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from alft.questions import Question, View

NAMES = (
    "Anna", "Ben", "Carla", "David", "Emma", "Felix", "Greta", "Hugo",
    "Ida", "Jonas", "Kira", "Leo", "Mara", "Nils", "Olga", "Paul",
)  # fmt: skip
ITEMS = ("apples", "coins", "shells", "stamps", "books", "marbles", "cards", "pens")
LARGEST = 49
HELD_OUT_SHARE = 0.1


def is_held_out(*numbers: int | tuple[int, ...]) -> bool:
    """Whether these numbers belong to the held-out tenth, chosen by their hash."""
    return hashlib.sha256(repr(numbers).encode()).digest()[0] < HELD_OUT_SHARE * 256


@dataclass(frozen=True)
class Problem:
    """`start`, then signed `steps`; nobody ever has less than 1 or more than 49."""

    name: str
    item: str
    start: int
    steps: tuple[int, ...]

    @property
    def answer(self) -> int:
        """What is left in the end."""
        return self.start + sum(self.steps)

    @property
    def held_out(self) -> bool:
        """Whether the numbers belong to the held-out tenth; names and items play no part."""
        return is_held_out(self.start, self.steps)


def draw(rng: np.random.Generator, steps: int | None = None) -> Problem:
    """A random problem, of two to four steps unless given how many."""
    start = total = int(rng.integers(10, 31))
    wanted = int(rng.integers(2, 5)) if steps is None else steps
    taken: list[int] = []
    for amount in rng.integers(1, 10, size=wanted).tolist():
        gain = bool(rng.random() < 0.5)
        if gain and total + amount > LARGEST:
            gain = False
        elif not gain and total - amount < 1:
            gain = True
        taken.append(amount if gain else -amount)
        total += taken[-1]
    name, item = NAMES[rng.integers(len(NAMES))], ITEMS[rng.integers(len(ITEMS))]
    return Problem(name, item, start, tuple(taken))


def _asked(template: str, gain: str, loss: str) -> Callable[[Problem], str]:
    """How a view asks a problem: a template with the steps as `{moves}`, by the verbs for a gain and a loss."""

    def tell(problem: Problem) -> str:
        moves = ", ".join(f"{gain if step > 0 else loss} {abs(step)}" for step in problem.steps)
        return template.format(**vars(problem), moves=moves)

    return tell


_START = "Start with {start}, {moves}. What is the result?"
_STOCK = "Stock of {item}: {start}, {moves}. What is it now?"
_HAS_NOW = "{name} has {start} {item}, {moves}. How many {item} now?"
_HAD_NOW = "{name} had {start} {item}, {moves}. How many {item} now?"
_HAD_END = "{name} had {start} {item}, {moves}. How many at the end?"
WORDINGS: Mapping[str, Callable[[Problem], str]] = MappingProxyType(
    {
        "plain": _asked(_START, "add", "subtract"),
        "story": _asked(_HAS_NOW, "buys", "sells"),
        "game": _asked(_HAD_END, "won", "lost"),
        "stock": _asked(_STOCK, "increase of", "decrease of"),
    }
)
"""The four views, by name, each telling the same problem."""
SHARING: Mapping[str, Callable[[Problem], str]] = MappingProxyType(
    {
        "plain": WORDINGS["plain"],
        "lost": _asked(_START, "won", "lost"),
        "story": _asked(_HAS_NOW, "buys", "lost"),
        "now": _asked(_HAD_NOW, "won", "lost"),
        "end": _asked(_HAD_END, "buys", "lost"),
    }
)
"""Five views of which four share a mistake: the corpus holds none of the four, and "lost" is misread in all."""


def questions(
    count: int, *, held_out: bool, seed: int = 0, wordings: Mapping[str, Callable[[Problem], str]] = WORDINGS
) -> list[Question]:
    """`count` problems of distinct numbers as questions, in an order that the seed decides.

    Training and held-out questions share no numbers, whatever the seeds.
    """
    rng = np.random.default_rng([seed, int(held_out)])
    found: dict[tuple[int, tuple[int, ...]], Problem] = {}
    while len(found) < count:
        problem = draw(rng)
        if problem.held_out == held_out:
            found.setdefault((problem.start, problem.steps), problem)
    return [_question(problem, wordings) for problem in found.values()]


def shared_questions(count: int, *, held_out: bool, seed: int = 0) -> list[Question]:
    """The same problems in the views of `SHARING`, most of which share a mistake."""
    return questions(count, held_out=held_out, seed=seed, wordings=SHARING)


def _question(problem: Problem, wordings: Mapping[str, Callable[[Problem], str]]) -> Question:
    views = tuple(View(text=tell(problem), name=wording) for wording, tell in wordings.items())
    label = f"{problem.start}{''.join(f'{step:+d}' for step in problem.steps)}"
    return Question(id=label, views=views, answer=str(problem.answer))


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
