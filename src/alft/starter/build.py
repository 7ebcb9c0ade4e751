"""`python -m alft.starter.build --output DIR --seed 0`: make the starter again."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.progress import Progress

from alft.evaluation import EvaluationSettings, evaluate_model
from alft.starter import TRAINING, held_out_questions
from alft.starter.card import Making, write_card
from alft.starter.pretraining import Recipe, pretrain, save


def build(
    output: Annotated[Path, typer.Option(help="directory of the model")],
    seed: Annotated[int, typer.Option(help="seed of corpus and weights")] = 0,
    steps: Annotated[int, typer.Option(help="optimiser steps")] = Recipe.steps,
    threads: Annotated[int, typer.Option(help="CPU threads; another number gives other weights")] = 1,
    questions: Annotated[int, typer.Option(help="held-out questions to measure on")] = 128,
    samples: Annotated[int, typer.Option(help="samples per view to measure with")] = 32,
) -> None:
    """Pretrain the built-in model from nothing, measure it, and write its directory with a model card."""
    torch.set_num_threads(threads)
    recipe = Recipe(seed=seed, steps=steps)
    with Progress() as bar:
        task = bar.add_task("pretraining", total=steps)
        started = time.process_time()
        model, tokenizer = pretrain(
            recipe,
            lambda step, loss: bar.update(task, completed=step, description=f"pretraining, loss {loss:.3f}"),
        )
        making = Making(recipe, model.num_parameters(), threads, (time.process_time() - started) / 60)
        save(model, tokenizer, output)
        task = bar.add_task("measuring", total=1.0)
        settings = EvaluationSettings(samples=samples, max_new_tokens=TRAINING["max_new_tokens"])
        measured = evaluate_model(
            model,
            tokenizer,
            held_out_questions(questions),
            settings,
            progress=lambda share: bar.update(task, completed=share),
        )
    (output / "README.md").write_text(write_card(making, measured.summary()), encoding="utf-8")


if __name__ == "__main__":
    typer.run(build)
