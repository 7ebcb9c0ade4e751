"""`alft sample` and `alft show`: completions of every view in one file, or a few to look at."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from alft.cli.options import (
    ConcurrencyOption,
    ConfigOption,
    EndpointOption,
    ModelOption,
    PlainOption,
    Settings,
    VllmOption,
    print_plain,
    print_refused,
    print_text,
)


def sample(
    output: Annotated[Path, typer.Argument(help="samples file to write (Parquet); with --part, a folder")],
    config: ConfigOption = None,
    set_: Settings = None,
    samples: Annotated[int, typer.Option("--samples", "-n", help="completions per view", min=1)] = 16,
    questions: Annotated[int | None, typer.Option(help="only the first N questions", min=1)] = None,
    held_out: Annotated[bool, typer.Option("--held-out", help="the questions that train holds out")] = False,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    part: Annotated[
        str | None, typer.Option(metavar="I/N", help="only part I of N, into a folder that N machines share")
    ] = None,
    endpoint: EndpointOption = None,
    model: ModelOption = None,
    plain: PlainOption = False,
    concurrency: ConcurrencyOption = 16,
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
    print_refused(made.refused, Console())
    if made.unread is not None:
        Console().print(f"look at: {made.unread}", markup=False, highlight=False, style="yellow")
    print_plain(f"{made.completions:,} completions, {made.share:.1%} unread: {output}")


def show(
    config: ConfigOption = None,
    set_: Settings = None,
    sample: Annotated[int, typer.Option("--sample", "-n", help="completions to show", min=1)] = 8,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    endpoint: EndpointOption = None,
    model: ModelOption = None,
    plain: PlainOption = False,
    vllm: VllmOption = False,
) -> None:
    """Look at some completions before anything is trained: the prompt, the text, and how the answer was read."""
    from alft.verbs.asking import ModelSource
    from alft.verbs.sample import show as run

    shown = run(
        config, set_ or [], completions=sample, seed=seed, source=ModelSource(endpoint, model, plain, vllm=vllm)
    )
    for number, look in enumerate(shown.looks, start=1):
        one = look.completion
        print_text(f"{number}. {one.question} · {one.view}", "bold")
        for name, text in (("prompt", look.prompt), ("completion", one.text or "")):
            print_text(f"{name}: {text.strip()}")
        print_text(f"{look.reading}\n", "yellow" if one.key is None else "green")
    unread, remedy = shown.readability.cause
    print_plain(f"{unread}: {remedy}" if shown.readability.unread else "every completion was read")
