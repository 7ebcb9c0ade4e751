r"""Completions as models write them, for the benchmark of answers: groups that repeat a few answers, by kind.

Numeric as for GSM8K (`####`, `The answer is`, `\boxed{}` in turn), LaTeX as for MATH, free text as for TriviaQA.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Literal, get_args

Kind = Literal["####", "The answer is", "boxed", "LaTeX", "free text"]
KINDS: tuple[Kind, ...] = get_args(Kind)

_NAMES = ("Natalia", "Weng", "Betty", "Julie", "James", "Albert", "Ken", "Alexis")
_THINGS = ("clips", "pages", "letters", "flowers", "boxes", "slices", "marbles", "miles")
_WORDS = (
    "Marie",
    "Curie",
    "Paris",
    "Thames",
    "Saturn",
    "Vienna",
    "Beatles",
    "Amazon",
    "Einstein",
    "Nile",
    "Verdi",
)


def completions(kind: Kind, groups: int, size: int, seed: int) -> list[str]:
    """`groups` × `size` completions; those of one group share five answers, one of which two thirds give."""
    rng = random.Random(f"{seed} {kind}")
    texts: list[str] = []
    for _ in range(groups):
        answers = [_ANSWERS[kind](rng) for _ in range(5)]
        for _ in range(size):
            answer = answers[0] if rng.random() < 2 / 3 else rng.choice(answers)
            texts.append(f"{_working(rng)}\n{_ENDINGS[kind].format(answer)}")
    return texts


def _working(rng: random.Random) -> str:
    """Three to six sentences of arithmetic."""
    lines = []
    for _ in range(rng.randint(3, 6)):
        a, b = rng.randint(2, 99), rng.randint(2, 99)
        lines.append(
            f"{rng.choice(_NAMES)} has {a} {rng.choice(_THINGS)} and gets {b} more each day, so there are "
            f"{a} + {b} = <<{a}+{b}={a + b}>>{a + b} {rng.choice(_THINGS)} in all."
        )
    return "\n".join(lines)


def _number(rng: random.Random) -> str:
    value = rng.randint(1, 99_999)
    return rng.choice((str(value), str(value), f"{value:,}", f"${value}", f"{value}.50"))


def _formula(rng: random.Random) -> str:
    a, b, c = (rng.randint(2, 97) for _ in range(3))
    forms = (
        rf"\frac{{{a}}}{{{b}}}",
        rf"{a}\sqrt{{{b}}}",
        rf"\left({a}, {b}\right)",
        rf"x^{{2}} + {a}x - {b}",
        rf"\frac{{{a} + \sqrt{{{b}}}}}{{{c}}}",
        rf"{a}\pi",
        rf"\{{{a}, {b}, {c}\}}",
        rf"[{a}, {a + b}) \cup ({a + b + c}, \infty)",
        rf"{a}\,\text{{cm}}",
        str(a * b),
    )
    return rng.choice(forms)


def _words(rng: random.Random) -> str:
    return " ".join(rng.sample(_WORDS, rng.randint(1, 3)))


_ANSWERS: dict[Kind, Callable[[random.Random], str]] = {
    "####": _number,
    "The answer is": _number,
    "boxed": _number,
    "LaTeX": _formula,
    "free text": _words,
}
_ENDINGS: dict[Kind, str] = {
    "####": "#### {}",
    "The answer is": "The answer is {}.",
    "boxed": r"So the final result is \boxed{{{}}}.",
    "LaTeX": r"Therefore the value is $\boxed{{{}}}$.",
    "free text": "The answer is {}.",
}
