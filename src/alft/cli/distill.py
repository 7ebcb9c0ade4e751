"""`alft distill`: weighted fine-tuning on solved completions, or their export for any other trainer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from alft.cli.options import ConfigOption, Settings, print_plain
from alft.cli.solve import BetaOption, BorrowOption, GameOption, PowerOption, ShrinkageOption
from alft.errors import ConfigError, Problem


def distill(
    samples: Annotated[
        Path | None, typer.Argument(help="weighted samples of `alft solve -o`, or samples. Default: made first")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="directory for model/, with its card")
    ] = None,
    game: GameOption = None,
    beta: BetaOption = None,
    shrinkage: ShrinkageOption = None,
    power: PowerOption = None,
    borrow: BorrowOption = None,
    model: Annotated[
        str | None, typer.Option("--model", help="model to train. Default: the model that was sampled")
    ] = None,
    lr: Annotated[
        float | None,
        typer.Option("--lr", help="learning rate. Default: 2e-5; 2e-4 with LoRA, 5e-4 for the starter"),
    ] = None,
    epochs: Annotated[float, typer.Option("--epochs", help="passes over the completions")] = 1.0,
    batch: Annotated[int, typer.Option("--batch", help="completions in an optimizer step")] = 64,
    max_length: Annotated[
        int | None, typer.Option("--max-length", help="leave out longer ones (tokens of prompt and completion)")
    ] = None,
    bf16: Annotated[bool, typer.Option("--bf16", help="compute in bfloat16; the weights stay float32")] = False,
    lora_rank: Annotated[int | None, typer.Option("--lora-rank", help="train an adapter, and merge it")] = None,
    seed: Annotated[int, typer.Option(min=0, help="of the order, and of resampling")] = 0,
    rounds: Annotated[int, typer.Option(help="how many times to sample, solve and distill", min=1)] = 1,
    config: ConfigOption = None,
    set_: Settings = None,
    per_view: Annotated[int, typer.Option("--samples", "-n", help="made first: completions per view", min=1)] = 16,
    export: Annotated[
        Path | None, typer.Option("--export", help="write a plain SFT set (JSONL) instead of training")
    ] = None,
    form: Annotated[
        Literal["conversational", "prompt_completion"] | None,
        typer.Option("--form", help="of the export. Default: that of the prompts"),
    ] = None,
    weights: Annotated[
        bool, typer.Option("--weights", help="export each completion once, with a column weight")
    ] = False,
    rows: Annotated[int | None, typer.Option(help="of the export: about how many", min=1)] = None,
) -> None:
    """Fine-tune on weighted completions, in one or several rounds; or export them for any trainer."""
    from alft.offline.export import Export
    from alft.verbs.distill import Distilling
    from alft.verbs.distill import distill as run
    from alft.verbs.solve import GameChoice

    training = {"learning_rate": lr, "lora_rank": lora_rank, "max_length": max_length}
    problems = [
        *_apart({"--form": form, "--weights": weights or None, "--rows": rows}, export is None, "is for --export"),
        *_apart(
            {"--model": model, **training}, export is not None, "is for training, and --export trains nothing"
        ),
        *_apart({"--rows": rows}, weights, "and --weights: each completion is written once then"),
    ]
    place = output or export
    if place is None or (output is not None and export is not None):
        what = "one of them is needed: a directory for a model, or a file for other trainers"
        raise ConfigError([*problems, Problem("--output, --export", what)])
    if export is not None and (samples is None or rounds > 1):
        problems.append(Problem("--export", "needs a file of samples, and one round"))
    if problems:
        raise ConfigError(problems)
    choice = GameChoice(game, beta, shrinkage, power, borrow)
    trained = Distilling(model, lr, epochs, batch, max_length, bf16, lora_rank, seed, rounds, per_view)
    how = trained if export is None else Export(form, rows, weights, seed)
    made = run(samples, place, how, choice, config=config, overrides=set_ or [])
    if made.rows is None:
        print_plain(f"model:   {made.path}\ncompare: {made.compare}")
    else:
        print_plain(f"{made.rows:,} rows: {made.path}")


def _apart(options: Mapping[str, Any], wrong: bool, why: str) -> Iterator[Problem]:
    """Each option that was given although that is `wrong`."""
    yield from (Problem(name, why) for name, value in options.items() if wrong and value is not None)
