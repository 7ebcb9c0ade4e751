"""`alft distill`: weighted fine-tuning on completions that were solved, or their export for any other trainer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from alft.cli.options import Settings
from alft.cli.solve import BetaOption, BorrowOption, GameOption, PowerOption, ShrinkageOption


def distill(
    samples: Annotated[
        Path | None, typer.Argument(help="weighted samples of `alft solve -o`, or samples; by default made first")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="directory that gets model/, with its card")
    ] = None,
    game: GameOption = None,
    beta: BetaOption = None,
    shrinkage: ShrinkageOption = None,
    power: PowerOption = None,
    borrow: BorrowOption = None,
    model: Annotated[
        str | None, typer.Option("--model", help="what is trained, by default the model that was sampled")
    ] = None,
    lr: Annotated[
        float | None, typer.Option("--lr", help="by default 2e-5, 2e-4 with LoRA, for the starter 5e-4")
    ] = None,
    epochs: Annotated[float, typer.Option("--epochs", help="passes over the completions")] = 1.0,
    batch: Annotated[int, typer.Option("--batch", help="completions in an optimiser step")] = 64,
    max_length: Annotated[
        int | None, typer.Option("--max-length", help="leave out what has more tokens, prompt and completion")
    ] = None,
    bf16: Annotated[bool, typer.Option("--bf16", help="compute in bfloat16; the weights stay float32")] = False,
    lora_rank: Annotated[int | None, typer.Option("--lora-rank", help="train an adapter, and merge it")] = None,
    seed: Annotated[int, typer.Option(min=0, help="of the order, and of resampling")] = 0,
    rounds: Annotated[int, typer.Option(help="sample, solve and distill so often", min=1)] = 1,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="for samples made first: YAML, as for sample")
    ] = None,
    set_: Settings = None,
    per_view: Annotated[int, typer.Option("--samples", "-n", help="made first: completions per view", min=1)] = 16,
    export: Annotated[
        Path | None, typer.Option("--export", help="write a plain SFT set (JSONL) instead of training")
    ] = None,
    form: Annotated[
        Literal["conversational", "prompt_completion"] | None,
        typer.Option("--form", help="of the export, by default as the model was asked"),
    ] = None,
    weights: Annotated[
        bool, typer.Option("--weights", help="export each completion once, with a column weight")
    ] = False,
    rows: Annotated[int | None, typer.Option(help="of the export: about how many", min=1)] = None,
) -> None:
    """Fine-tune on weighted completions, in one or several rounds; or export them for any trainer."""
    from alft.errors import ConfigError, Problem
    from alft.offline.export import Export
    from alft.verbs.distill import Chosen, apart, export_file, sampled, train

    training = {"learning_rate": lr, "lora_rank": lora_rank, "max_length": max_length}
    problems = [
        *apart({"--form": form, "--weights": weights or None, "--rows": rows}, export is None, "is for --export"),
        *apart({"--config": config, "--set": set_}, samples is not None, "is for samples made first"),
        *apart({"--model": model, **training}, export is not None, "is for training, and --export trains nothing"),
        *apart({"--rows": rows}, weights, "and --weights: each completion is written once then"),
    ]
    if (output is None) == (export is None):
        told = "one of them is needed: a directory for a model, or a file for other trainers"
        problems.append(Problem("--output, --export", told))
    if export is not None and (samples is None or rounds > 1):
        problems.append(Problem("--export", "is of a file of samples, and of one round"))
    if problems:
        raise ConfigError(problems)
    chosen = Chosen(game, beta, shrinkage, power, borrow)
    if export is not None and samples is not None:
        export_file(samples, chosen, export, Export(form, rows, weights, seed))
    elif output is not None:
        path = samples or sampled(config, set_ or [], per_view, output)
        asked = {"epochs": epochs, "batch_size": batch, "seed": seed, "bf16": bf16, **training}
        train(path, chosen, (model, asked, rounds), output)
