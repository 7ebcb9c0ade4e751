"""`python -m benchmarks.starter.build --output DIR --seed 0`: make a built-in model again.

8 CPU minutes; with `--which starter:choices` 36.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.progress import Progress

from alft.evaluation import EvaluationSettings, evaluate_model
from alft.starter import CHOICES, LOANS, NUMBERS, STARTER, TRAINING, held_out_questions
from benchmarks.starter import card, choices_card
from benchmarks.starter.corpus import ChoiceHabits, corpus
from benchmarks.starter.pretraining import Recipe, pretrain, save

HABITS = ChoiceHabits()
RECIPES = {STARTER: Recipe(), CHOICES: Recipe(steps=4500, batch=128, texts=partial(corpus, habits=HABITS))}
ASKED = {STARTER: (STARTER,), CHOICES: (NUMBERS, LOANS)}
"""The question sets that each model is measured on."""
QUESTIONS = 128  # held-out ones, of each set


def build(
    output: Annotated[Path, typer.Option(help="directory of the model")],
    which: Annotated[str, typer.Option(help=f"one of {', '.join(RECIPES)}")] = STARTER,
    seed: Annotated[int, typer.Option(help="seed of corpus and weights")] = 0,
    steps: Annotated[int | None, typer.Option(help="optimiser steps; by default the model's own")] = None,
    threads: Annotated[int, typer.Option(help="CPU threads; another number gives other weights")] = 1,
    samples: Annotated[int, typer.Option(help="samples per view to measure with")] = 32,
) -> None:
    """Pretrain a built-in model from nothing, measure it, and write its directory with a model card."""
    torch.set_num_threads(threads)
    recipe = replace(RECIPES[which], seed=seed, steps=RECIPES[which].steps if steps is None else steps)
    with Progress() as bar:
        task = bar.add_task("pretraining", total=recipe.steps)
        started = time.process_time()
        model, tokenizer = pretrain(
            recipe,
            lambda step, loss: bar.update(task, completed=step, description=f"pretraining, loss {loss:.3f}"),
        )
        making = card.Making(recipe, model.num_parameters(), threads, (time.process_time() - started) / 60)
        save(model, tokenizer, output)
        settings = EvaluationSettings(samples=samples, max_new_tokens=TRAINING[which]["max_new_tokens"])
        measured: dict[str, Mapping[str, Any]] = {}
        for name in ASKED[which]:
            task = bar.add_task(f"measuring {name}", total=1.0)
            show = partial(_show, bar, task)
            asked = held_out_questions(QUESTIONS, name)
            measured[name] = evaluate_model(model, tokenizer, asked, settings, progress=show).summary()
    written = card.write_card(making, measured[STARTER]) if which == STARTER else _choices(making, measured)
    (output / "README.md").write_text(written, encoding="utf-8")


def _choices(making: card.Making, measured: Mapping[str, Mapping[str, Any]]) -> str:
    return choices_card.write_card(making, measured, HABITS)


def _show(bar: Progress, task: Any, share: float) -> None:
    bar.update(task, completed=share)


if __name__ == "__main__":
    typer.run(build)
