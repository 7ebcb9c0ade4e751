"""`alft sample`: completions of every view, once, into one file that explains itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from alft.cli.options import ConcurrencyOption, EndpointOption, ModelOption, PlainOption, Settings, VllmOption
from alft.verbs.asking import Asked


def sample(
    output: Annotated[Path, typer.Argument(help="samples file to write (Parquet)")],
    config: Annotated[Path | None, typer.Option("--config", "-c", help="YAML configuration, as for train")] = None,
    set_: Settings = None,
    samples: Annotated[int, typer.Option("--samples", "-n", help="completions per view", min=1)] = 16,
    questions: Annotated[int | None, typer.Option(help="the first so many questions only", min=1)] = None,
    held_out: Annotated[bool, typer.Option("--held-out", help="the questions that train holds out")] = False,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    endpoint: EndpointOption = None,
    model: ModelOption = None,
    plain: PlainOption = False,
    concurrency: ConcurrencyOption = 16,
    vllm: VllmOption = False,
) -> None:
    """Sample completions of every view of every question; killed and run again, it goes on.

    What a server refuses to answer is in the file with its reason, unread, and listed at the end.
    """
    from rich.console import Console

    from alft.cli.options import tell_refused
    from alft.config.load import load_config
    from alft.errors import DataError, Problem
    from alft.models.base import Sampling
    from alft.offline import Request, read_samples
    from alft.offline import sample as run
    from alft.plan.checks import check_model
    from alft.plan.questions import asked_questions
    from alft.reporting.progress import progress_of

    asked = Asked(endpoint, model, plain, concurrency, vllm)
    asked.check()
    settings = asked.settings(load_config(config, set_ or []))
    if endpoint is None:
        check_model(settings.model.path)
    found = asked_questions(settings)
    chosen = (found.held_out if held_out else found.train)[:questions]
    if output.exists():
        raise DataError(Problem(str(output), "exists already", "choose another name, or remove it"))
    limit = settings.training.max_new_tokens or Sampling.max_new_tokens
    sampling = Sampling(samples, False, limit, settings.evaluation.batch_size, seed)
    console = Console()
    with progress_of("sampling") as progress:
        run(
            Request(chosen, sampling, settings.data.path, settings.answers.policy),
            asked.backend(settings),
            output,
            progress,
        )
    tell_refused(read_samples(output).refused(), console)
    completions = sum(len(question.views) for question in chosen) * samples
    console.print(f"{completions:,} completions: {output}", markup=False, highlight=False)
