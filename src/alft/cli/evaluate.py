"""`alft evaluate`: how accurate, coherent and varied a model's answers are, without training it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from alft.cli.train import Settings


def evaluate(
    config: Annotated[Path | None, typer.Argument(help="YAML configuration, as for train")] = None,
    set_: Settings = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="write the summary as JSON")] = None,
) -> None:
    """Measure a model on questions: accuracy by view, agreement, incoherence, entropy, unread share."""
    import json

    from alft.cli.quiet import quiet_libraries
    from alft.config_file import load_config
    from alft.errors import DataError, Problem
    from alft.plan import check_model, evaluation_questions, resolve

    settings = resolve(load_config(config, set_ or []))
    check_model(settings.model.path)
    questions = evaluation_questions(settings)
    if output is not None and output.exists():
        raise DataError(Problem(str(output), "exists already", "choose another --output"))
    quiet_libraries()
    from alft.evaluation.tables import summary_table
    from alft.training.run import measure
    from alft.training.rundir import plain

    result = measure(settings, questions)
    Console().print(summary_table(result.summary()))
    if output is not None:
        output.write_text(json.dumps(plain(result.summary()), indent=2, allow_nan=False), encoding="utf-8")
