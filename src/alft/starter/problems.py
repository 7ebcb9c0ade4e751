"""Arithmetic word problems in four wordings, and how the starter's corpus answers them.

A problem is a start and two to four gains and losses; each wording is one view of the question. The corpus
solves them step by step, with random slips in every wording, and with two misreadings that depend on the
wording, as texts in the wild have habits of their own: in the wording "game" a loss is often read as a
gain, in the wording "stock" an increase is often read as a decrease.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from alft.questions import Question, View

NAMES = (
    "Anna", "Ben", "Carla", "David", "Emma", "Felix", "Greta", "Hugo",
    "Ida", "Jonas", "Kira", "Leo", "Mara", "Nils", "Olga", "Paul",
)  # fmt: skip
ITEMS = ("apples", "coins", "shells", "stamps", "books", "marbles", "cards", "pens")
LARGEST = 49
SLIPS = (-10, -2, -1, 1, 2, 10)
HELD_OUT_SHARE = 0.1


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
        digest = hashlib.sha256(repr((self.start, self.steps)).encode()).digest()
        return digest[0] < HELD_OUT_SHARE * 256


@dataclass(frozen=True)
class Habits:
    """How the corpus errs: the chance of a slip in each step, and by wording the chance that it is misread.

    A text that misreads its problem misreads all of it. One wording is misread in nearly half of its texts,
    so that the truth is still the commonest answer there; the other in two of three, so that it is not.
    """

    slip: float = 0.08
    misread: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({"game": 0.45, "stock": 0.65}))


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


def _told(problem: Problem, gain: str, loss: str) -> str:
    return ", ".join(f"{gain if step > 0 else loss} {abs(step)}" for step in problem.steps)


def _plain(problem: Problem) -> str:
    return f"Start with {problem.start}, {_told(problem, 'add', 'subtract')}. What is the result?"


def _story(problem: Problem) -> str:
    told = _told(problem, "buys", "sells")
    return f"{problem.name} has {problem.start} {problem.item}, {told}. How many {problem.item} now?"


def _game(problem: Problem) -> str:
    told = _told(problem, "won", "lost")
    return f"{problem.name} had {problem.start} {problem.item}, {told}. How many at the end?"


def _stock(problem: Problem) -> str:
    told = _told(problem, "increase of", "decrease of")
    return f"Stock of {problem.item}: {problem.start}, {told}. What is it now?"


WORDINGS: Mapping[str, Callable[[Problem], str]] = MappingProxyType(
    {"plain": _plain, "story": _story, "game": _game, "stock": _stock}
)
"""The four views, by name, each telling the same problem."""


def _lost_plain(problem: Problem) -> str:
    return f"Start with {problem.start}, {_told(problem, 'won', 'lost')}. What is the result?"


def _lost_story(problem: Problem) -> str:
    told = _told(problem, "buys", "lost")
    return f"{problem.name} has {problem.start} {problem.item}, {told}. How many {problem.item} now?"


def _lost_now(problem: Problem) -> str:
    told = _told(problem, "won", "lost")
    return f"{problem.name} had {problem.start} {problem.item}, {told}. How many {problem.item} now?"


def _lost_end(problem: Problem) -> str:
    told = _told(problem, "buys", "lost")
    return f"{problem.name} had {problem.start} {problem.item}, {told}. How many at the end?"


SHARING: Mapping[str, Callable[[Problem], str]] = MappingProxyType(
    {"plain": _plain, "lost": _lost_plain, "story": _lost_story, "now": _lost_now, "end": _lost_end}
)
"""Five views of which four share a mistake: the corpus holds none of the four, and "lost" is misread in all."""


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


def questions(
    count: int, *, held_out: bool, seed: int = 0, wordings: Mapping[str, Callable[[Problem], str]] = WORDINGS
) -> list[Question]:
    """`count` problems of distinct numbers as questions with a view a wording, in an order that the seed decides.

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
    """The same problems in the wordings of `SHARING`, most of which share a mistake."""
    return questions(count, held_out=held_out, seed=seed, wordings=SHARING)


def _question(problem: Problem, wordings: Mapping[str, Callable[[Problem], str]]) -> Question:
    views = tuple(View(text=tell(problem), name=wording) for wording, tell in wordings.items())
    label = f"{problem.start}{''.join(f'{step:+d}' for step in problem.steps)}"
    return Question(id=label, views=views, answer=str(problem.answer))
