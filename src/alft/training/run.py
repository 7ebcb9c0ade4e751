"""`alft train`: measure, train, measure again, and leave a run directory that explains itself.

A run begins new, or from the newest checkpoint that can be trusted; never silently either way.
"""

import hashlib
import json
import logging
import shutil
import signal
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

from accelerate import PartialState
from accelerate.utils.memory import should_reduce_batch_size
from rich.console import Console

from alft.config.load import dump_config, load_config
from alft.config.schema import RunConfig
from alft.errors import AlftError, CheckpointError, ConfigError, OutOfMemoryError, Problem, RunInterrupted
from alft.evaluation.results import Results
from alft.models.loading import load_model, model_digest, set_threads
from alft.plan.defaults import resolve
from alft.plan.plan import Plan, Start, check_directory
from alft.questions import dump_questions
from alft.reporting.progress import progress_display
from alft.storage.checkpoint import find_newest, sha256, step_of
from alft.storage.files import LOCK, differences, locked, reporting_full_disk, write_json, write_text
from alft.training.dataset import fitted
from alft.training.execution import Execution
from alft.training.loop import shares
from alft.training.processes import everywhere, from_main, join, naming_loss
from alft.training.rundir import RunDirectory, environment
from alft.training.stopping import listening
from alft.user_code import code_path, names_code


@dataclass(frozen=True)
class RunResult:
    """What a run came to: its directory and the content of its results.json."""

    directory: Path
    results: Results


def train(
    plan: Plan,
    console: Console | None = None,
    start: Start = Start.NEW,
    execution: type[Execution] = Execution,
) -> RunResult:
    """Run a plan, live or by another `execution`, between two measurements on held-out questions.

    If answers collapse across questions the run stops, the last good model is restored, measured and saved,
    and `results["training"]["stopped"]` says why. Ctrl-C and SIGTERM end it with RunInterrupted, after a
    checkpoint was saved if it was training; `Start.RESUME` resumes from the newest one, to the same bits as if
    nothing had happened.
    """
    console = console or Console(stderr=True)
    if not join():  # one voice
        console = Console(quiet=True)
        logging.disable(logging.WARNING)
        warnings.simplefilter("ignore")
    set_threads(plan.config.training.threads)
    full = reporting_full_disk(str(plan.directory), "make room, then continue with --resume")
    with listening() as request, full:
        try:
            return _train(plan, console, start, partial(execution, request=request))
        except KeyboardInterrupt:
            remedy = "--resume continues from the last checkpoint, if there is one"
            stopped = Problem(str(plan.directory), "stopped", remedy)
            raise RunInterrupted(stopped, request.signal or signal.SIGINT) from None


def _train(plan: Plan, console: Console, start: Start, execution: Callable[..., Execution]) -> RunResult:
    def say(text: str) -> None:
        console.print(text, markup=False, highlight=False)

    check_directory(plan.directory, start)
    plan, resumed = fitted(plan), start is Start.RESUME
    shares(plan)  # raises its error before anything is written
    inputs = from_main(lambda: digests(plan))
    with ExitStack() as stack:
        from_main(lambda: stack.enter_context(held(plan.directory)))
        if resumed and (results := from_main(lambda: finished(plan, inputs))) is not None:
            say(f"the run in {plan.directory} has finished")
            return RunResult(plan.directory, cast(Results, results))
        checkpoint = from_main(lambda: choose(plan, inputs, say)) if resumed else None
        model, tokenizer = everywhere(lambda: load_model(plan.config.model, trained=plan.config.lora is None))
        main = PartialState().is_main_process
        run = everywhere(lambda: open_run(plan, inputs, checkpoint) if main else None)
        run = run or RunDirectory(plan.directory, writes=False)
        with naming_loss(), closing(run), naming_memory(), progress_display(console) as progress:
            results = execution(plan, run, progress, tokenizer=tokenizer, checkpoint=checkpoint).execute(model)
        run.tidy()
        return RunResult(plan.directory, cast(Results, results))


@contextmanager
def closing(run: RunDirectory) -> Iterator[None]:
    """Close the logs afterwards; after a failure as far as that goes, since the failure says what is wrong."""
    try:
        yield
    except BaseException:
        with suppress(OSError, ValueError):
            run.close()
        raise
    run.close()


@contextmanager
def naming_memory() -> Iterator[None]:
    """Report memory that ran out, with what to turn down.

    Raises OutOfMemoryError for it; other errors are raised as they are.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        ours = isinstance(error, AlftError)
        if ours or not (isinstance(error, MemoryError) or should_reduce_batch_size(error)):
            raise
        remedy = (
            "lower training.micro_batch_size first (the result stays the same), then training.max_new_tokens or "
            "training.samples; evaluation.batch_size if it happened while measuring"
        )
        raise OutOfMemoryError(Problem("memory", " ".join(str(error).split())[:300], remedy)) from error


Say = Callable[[str], Any]
BEGUN = "completions.jsonl"  # made when everything that says what a run is has been written


@contextmanager
def held(directory: Path) -> Iterator[None]:
    """Make a run directory if need be, and hold its lock; it is gone afterwards if nothing was put into it.

    Raises ConfigError if it can't be written to, RunLockedError if another process works there.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        probe = directory / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        what = f"can't be written to ({error.strerror})"
        raise ConfigError(Problem(str(directory), what, "choose another output.directory")) from None
    try:
        with locked(directory):
            yield
    finally:
        if not any(directory.iterdir()):
            directory.rmdir()


def finished(plan: Plan, inputs: Mapping[str, str]) -> dict[str, Any] | None:
    """The results of the run in a plan's directory, None if it has not finished.

    Raises ConfigError if that was another run than the plan's, CheckpointError if its results or model are gone.
    """
    results, model = plan.directory / "results.json", plan.directory / "model"
    if not results.is_file():
        return None
    check_unchanged(plan, inputs)
    found, where, what = _recorded(results), results, "is empty or not a JSON object"
    if found and not any(model.glob("*.safetensors")):
        where, what = model, "the run has finished, and its model is gone"
    if not found or where is model:
        raise CheckpointError(Problem(str(where), what, RESTORE))
    if (plan.directory / "completions.jsonl").exists():  # killed while it tidied
        run = RunDirectory(plan.directory)
        run.close()
        run.tidy()
    return found


def choose(plan: Plan, inputs: Mapping[str, str], say: Say) -> Path | None:
    """The checkpoint to resume from, None if there is none; `say` receives what was found and decided.

    Raises CheckpointError if there are checkpoints and none is valid, or none but what was trained; ConfigError if
    configuration, data or model are not those of the run to resume, with or without a checkpoint: another run is
    never emptied.
    """
    begun = (plan.directory / BEGUN).exists()
    if begun and plan.config.training.trainer == "offline":  # its files are its checkpoint
        check_unchanged(plan, inputs)
        say(f"resuming from the files in {plan.directory}")
        return plan.directory
    found = find_newest(plan.directory / "checkpoints")
    for skipped in found.skipped:
        say(f"skipped a damaged checkpoint: {skipped}")
    if found.path is not None or begun:
        check_unchanged(plan, inputs)
    if found.path is None:
        _check_nothing_is_lost(plan, begun)
        say(f"there is no checkpoint in {plan.directory}: starting over")
        return None
    before, now = _recorded(plan.directory / "environment.json").get("packages"), environment()["packages"]
    before = before if isinstance(before, dict) else {}
    if changed := [f"{name} {before.get(name)} → {now[name]}" for name in now if before.get(name) != now[name]]:
        say(f"without a promise of the same bits, since versions differ: {', '.join(changed)}")
    say(f"resuming after step {step_of(found.path)}, from {found.path}")
    return found.path


def _check_nothing_is_lost(plan: Plan, begun: bool) -> None:
    """Raise CheckpointError where starting over would remove what a run has trained, or logged of it."""
    directory, every = plan.directory, plan.config.training.checkpoint_every or float("inf")
    metrics, model, done = (directory / name for name in ("metrics.jsonl", "model", "completions.parquet"))
    steps = metrics.read_bytes().count(b"\n") if metrics.is_file() else 0
    if model.exists() or (not begun and (steps or done.exists())):
        what = "holds what a run has trained, without its results.json and without a checkpoint"
    elif steps > every + plan.steps_per_batch or (steps and not (directory / "checkpoints").exists()):
        what = f"a run has trained {steps} steps here, and its checkpoints are gone"
    else:
        return
    remedy = "put back what is missing, choose another output.name, or start over with --overwrite"
    raise CheckpointError(Problem(str(directory), what, remedy))


def open_run(plan: Plan, inputs: Mapping[str, str], checkpoint: Path | None) -> RunDirectory:
    """The run directory to resume in, or, without a checkpoint, a new one in place of what is there."""
    if checkpoint is not None:
        return RunDirectory(plan.directory)
    _empty(plan.directory)
    write_text(plan.directory / "config.yaml", dump_config(plan.config))
    write_json(plan.directory / "inputs.json", inputs)
    write_json(plan.directory / "environment.json", environment())
    dump_questions(plan.held_out, plan.directory / "questions.jsonl")
    return RunDirectory(plan.directory)


def _empty(directory: Path) -> None:
    """Remove everything but the lock, such that a process killed in between leaves what can be begun again.

    Without `BEGUN` nothing is compared with a run to resume, and logs are those of a finished one; by its
    config.yaml a directory is known as a run's.
    """
    last = (BEGUN, "inputs.json", "environment.json", "questions.jsonl", "config.yaml")
    place = {name: number for number, name in enumerate(last, 1)}
    for path in sorted(directory.iterdir(), key=lambda each: (not each.is_dir(), place.get(each.name, 0))):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != LOCK:
            path.unlink()


def _recorded(path: Path) -> dict[str, Any]:
    """What a run recorded in a file as it began; {} if that can't be read, which then differs from any."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


FREE = ("output.", "training.checkpoint_every", "training.keep_checkpoints", "training.report_to")
"""Settings that change nothing that is computed."""
RESTORE = "restore it from a copy, or start over with --overwrite"
REMEDY = "change it back, or start over with --overwrite or another output.name"


CHOOSE = {"data": ("data.", "game", "evaluation.questions", "training.seed"), "model": ("model.",)}
"""Settings that choose other questions, or another model. Where one differs, the files may still be unchanged."""


def digests(plan: Plan) -> dict[str, str]:
    """Digests of the questions (with their answers, in their order), of the model, and of the user's own code."""
    asked = repr((plan.train, plan.held_out)).encode("utf-8", "backslashreplace")
    found = {"data": hashlib.sha256(asked).hexdigest(), "model": model_digest(plan.config.model)}
    return found | {path: sha256(Path(path)) for path in code_files(plan.config)}


def check_unchanged(plan: Plan, now: Mapping[str, str]) -> None:
    """Raise ConfigError if the run in the plan's directory had another configuration, other data or another model.

    `now` are the plan's digests. All differences are named.
    """
    config, inputs = plan.directory / "config.yaml", plan.directory / "inputs.json"
    earlier = resolve(load_config(config), plan.play.game)
    if earlier.answers.kind is None:  # of a version that read answers of any kind
        earlier = earlier.model_copy(update={"answers": earlier.answers.suited_to(())})
    before, after = flat(earlier.model_dump(mode="json")), flat(plan.config.model_dump(mode="json"))
    other = {name: pair for name, *pair in differences(before, after) if not name.startswith(FREE)}
    what = "this run has {!r}, and {!r} is asked for"
    problems = [Problem(f"{config}: {name}", what.format(*pair), REMEDY) for name, pair in other.items()]
    names = {"data": f"data.path ({plan.config.data.path})", "model": f"model.path ({plan.config.model.path})"}
    had, now_are = _recorded(plan.directory / "environment.json").get("processes", 1), environment()["processes"]
    if had != now_are:  # each draws samples of its own
        what = f"this run has {had} processes, and {now_are} were launched"
        remedy = f"launch {had} (torchrun --nproc_per_node {had}), or start over with --overwrite"
        problems.append(Problem(str(plan.directory), what, remedy))
    if not (saved := _recorded(inputs)):
        problems.append(Problem(str(inputs), "is missing or damaged: what the run began with is unknown", RESTORE))
    problems += [
        Problem(names.get(kind, kind), "was changed since this run was started", REMEDY)
        for kind in (now if saved else ())
        if saved.get(kind) != now[kind] and not any(name.startswith(CHOOSE.get(kind, ())) for name in other)
    ]
    if problems:
        raise ConfigError(problems)


def code_files(config: RunConfig) -> list[str]:
    """Python files that a configuration names, as `path.py:name`: the user's own games, constraints and reader."""
    own = [config.answers.reader, *(each.function for each in config.constraints)]
    named = [*(term.game for term in config.game.terms), *filter(None, own)]
    return sorted({str(code_path(text)) for text in named if names_code(text)})


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested sections as one mapping of dotted names.

    >>> flat({"a": {"b": 1}, "c": [2]})
    {'a.b': 1, 'c': [2]}
    """
    found: dict[str, Any] = {}
    for name, value in values.items():
        found |= flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
    return found
