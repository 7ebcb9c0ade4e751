"""`alft views`: the same questions with more views, made by program or written by a model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from alft.storage.files import atomic, new_problems

if TYPE_CHECKING:
    from alft.questions import Question
    from alft.questions.paraphrase import DraftCache, Rejected

Make = Annotated[
    list[str] | None,
    typer.Option(help='"question first", "3 permuted options", "Q: {question}", …; repeatable'),
]


def views(
    questions: Annotated[str, typer.Argument(help="file, hub:OWNER/NAME, reasoning-gym:NAME or starter")],
    output: Annotated[Path, typer.Option("--output", "-o", help="JSONL file to write")],
    make: Make = None,
    paraphrase: Annotated[int, typer.Option(min=0, help="paraphrases of each question, by a model")] = 0,
    endpoint: Annotated[str | None, typer.Option(help="URL of an OpenAI-compatible server")] = None,
    model: Annotated[str | None, typer.Option(help="its name there; without --endpoint: its directory")] = None,
    max_tokens: Annotated[int, typer.Option(min=1, help="longest paraphrase")] = 512,
    cache: Annotated[Path | None, typer.Option(help="folder of what models wrote [~/.cache/alft]")] = None,
    keep: Annotated[int | None, typer.Option(min=1, help="only questions with so many views, and so many")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="only the first questions")] = None,
) -> None:
    """Give questions more views: by program, and as checked paraphrases by a model. A killed run goes on."""
    from alft.questions import load_questions, more_views, suspects
    from alft.reporting.terminal import views_table

    _check(output, make or [], paraphrase, endpoint, model)
    console = Console()
    given = load_questions(questions, answers="partial")[:limit]
    found = more_views(given, make or [])
    rejected: Sequence[Rejected] = ()
    if paraphrase > 0:
        drafts = _drafts(endpoint, str(model), max_tokens, cache)
        found, rejected = _paraphrased(found, paraphrase, drafts, console)
        _write_rejected(rejected, output.with_suffix(".rejected.jsonl"))
        console.print(
            f"drafts: {drafts.hits} from the cache, {drafts.asked} asked for ({drafts.path})", markup=False
        )
    if keep is not None:
        found = _with_views(found, keep)
    _write(found, output)
    console.print(views_table(given, found, rejected, make or []))
    for problem in suspects(found)[:5]:
        console.print(f"look at {problem}", markup=False, style="yellow")
    console.print(f"written: {output}", markup=False, highlight=False)


def _check(output: Path, make: list[str], paraphrase: int, endpoint: str | None, model: str | None) -> None:
    """Everything that is wrong with the options, at once. Raises ConfigError."""
    from alft.errors import ConfigError, Problem
    from alft.questions import item_problems

    wrong = [*item_problems(make, "--make"), *new_problems(output)]
    if paraphrase > 0 and model is None:
        wrong.append(
            Problem("--paraphrase", "no model writes", "--endpoint URL --model NAME, or --model DIRECTORY")
        )
    if paraphrase > 0 and endpoint is None and model is not None and not Path(model, "config.json").is_file():
        wrong.append(Problem("--model", f"'{model}' is no model directory", "or name a server with --endpoint"))
    if paraphrase == 0 and (endpoint or model):
        wrong.append(Problem("--model", "nothing is asked of it", "--paraphrase N"))
    if wrong:
        raise ConfigError(wrong)


def _drafts(endpoint: str | None, model: str, max_tokens: int, folder: Path | None) -> DraftCache:
    """The model that writes, and what it has written before."""
    import os

    from alft.models.endpoint import Asking, Endpoint
    from alft.models.writers import EndpointWriter, LocalWriter
    from alft.questions.paraphrase import DraftCache

    if folder is None:
        folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "alft"
    if endpoint is not None:
        return DraftCache(folder, EndpointWriter(Endpoint(endpoint, model), Asking(max_tokens=max_tokens)))
    from alft.reporting.progress import quiet_libraries

    quiet_libraries()
    return DraftCache(folder, LocalWriter(Path(model), max_tokens))


def _paraphrased(
    questions: Sequence[Question], count: int, drafts: DraftCache, console: Console
) -> tuple[list[Question], Sequence[Rejected]]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from alft.questions.paraphrase import paraphrased

    columns = (TextColumn("drafts"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("drafts", total=None)
        found = paraphrased(questions, count, drafts, lambda come, of: bar.update(task, completed=come, total=of))
    return list(found.questions), found.rejected


def _with_views(questions: Sequence[Question], count: int) -> list[Question]:
    """Questions with at least `count` views, and of each the first: as many views for all, as training needs."""
    from dataclasses import replace

    from alft.errors import DataError, Problem

    kept = [
        replace(question, views=question.views[:count]) for question in questions if len(question.views) >= count
    ]
    if not kept:
        most = max((len(question.views) for question in questions), default=0)
        raise DataError(Problem("--keep", f"no question has {count} views; the most is {most}", "ask for fewer"))
    return kept


def _write(questions: Sequence[Question], output: Path) -> None:
    """The whole file or none."""
    from alft.questions import dump_questions

    with atomic(output) as part:
        dump_questions(questions, part)


def _write_rejected(rejected: Sequence[Rejected], path: Path) -> None:
    import json
    from dataclasses import asdict

    with open(path, "w", encoding="ascii", newline="\n") as stream:
        stream.writelines(json.dumps(asdict(reject)) + "\n" for reject in rejected)
