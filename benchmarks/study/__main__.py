"""The study's commands. One row per run in a Parquet file; a sweep can be broken off and continued at any time.

python -m benchmarks.study run --hours 1.5     the next runs of the sweep, the most valuable first; started twice,
                                               the second process takes objectives that the first one is not at
python -m benchmarks.study tables              tables and three figures, from the Parquet file alone: printed, and
                                               written into the pages that show them
"""

from __future__ import annotations

import io
import shutil
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer
from filelock import Timeout
from rich.console import Console

from alft import starter
from benchmarks import word_problems
from benchmarks.study.protocol import (
    DEMONSTRATION,
    ELSEWHERE,
    OFFLINE,
    WORDS,
    Setting,
    setting_of,
    sweep,
    tuning_score,
)
from benchmarks.study.rows import base_row, diverged_row, lock, measure_unseen, read, row_of, starter_hash, write

RESULTS = Path(__file__).parent.parent / "results" / "study.parquet"
Table = Annotated[Path, typer.Option(help="the Parquet file")]
app = typer.Typer(add_completion=False, no_args_is_help=True)


@app.command()
def run(hours: float = 1.0, only: str = "", table: Table = RESULTS) -> None:
    """Make runs until the time is over; `only` names one objective."""
    from alft.reporting.progress import quiet_libraries

    quiet_libraries()
    if only in ("", *ELSEWHERE[WORDS]) and not (word_problems.FOLDER / "model").is_dir():
        raise typer.BadParameter(
            "first `python -m benchmarks.word_problems`: the second task's model and questions"
        )
    end = time.monotonic() + 3600 * hours
    while time.monotonic() < end:
        with ExitStack() as claim:
            setting = next_run(table, only, claim)
            if setting is None:
                return
            row = _run(setting)
            with lock(table, "writing"):
                write([*read(table), row], table)
            told = f"{tuning_score(row):.3f} {row['cpu_seconds']:.0f} s of CPU"
            print(f"{time.strftime('%H:%M')} {setting} {told}", flush=True)


@app.command()
def tables(table: Table = RESULTS, pages: Path = Path(".")) -> None:
    """Print the tables as Markdown, write them into docs/study.md and EXPERIMENTS.md, draw docs/study-*.svg."""
    from benchmarks.study.figures import draw
    from benchmarks.study.pages import fill
    from benchmarks.study.tables import markdown

    rows = read(table)
    print(markdown(rows))
    fill(rows, pages)
    draw(rows, pages / "docs")


def next_run(table: Path, only: str, claim: ExitStack) -> Setting | None:
    """The first run not made yet of an objective that no other process is at; `claim` keeps others off it.

    Whole objectives are claimed, since the learning rate of a run depends on the objective's earlier runs.
    """
    taken = set[str]()
    while True:
        rows = _rows(table)
        done = {setting_of(row) for row in rows}
        free = (s for s in sweep(rows) if s not in done and s.objective not in taken and only in ("", s.objective))
        setting = next(free, None)
        if setting is None:
            return None
        try:
            claim.enter_context(lock(table, setting.objective, 0))
        except Timeout:
            taken.add(setting.objective)
            continue
        if len(read(table)) == len(rows):
            return setting
        claim.close()  # another process ended a run in between: choose again


def _rows(table: Path) -> list[dict]:
    """The rows so far, of this starter alone, beginning with that of the untrained model."""
    with lock(table, "writing"):
        rows = read(table)
        own = {(task, starter_hash(task)) for task in {row["task"] for row in rows}}
        if others := {(row["task"], row["starter"]) for row in rows} - own:
            told = f"{table} holds runs of other models ({', '.join(map(' '.join, others))}): name a new one"
            raise typer.BadParameter(told)
        if not rows:
            rows = [base_row(_unseen_of(starter.model_path()))]
            write(rows, table)
        return rows


def _run(setting: Setting) -> dict:
    from alft.config.load import load_config
    from alft.errors import DivergedError
    from alft.plan.build import load_plan
    from alft.training.run import train
    from benchmarks.study.offline import offline_row

    folder, began = Path(tempfile.mkdtemp(prefix="alft-study-")), time.process_time()
    try:
        if setting.objective == OFFLINE.name:
            return offline_row(setting, folder, _unseen_of)
        plan = load_plan(load_config(None, [*setting.overrides, f"output.directory={folder}"]))
        result = train(plan, Console(file=io.StringIO()))
        used = time.process_time() - began
        unseen = _unseen_of(result.directory) if setting.task == DEMONSTRATION else None
        return row_of(setting, result.directory, used, unseen)
    except DivergedError as error:
        return diverged_row(setting, error, time.process_time() - began)
    finally:
        shutil.rmtree(folder)


def _unseen_of(directory: Path) -> Mapping[str, Any]:
    from alft.config.schema import ModelConfig
    from alft.models.loading import load_model, set_threads

    set_threads(1)
    model = directory / "model"
    return measure_unseen(*load_model(ModelConfig(path=str(model if model.is_dir() else directory))))


if __name__ == "__main__":
    app()
