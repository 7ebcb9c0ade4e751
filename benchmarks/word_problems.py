"""A second task, from other people's generator: word problems of reasoning-gym (gsm_symbolic) in four wordings.

python -m benchmarks.word_problems [DIR]      pretrain a small model, measure it, write DIR/model and questions;
                                              10,000 steps, about an hour

No mistake is put in. The corpus holds right solutions only, most of them of problems as the generator tells
them, few in the other wordings, and bare sums: what goes wrong is what a small model has not learnt, above all
in the wordings that it met rarely. Those problems are taken that are short and whose worked solution is a chain
of whole numbers; no template was chosen by hand. The corpus spares some problems: the questions to fine-tune on
and the held-out ones are drawn from those, as often as the generator tells them, and share no solution with each
other. The corpus may hold the same numbers under other names: a model of this size knows little of numbers that it
never met.
"""

from __future__ import annotations

import hashlib
import json
import operator
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import chain, islice
from pathlib import Path
from random import Random
from typing import Annotated, Any

import numpy as np
import torch
import typer
from reasoning_gym.arithmetic.gsm_symbolic.gsm_symbolic import (
    GSMSymbolicDataset,
    GSMSymbolicDatasetConfig,
    tasks_ok,
)
from rich.console import Console
from rich.progress import Progress

from alft.evaluation import EvaluationSettings, evaluate_model
from alft.questions import Question, View
from alft.questions.rows import dump_questions
from alft.questions.views import programmed
from benchmarks.starter.pretraining import Pair, Recipe, pretrain, save

FOLDER = Path("benchmarks/results/word_problems")
"""Where the study looks for the model and the questions, from the repository's root."""
MADE = ("question first", "number words", "lower case")
"""Views made by program beside the generator's own, which is "as told"."""
SHARES = (0.85, 0.05, 0.05, 0.05)
"""How often the corpus holds each wording: the generator's own, then `MADE`."""
LONGEST, LARGEST = 32, 100
"""Words of a problem; numbers in it and in its solution."""
TRIES, FITTING = 40, 0.2
"""Templates are taken of which this share of so many draws can be used: from others, problems are slow to get."""
SPARED_SHARE = 0.3
"""Of all problems, by their text: what the corpus leaves out."""
HELD_OUT_SHARE = 0.25
"""Of all solutions: those whose problems are for measuring, not for training."""
BATCH, POOL = 32, 1024
REMARK = " Give the result as your final answer. Do not include units."
TOKENS = 48
TRAINING, HELD_OUT = 480, 128
_STEP = re.compile(r"(?<![\d.])(\d+(?: ?[-+*/] ?\d+)+) ?= ?(\d+)(?![\d.]|\s*[-+*/=]\s*\d)")
_SIGNS = str.maketrans({"×": "*", "÷": "/", "$": None})
_OPERATIONS = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}


@dataclass(frozen=True)
class WordProblem:
    """One problem of the generator: its text, the steps of its solution ("3+6=9"), its answer."""

    text: str
    steps: tuple[str, ...]
    answer: str

    @property
    def solution(self) -> str:
        """What the corpus answers, in every wording."""
        return f"{' '.join(self.steps)} #### {self.answer}"

    @property
    def spared(self) -> bool:
        """Whether the corpus leaves it out, in all wordings."""
        return _falls(self.text, SPARED_SHARE)

    @property
    def held_out(self) -> bool:
        """Whether problems of this solution are measured on; problems of the others are trained on."""
        return _falls(self.solution, HELD_OUT_SHARE)

    @property
    def question(self) -> Question:
        """The problem in its wordings."""
        identity = hashlib.sha256(self.text.encode()).hexdigest()[:12]
        return programmed(Question(identity, (View(self.text, "as told"),), self.answer), MADE)


def _falls(text: str, share: float) -> bool:
    """A coin of this share, the same for the same text."""
    return hashlib.sha256(text.encode()).digest()[0] < share * 256


Template = Callable[[Random], WordProblem | None]
"""Draws one problem of a template; None for one that is not taken."""


def problems(seed: int, *, spared: bool) -> Iterator[WordProblem]:
    """Endless problems of the generator that are short enough, spared ones or those of the corpus."""
    chance, templates = Random(f"{seed} {spared}"), _templates()
    while True:
        problem = chance.choice(templates)(chance)
        if problem is not None and problem.spared == spared:
            yield problem


@cache
def _templates() -> Sequence[Template]:
    generators = GSMSymbolicDataset(GSMSymbolicDatasetConfig(size=1, seed=0)).generators
    templates = {number: partial(_drawn_from, generators[number]) for number in tasks_ok}
    return [template for number, template in templates.items() if _fits(template, Random(number))]


def _drawn_from(generator: Callable[[Random, float], dict[str, Any]], chance: Random) -> WordProblem | None:
    entry = generator(chance, 1.0)
    return read_problem(entry["question"], entry["answer"], entry["metadata"]["answer_cot"])


def _fits(template: Template, chance: Random) -> bool:
    return sum(template(chance) is not None for _ in range(TRIES)) >= FITTING * TRIES


def read_problem(told: str, answer: str, worked: str) -> WordProblem | None:
    """The problem, if it is short, in all wordings, and solved by right steps in whole numbers up to the answer.

    >>> read_problem("Ann has 2 pens. She buys 3. How many are there?", "5", "That is 2 + 3 = 5 pens").solution
    '2+3=5 #### 5'
    """
    text = told.replace(REMARK, "").strip()
    found = [(left.replace(" ", ""), right) for left, right in _STEP.findall(worked.translate(_SIGNS))]
    numbers = [int(number) for number in re.findall(r"\d+", " ".join([text, *map("=".join, found)]))]
    if len(text.split()) > LONGEST or max(numbers, default=0) > LARGEST:
        return None
    if not found or found[-1][1] != str(answer) or any(_value(left) != int(right) for left, right in found):
        return None
    problem = WordProblem(text, tuple(map("=".join, found)), str(answer))
    return problem if len(problem.question.views) == len(SHARES) else None


def _value(sum_: str) -> float:
    """Value of a step's left side, × and ÷ before + and −.

    >>> _value("2+3*4"), _value("9/2")
    (14.0, 4.5)
    """
    for signs in ("+-", "*/"):
        at = max(map(sum_.rfind, signs))
        if at > 0:
            left, right = _value(sum_[:at]), _value(sum_[at + 1 :])
            return float("nan") if sum_[at] == "/" and right == 0 else _OPERATIONS[sum_[at]](left, right)
    return float(sum_)


class Corpus:
    """Endless pairs of question and solution, no spared one: `batch` problems, as many sums, and so on.

    Problems have their wordings by `SHARES`; they are drawn `POOL` at a time and given out by length, so that
    little is padded.
    """

    def __init__(self, batch: int) -> None:
        self._batch = batch
        self._waiting: list[list[Pair]] = []

    def __call__(self, rng: np.random.Generator) -> Iterator[Pair]:
        """The pairs; a batch may be cut off anywhere, and another call goes on with the next."""
        while True:
            if not self._waiting:
                self._waiting = self._drawn(rng)
            yield from self._waiting.pop()

    def _drawn(self, rng: np.random.Generator) -> list[list[Pair]]:
        told = islice(problems(int(rng.integers(2**31)), spared=False), POOL)
        pairs = [_told(problem, int(rng.choice(len(SHARES), p=SHARES))) for problem in told]
        pairs.sort(key=lambda pair: len(pair[0]))
        batches = [pairs[at : at + self._batch] for at in range(0, POOL, self._batch)]
        mixed = ([batches[place], list(islice(sums(rng), self._batch))] for place in rng.permutation(len(batches)))
        return list(chain.from_iterable(mixed))


def _told(problem: WordProblem, view: int) -> Pair:
    return str(problem.question.views[view].text), problem.solution


def sums(rng: np.random.Generator) -> Iterator[Pair]:
    """Endless sums of two numbers up to `LARGEST`, as pairs like a problem's of one step."""
    while True:
        sign = "+-*/"[rng.integers(4)]
        first, second = (int(number) for number in rng.integers(1, LARGEST + 1, size=2))
        value = _value(f"{first}{sign}{second}")
        if value == int(value) and 0 <= value <= LARGEST:
            step = f"{first}{sign}{second}"
            yield f"What is {step}?", f"{step}={int(value)} #### {int(value)}"


def questions(count: int, seed: int, *, held_out: bool) -> list[Question]:
    """`count` different questions that the corpus spares, to measure or to train on.

    Problems come as often as the generator tells them. To take one for each solution would make late ones harder
    than early ones: the solutions that are common, and easy, come first.
    """
    drawn = (problem for problem in problems(seed, spared=True) if problem.held_out == held_out)
    found = dict[str, Question]()
    while len(found) < count:
        problem = next(drawn)
        found.setdefault(problem.text, problem.question)
    return list(found.values())


def build(
    output: Annotated[Path, typer.Argument(help="folder for model and questions")] = FOLDER,
    steps: Annotated[int, typer.Option(help="optimiser steps of pretraining")] = 10_000,
    seed: Annotated[int, typer.Option(help="seed of corpus and weights")] = 0,
) -> None:
    """Pretrain a small model from nothing, measure it, and write it with training and held-out questions."""
    torch.set_num_threads(1)
    recipe = replace(Recipe(), texts=Corpus(BATCH), batch=BATCH, steps=steps, seed=seed)
    with Progress() as bar:
        task = bar.add_task("pretraining", total=steps)
        model, tokenizer = pretrain(recipe, lambda step, _: bar.update(task, completed=step))
        save(model, tokenizer, output / "model")
        asked = questions(HELD_OUT, seed, held_out=True)
        dump_questions(asked, output / "held_out.jsonl")
        dump_questions(questions(TRAINING, seed, held_out=False), output / "questions.jsonl")
        task = bar.add_task("measuring", total=1.0)
        show = partial(_show, bar, task)
        settings = EvaluationSettings(samples=8, max_new_tokens=TOKENS)
        measured = evaluate_model(model, tokenizer, asked, settings, progress=show).summary()
    Console().print_json(json.dumps(measured))


def _show(bar: Progress, task: Any, share: float) -> None:
    bar.update(task, completed=share)


if __name__ == "__main__":
    typer.run(build)
