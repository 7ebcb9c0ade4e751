"""`alft init`, `validate` and `views`: a first project; check questions and configuration; more views."""

import json
from pathlib import Path
from shlex import quote
from typing import Annotated

import typer
from rich.console import Console
from typer import Argument, Option

from alft.cli.options import ConfigOption, Settings, data_warnings_as_notes, print_plain, print_problems
from alft.errors import Problem


def init(directory: Annotated[Path, typer.Argument(help="new folder")]) -> None:
    """Write a project to begin with: run.yaml, questions, and solved examples; put yours in their place."""
    from alft.verbs.questions import init as run

    written = [f"written: {path}" for path in run(directory)]
    print_plain("\n".join([*written, f"next:    cd {quote(str(directory))}; alft show -c run.yaml"]))


def validate(
    what: Annotated[
        str | None, Argument(help="YAML configuration, or a source of questions. Default: the defaults")
    ] = None,
    config: ConfigOption = None,
    set_: Settings = None,
    as_json: Annotated[bool, Option("--json", help="print the report as JSON")] = False,
) -> None:
    """Check questions, views and configuration without loading a model; exit code 2 if there are errors."""
    from alft.reporting.terminal import questions_table
    from alft.verbs.questions import validate as run

    with data_warnings_as_notes(Console(stderr=as_json)):  # with JSON, nothing else is on stdout
        report = run(what, set_ or [], config=config)
    if as_json:
        typer.echo(json.dumps(report.to_json(), indent=2))
    else:
        if report.train.questions:
            Console().print(questions_table(report.to_json()))
        print_problems("look at", report.notes)
        print_problems("numbers differ", report.suspects)
        print_problems("error", report.problems)
        if report.good:
            doubts = len(report.notes) + len(report.suspects)
            result = f"no errors; {doubts} to look at" if doubts else "no errors"
            Console().print(result, style="yellow" if doubts else "green")
    if not report.good:
        raise typer.Exit(2)


def views(
    output: Annotated[Path, Option("--output", "-o", help="JSONL file to write")],
    questions: Annotated[
        str | None, Argument(help="file, hub:OWNER/NAME, reasoning-gym:NAME or starter. Default: data.path")
    ] = None,
    config: ConfigOption = None,
    set_: Settings = None,
    make: Annotated[
        list[str] | None, Option(help='"question first", "3 permuted options", "Q: {question}", …; repeatable')
    ] = None,
    paraphrase: Annotated[int, Option(min=0, help="paraphrases of each question, by a model")] = 0,
    endpoint: Annotated[str | None, Option(help="URL of an OpenAI-compatible server")] = None,
    model: Annotated[str | None, Option(help="its name there; without --endpoint: its directory")] = None,
    max_tokens: Annotated[int, Option(min=1, help="longest paraphrase")] = 512,
    cache: Annotated[Path | None, Option(help="folder for what models wrote [~/.cache/alft]")] = None,
    keep: Annotated[int | None, Option(min=1, help="only questions with at least N views, and N of each")] = None,
    limit: Annotated[int | None, Option(min=1, help="only the first N questions")] = None,
) -> None:
    """Give questions more views: by program, and as checked paraphrases by a model.

    If interrupted, run it again: what a model wrote is kept.
    """
    from alft.questions import suspects
    from alft.reporting.terminal import views_table
    from alft.verbs.questions import ViewOptions
    from alft.verbs.questions import views as run

    options = ViewOptions(paraphrase, model, endpoint, max_tokens, cache, keep, limit)
    made = run(questions, output, make or [], options, config=config, overrides=set_ or [])
    if (drafts := made.drafts) is not None:
        print_plain(f"drafts: {drafts.hits} from the cache, {drafts.asked} asked for ({drafts.path})")
    Console().print(views_table(made.given, made.questions, made.rejected, make or []))
    for problem in suspects(made.questions)[:5]:
        Console().print(f"look at {problem}", markup=False, style="yellow")
    print_plain(f"written: {output}")
    old, new = ({(q.id, view.name) for q in part for view in q.views} for part in (made.given, made.questions))
    if (make or paraphrase) and not new - old:
        why = f"{output.with_suffix('.rejected.jsonl')} says why; " if made.rejected else ""
        remedy = f'{why}try --make "Question: {{question}}", or --paraphrase with another --model'
        print_problems("look at", [Problem(str(output), "no question got another view", remedy)])
