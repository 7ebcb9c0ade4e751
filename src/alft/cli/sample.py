"""`alft sample`: completions of every view, once, in one file that describes itself."""

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
)


def sample(
    output: Annotated[Path, typer.Argument(help="samples file to write (Parquet)")],
    config: ConfigOption = None,
    set_: Settings = None,
    samples: Annotated[int, typer.Option("--samples", "-n", help="completions per view", min=1)] = 16,
    questions: Annotated[int | None, typer.Option(help="only the first N questions", min=1)] = None,
    held_out: Annotated[bool, typer.Option("--held-out", help="the questions that train holds out")] = False,
    seed: Annotated[int, typer.Option(min=0)] = 0,
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

    draw = Draw(samples, questions, held_out, seed)
    source = ModelSource(endpoint, model, plain, concurrency, vllm)
    made = run(output, config, set_ or [], draw=draw, source=source)
    print_refused(made.refused, Console())
    if made.unread is not None:
        Console().print(f"look at: {made.unread}", markup=False, highlight=False, style="yellow")
    print_plain(f"{made.completions:,} completions: {output}")
