"""`alft sample`, `show`, `solve` and `distill`: completions in a file, their weights, a model trained on them."""

import shlex
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Literal

from rich.console import Console
from typer import Argument, Option

from alft.cli.options import (
    ConcurrencyOption,
    ConfigArgument,
    ConfigOption,
    EndpointOption,
    ModelOption,
    PlainOption,
    Settings,
    VllmOption,
    print_plain,
    print_problems,
    print_refused,
    print_text,
)
from alft.errors import ConfigError, Problem
from alft.text import counted


def sample(
    output: Annotated[Path, Argument(help="samples file to write (Parquet); with --part, a folder")],
    config: ConfigOption = None,
    set_: Settings = None,
    samples: Annotated[
        int | None,
        Option("--samples", "-n", help="completions per view; default: offline.samples, else 16", min=1),
    ] = None,
    questions: Annotated[int | None, Option(help="only the first N questions", min=1)] = None,
    held_out: Annotated[bool, Option("--held-out", help="the questions that train holds out")] = False,
    seed: Annotated[int, Option(min=0)] = 0,
    part: Annotated[
        str | None, Option(metavar="I/N", help="only part I of N, into a folder that N machines share")
    ] = None,
    endpoint: EndpointOption = None,
    model: ModelOption = None,
    plain: PlainOption = False,
    concurrency: ConcurrencyOption = None,
    vllm: VllmOption = False,
) -> None:
    """Sample completions of every view of every question; run it again to resume after a crash.

    A prompt that a server refuses is in the file with the reason, unread, and listed at the end.
    """
    from alft.verbs.asking import ModelSource
    from alft.verbs.sample import Draw
    from alft.verbs.sample import sample as run

    draw = Draw(samples, questions, held_out, seed, part)
    source = ModelSource(endpoint, model, plain, concurrency, vllm)
    made = run(output, config, set_ or [], draw=draw, source=source)
    print_refused(made.refused)
    if made.unread is not None:
        print_problems("look at", [made.unread])
    print_plain(f"{made.completions:,} completions, {made.share:.1%} unread: {output}")


def show(
    path: ConfigArgument = None,
    config: ConfigOption = None,
    set_: Settings = None,
    sample: Annotated[int, Option("--sample", "-n", help="completions to show", min=1)] = 8,
    seed: Annotated[int, Option(min=0)] = 0,
    endpoint: EndpointOption = None,
    model: ModelOption = None,
    plain: PlainOption = False,
    vllm: VllmOption = False,
) -> None:
    """Look at some completions before anything is trained: the prompt, the text, and how the answer was read."""
    from alft.config.load import one_of
    from alft.verbs.asking import ModelSource
    from alft.verbs.sample import show as run

    source = ModelSource(endpoint, model, plain, vllm=vllm)
    shown = run(one_of(path, config), set_ or [], completions=sample, seed=seed, source=source)
    for number, look in enumerate(shown.looks, start=1):
        one = look.completion
        print_text(f"{number}. {one.question} · {one.view}", "bold")
        for name, text in (("prompt", look.prompt), ("completion", one.text or "")):
            print_text(f"{name}: {text.strip()}")
        print_text(f"{look.reading}\n", "yellow" if one.key is None else "green")
    unread, remedy = shown.readability.cause
    print_plain(f"{unread}: {remedy}" if shown.readability.unread else "every completion was read")


GameOption = Annotated[
    str | None,
    Option(
        help="game to solve, as in a configuration, path.py:MyGame too; default: coherence_geometric for samples, "
        "what the file names for a problem"
    ),
]
BetaOption = Annotated[float | None, Option(help="of samples: weight of the KL, by default 0, the limit")]
ShrinkageOption = Annotated[
    float | None,
    Option(help="of samples: pseudo-completions like the other views', by default 1 if a game compares"),
]
PowerOption = Annotated[
    float | None, Option(help="sharpen the reference to ν₀^POWER: views agree and are sure; default 1")
]
BorrowOption = Annotated[
    bool | None,
    Option(
        help="of samples: train a view on other views' completions for answers that it never gave; default: yes"
    ),
]

MOST_HELPED = 0.5  # share of the questions that a solution must help for training to be the next step


def solve(
    problem: Annotated[
        list[Path],
        Argument(help="samples (Parquet, or the folder of its parts), or game, beta and questions (JSON)"),
    ],
    game: GameOption = None,
    beta: BetaOption = None,
    shrinkage: ShrinkageOption = None,
    power: PowerOption = None,
    borrow: BorrowOption = None,
    model: Annotated[
        str | None, Option(help="of samples: the model that was sampled; views borrow by its likelihoods")
    ] = None,
    config: ConfigOption = None,
    set_: Settings = None,
    output: Annotated[
        Path | None, Option("--output", "-o", help="weighted samples (Parquet) or equilibrium (JSON)")
    ] = None,
    summary: Annotated[Path | None, Option(help="of samples: the summary as JSON")] = None,
    plot: Annotated[Path | None, Option(help="of a problem: picture of the dynamics (PNG, SVG, PDF)")] = None,
) -> None:
    """Solve a game exactly: what the answers become, certified by its gap; of samples also a weight for each.

    A problem is JSON like {"game": "coherence_geometric", "beta": 0.1, "questions": [{"id": "q1", "answers": ["7",
    "8"], "reference": [[0.9, 0.1], [0.4, 0.6]]}]}: a list a view, or "counts" in place of "reference".
    """
    from alft.reporting.terminal import solution_table
    from alft.tabular.show import equilibrium_table
    from alft.verbs.solve import Equilibria, GameChoice, SolveFiles
    from alft.verbs.solve import solve as run

    choice, files = GameChoice(game, beta, shrinkage, power, borrow), SolveFiles(output, summary, plot)
    found = run(problem, choice, files, model=model, config=config, overrides=set_ or [])
    next_step = ""
    if isinstance(found, Equilibria):
        Console().print(equilibrium_table(found.problem, found.solved))
    else:
        solution = found.summary()
        Console().print(solution_table(solution))
        most = found.outlook.helped.mean() >= MOST_HELPED
        remedy = "make more of the completions readable first (above), and sample again"
        if found.settings.only_common:
            remedy = "leave out --no-borrow and --shrinkage 0, so that views borrow each other's completions"
        step = f"alft distill {shlex.quote(str(output))} -o DIRECTORY" if most else remedy
        next_step = "" if solution["not_found"] else f"\nnext:    {step}"
    if output is not None:
        print_plain(f"written: {output}{next_step}")


def distill(
    samples: Annotated[
        Path | None, Argument(help="weighted samples of `alft solve -o`, or samples. Default: made first")
    ] = None,
    output: Annotated[Path | None, Option("--output", "-o", help="directory for model/, with its card")] = None,
    game: GameOption = None,
    beta: BetaOption = None,
    shrinkage: ShrinkageOption = None,
    power: PowerOption = None,
    borrow: BorrowOption = None,
    model: Annotated[str | None, Option(help="model to train. Default: the model that was sampled")] = None,
    learning_rate: Annotated[
        float | None, Option("--lr", help="learning rate. Default: 2e-5; 2e-4 with LoRA, 5e-4 for the starter")
    ] = None,
    epochs: Annotated[float | None, Option(help="passes over the completions. Default: 1")] = None,
    batch_size: Annotated[
        int | None, Option("--batch", help="completions in an optimizer step. Default: 64")
    ] = None,
    max_length: Annotated[
        int | None, Option(help="leave out longer ones (tokens of prompt and completion)")
    ] = None,
    bf16: Annotated[bool, Option("--bf16", help="compute in bfloat16; the weights stay float32")] = False,
    lora_rank: Annotated[int | None, Option(help="train an adapter, and merge it")] = None,
    share_prompts: Annotated[
        bool | None,
        Option(help="completions of a prompt as one sequence. Default: where that at least halves the tokens"),
    ] = None,
    scored: Annotated[
        bool | None,
        Option(
            "--scored/--unscored",
            help="borrow by the sampled model's probability of each completion; one round only. Default: scored",
        ),
    ] = None,
    seed: Annotated[int | None, Option(min=0, help="of the order, and of resampling. Default: 0")] = None,
    rounds: Annotated[int, Option(help="how many times to sample, solve and distill", min=1)] = 1,
    config: ConfigOption = None,
    set_: Settings = None,
    per_view: Annotated[
        int | None, Option("--samples", "-n", help="made first: completions per view. Default: 16", min=1)
    ] = None,
    export: Annotated[Path | None, Option(help="write a plain SFT set (JSONL) instead of training")] = None,
    form: Annotated[
        Literal["conversational", "prompt_completion"] | None,
        Option(help="of the export. Default: that of the prompts"),
    ] = None,
    weights: Annotated[
        bool, Option("--weights", help="export each completion once, with a column weight")
    ] = False,
    rows: Annotated[int | None, Option(help="of the export: how many", min=1)] = None,
) -> None:
    """Fine-tune on weighted completions, in one or several rounds; or export them for any trainer."""
    from alft.offline.weighted import Export
    from alft.verbs.distill import Distilling, option
    from alft.verbs.distill import distill as run
    from alft.verbs.solve import GameChoice

    trained = Distilling(
        model, learning_rate, epochs, batch_size, max_length, bf16, lora_rank, seed, rounds, per_view,
        share_prompts, scored,
    )  # fmt: skip
    training = [one.name for one in fields(trained) if getattr(trained, one.name) != one.default]
    exported = [name for name, value in {"form": form, "weights": weights, "rows": rows}.items() if value]
    problems = [Problem(option(name), "is for --export") for name in exported if export is None]
    why = "is for training, and --export trains nothing"
    problems += [Problem(option(name), why) for name in training if export is not None and name != "seed"]
    if weights and rows:
        problems.append(Problem("--rows", "and --weights: each completion is written once then"))
    place = output or export
    if place is None or (output is not None and export is not None):
        what = "one of them is needed: a directory for a model, or a file for other trainers"
        raise ConfigError([*problems, Problem("--output, --export", what)])
    if problems:
        raise ConfigError(problems)
    choice = GameChoice(game, beta, shrinkage, power, borrow)
    how = trained if export is None else Export(form, rows, weights, seed or 0)
    made = run(samples, place, how, choice, config=config, overrides=set_ or [])
    if made.rows is None:
        print_plain(f"model:   {made.path}\ncompare: {made.compare}")
    else:
        print_plain(f"{counted(made.rows, 'row')}: {made.path}")
