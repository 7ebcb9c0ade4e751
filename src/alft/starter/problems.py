"""Arithmetic word problems, each asked in four views: a start and two to four gains and losses.

The starter was trained to misread two of the views: in "game" a loss is often read as a gain, in "stock" an
increase as a decrease (`benchmarks/starter/corpus.py`).
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
