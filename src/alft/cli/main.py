"""The `alft` command; train, evaluate and report. The other verbs have files of their own."""

from __future__ import annotations

import errno
import io
import os
import shlex
import signal
import sys
import time
import warnings
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from typer import Argument, Option

from alft.cli.offline import distill, sample, show, solve
from alft.cli.options import (
    ConfigArgument,
    ConfigOption,
    EndpointOption,
    ModelOption,
    Settings,
    VllmOption,
    data_warnings_as_notes,
    print_plain,
    print_problems,
    print_refused,
)
from alft.cli.questions import init, validate, views
from alft.errors import AlftError, ConfigError, Problem, RunInterrupted
from alft.storage.files import reporting_full_disk
from alft.text import counted, short

if TYPE_CHECKING:
    from alft.config.schema import RunConfig
    from alft.plan.plan import Plan
    from alft.training.run import RunResult

WHAT = (
    "what to measure: a model (directory, Hub id, starter), a run directory, the --output of this command, or a "
    "file of `alft sample`; two are compared. Logs of lm-eval (.jsonl) or Inspect (.json) are one view each. A "
    "name that ends in .yaml is the configuration"
)
OUTPUT = "directory for results.json, and the completions if the last WHAT is a model; it can be a WHAT later"


def train(
    path: ConfigArgument = None,
    config: ConfigOption = None,
    set_: Settings = None,
    offline: Annotated[
        bool, Option("--offline", help="sample once, solve exactly, fine-tune: training.trainer=offline")
    ] = False,
    dry_run: Annotated[bool, Option("--dry-run", help="check everything, load no model")] = False,
    resume: Annotated[bool, Option("--resume", help="continue from the newest valid checkpoint")] = False,
    overwrite: Annotated[bool, Option("--overwrite", help="replace an earlier run")] = False,
) -> None:
    """Train a model on its final answers: the built-in demonstration, or your own model and questions."""
    from alft.config.load import load_config, one_of, sets
    from alft.plan.plan import Start, ignored_settings, plan_notes
    from alft.verbs.cost import cost, sized
    from alft.verbs.train import planned
    from alft.verbs.train import train as run

    given = one_of(path, config)
    overrides = [*(set_ or []), *(["training.trainer=offline"] if offline else [])]
    if offline and sets(set_ or [], "training", "trainer"):
        raise ConfigError(
            Problem("--offline", "sets training.trainer, and so does --set", "leave one of them out")
        )
    plan = planned(given, overrides, resume=resume, overwrite=overwrite, download=not dry_run)
    if dry_run:
        with warnings.catch_warnings(action="ignore"):  # cost shows them
            plan = sized(plan, Start.RESUME if resume else Start.NEW)
        if resume and (plan.directory / "config.yaml").is_file():
            from alft.training.run import check_unchanged, digests

            check_unchanged(plan, digests(plan))
        print_plain(_settings(load_config(given, overrides), plan.config))
    print_problems("look at", [*plan_notes(plan), *ignored_settings(load_config(given, overrides))])
    if dry_run:
        with data_warnings_as_notes(Console()):
            needed = cost(plan)
        print_plain(f"{_ready(plan)}\n{needed}")
        return
    _print_result(run(plan, resume=resume, overwrite=overwrite))


def _print_result(result: RunResult) -> None:
    from alft.evaluation.approach import in_words
    from alft.reporting.tables import before_after_table
    from alft.reporting.terminal import story

    console, training = Console(), result.results.get("training", {})
    console.print(before_after_table(result.results))
    console.print(story(result.results), markup=False, highlight=False, style="bold")
    if (seen := result.results.get("approach")) is not None:
        console.print(in_words(seen), markup=False)
    if stopped := training.get("stopped"):
        console.print(f"stopped: {stopped}", markup=False, style="red")
    if (kept := training.get("restored_step")) is not None:
        console.print(f"the model after training is the one kept at step {kept}", style="red")
    place = result.directory
    command = f"alft report {shlex.quote(str(place))} OTHER_RUN"
    print_plain(f"model:   {place / 'model'}\nreport:  {place / 'report.html'}\ncompare: {command}")


def _settings(given: RunConfig, chosen: RunConfig) -> str:
    """What is not a default of `chosen`, as YAML, with the reasons for what `given` leaves open."""
    from alft.config.load import dump_config
    from alft.plan.defaults import reasons

    why, section = reasons(given, chosen), ""
    lines = ["# what is given, and what was chosen for this model, game and machine; the rest is as usual"]
    for line in dump_config(chosen, brief=True).splitlines():
        section = section if line.startswith(" ") else line.partition(":")[0]
        reason = why.get(f"{section}.{line.strip().partition(':')[0]}")
        lines.append(line if reason is None else f"{line}  # {reason}")
    return "\n".join(lines)


def _ready(plan: Plan) -> str:
    """What a run would do, in a sentence."""
    config = plan.config
    if config.training.trainer == "offline":
        views = sum(len(question.views) for question in plan.train)
        work = f"{counted(views * (config.offline.samples or 0), 'completion')} sampled once"
    else:
        batch = counted(plan.completions_per_step, "completion")
        work = f"{counted(config.training.steps, 'step')}, {batch} in each batch"
    asked = f"{counted(len(plan.train), 'question')} × {counted(plan.views, 'view')}"
    return f"ready: {config.game.label} on {asked} to train on, {len(plan.held_out)} held out; {work}"


def evaluate(
    what: Annotated[list[str] | None, Argument(help=WHAT, show_default=False)] = None,
    config: ConfigOption = None,
    set_: Settings = None,
    output: Annotated[Path | None, Option("--output", "-o", help=OUTPUT)] = None,
    endpoint: EndpointOption = None,
    model: ModelOption = None,
    vllm: VllmOption = False,
) -> None:
    """Measure a model on questions: accuracy by view, pass@k, agreement, incoherence, limits, unread share."""
    from alft.evaluation.unread import readability
    from alft.reporting.tables import comparison_table, summary_table
    from alft.verbs.asking import ModelSource
    from alft.verbs.evaluate import evaluate as run

    source = ModelSource(endpoint, model, vllm=vllm)
    found = run(*(what or []), config=config, overrides=set_ or [], source=source, output=output)
    results, last = found.results, found.measured[-1]
    for one in found.measured:
        print_refused(one.evaluation.refused())
    if (first := results.get("compared_with")) is not None:
        names, summaries = (first["name"], results["name"]), (first["measured"], results["measured"])
        Console().print(comparison_table(names, summaries, first["difference"]))
    else:
        print_plain(f"measured: {last.name}")
        Console().print(summary_table(results["measured"]))
        if last.outcomes is not None:
            counts = ", ".join(f"{name} {count}" for name, count in last.outcomes.items())
            print_plain(f"with a second opinion: {counts}")
    if (unread := readability(last.evaluation.records, last.config).warning()) is not None:
        print_problems("look at", [unread])
    if output is not None:
        print_plain(f"written: {output}")


def report(
    runs: Annotated[list[Path], Argument(help="run directories")],
    output: Annotated[Path, Option("--output", "-o", help="HTML page to write")] = Path("report.html"),
    picture: Annotated[Path | None, Option(help="also draw accuracy by view as .svg or .png")] = None,
) -> None:
    """Compare runs: every view before and after, the curves, the answers."""
    from alft.reporting.terminal import terminal_runs
    from alft.verbs.report import report as run

    made = run(runs, output, picture=picture)
    Console().print(terminal_runs(made.runs))
    print_problems("left out", made.left_out)
    pictured = "" if picture is None else f"\npicture: {picture}"
    Console().print(f"report: {output}{pictured}", markup=False)


FIRST_REPORTS = 2.0
"""Seconds that the other processes wait before they end, so that torchrun does not stop the first one unheard."""
app = typer.Typer(no_args_is_help=True, add_completion=False)
for verb in (init, train, evaluate, views, validate, report, sample, show, solve, distill):
    app.command()(verb)


def _print_version(asked: bool) -> bool:
    if asked:
        from importlib.metadata import version

        typer.echo(f"alft {version('alft')}")
        raise typer.Exit
    return asked


def _check_alone(verb: str | None) -> None:
    """Raise ConfigError if a verb that works in one process was launched in several: each would do all of it."""
    for name in ("RANK", "WORLD_SIZE"):
        if not (given := os.environ.get(name) or "0").isdecimal():
            raise ConfigError(Problem(name, f"{given!r} in the environment is not a number", "unset it"))
    many = os.environ.get("WORLD_SIZE", "1")
    if many in ("", "1") or verb in (None, "train") or verb.startswith("-"):
        return
    remedy = "start it without torchrun or `accelerate launch`"
    if verb == "sample":
        remedy += f"; to share the work, start it {many} times, with --part 1/{many} to --part {many}/{many}"
    raise ConfigError(Problem(f"alft {verb}", f"works in one process, and {many} were launched", remedy))


@app.callback()
def _options(
    version: Annotated[
        bool, Option("--version", callback=_print_version, is_eager=True, help="print the version and exit")
    ] = False,
) -> None:
    """Fine-tune language models on their final answers."""


def _alone(error: AlftError) -> bool:
    """Whether the first process may not report an error of this one, which is not a failure of all."""
    distributed = getattr(sys.modules.get("torch"), "distributed", None)
    if isinstance(error, RunInterrupted) or distributed is None or not distributed.is_initialized():
        return False
    return type(error).__name__ != "ProcessError"


def _continues(verb: str, *options: str) -> bool:
    """Whether a command that Ctrl-C stopped continues from what it has done when it is given again."""
    given = {option.partition("=")[0] for option in options}
    return {"sample": True, "distill": "--export" not in given, "views": "--paraphrase" in given}.get(verb, False)


def main() -> None:
    """Run a verb; an error that the user can fix is printed with all its problems, and exits with code 2.

    A run that was stopped exits as usual for its signal: 130 after Ctrl-C, 143 after SIGTERM.
    """
    rank = os.environ.get("RANK") or "0"
    first = rank == "0" or not rank.isdecimal()  # of several processes, the one that speaks
    verb = next(iter(sys.argv[1:]), None)
    for stream in (sys.stdout, sys.stderr):  # a terminal may not know all letters
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    full = reporting_full_disk(f"alft {verb}", "make room, then give the same command again")
    try:
        with full, redirect_stdout(sys.stdout if first else io.StringIO()), data_warnings_as_notes(Console()):
            _check_alone(verb)
            app(prog_name="alft")
    except AlftError as error:
        if "WORLD_SIZE" in os.environ:  # torchrun stops the processes that a failed one leaves: report first
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if first or _alone(error):
            print_problems("error", error.problems)
        elif not isinstance(error, RunInterrupted):
            time.sleep(FIRST_REPORTS)
        sys.exit(128 + error.signal if isinstance(error, RunInterrupted) else 2)
    except OSError as error:
        if error.filename is None:
            raise
        name = str(error.filename)
        what = "the name is too long for this system" if error.errno == errno.ENAMETOOLONG else error.strerror
        print_problems("error", [Problem(short(name, 200), str(what), "choose another place")])
        sys.exit(2)
    except SystemExit as ended:
        if ended.code == 128 + signal.SIGINT and first:
            typer.echo("stopped" + " — the same command continues" * _continues(*sys.argv[1:]), err=True)
        raise
