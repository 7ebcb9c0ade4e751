"""How a run begins: anew, or from the newest checkpoint that can be trusted; never silently either way."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alft.config_file import dump_config
from alft.errors import ConfigError, Problem
from alft.plan import Plan
from alft.questions import dump_questions
from alft.training.checkpoint import find_newest, step_of
from alft.training.inputs import check_unchanged
from alft.training.lock import LOCK, locked
from alft.training.rundir import RunDirectory, environment, write_json, write_text

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
        told = f"can't be written to ({error.strerror})"
        raise ConfigError(Problem(str(directory), told, "choose another output.directory")) from None
    try:
        with locked(directory):
            yield
    finally:
        if not any(directory.iterdir()):
            directory.rmdir()


def finished(plan: Plan, inputs: Mapping[str, str]) -> dict[str, Any] | None:
    """The results of the run in a plan's directory, None if it has not finished.

    Raises ConfigError if that was another run than the plan's.
    """
    results = plan.directory / "results.json"
    if not results.is_file():
        return None
    check_unchanged(plan, inputs)
    if (plan.directory / "completions.jsonl").exists():  # killed while it tidied
        run = RunDirectory(plan.directory)
        run.close()
        run.tidy()
    return json.loads(results.read_text(encoding="utf-8"))


def choose(plan: Plan, inputs: Mapping[str, str], say: Say) -> Path | None:
    """The checkpoint to go on from, None if there is none; `say` is told what was found and decided.

    Raises CheckpointError if there are checkpoints and none is valid, ConfigError if configuration, data or
    model are not those of the run to resume, with or without a checkpoint: another run is never emptied.
    """
    found = find_newest(plan.directory / "checkpoints")
    for skipped in found.skipped:
        say(f"skipped a damaged checkpoint: {skipped}")
    if found.path is not None or (plan.directory / BEGUN).exists():
        check_unchanged(plan, inputs)
    if found.path is None:
        say(f"there is no checkpoint in {plan.directory}: starting anew")
        return None
    changed = _changed_packages(plan.directory)
    if changed:
        say(f"without a promise of the same bits, since versions differ: {', '.join(changed)}")
    say(f"going on after step {step_of(found.path)}, from {found.path}")
    return found.path


def open_run(plan: Plan, inputs: Mapping[str, str], checkpoint: Path | None) -> RunDirectory:
    """The run directory to go on in, or, without a checkpoint, a new one in place of what is there."""
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

    Without `BEGUN` nothing is compared with a run to resume; by its config.yaml a directory is known as a run's.
    """
    order = sorted(directory.iterdir(), key=lambda p: (not p.is_dir(), p.name != BEGUN, p.name == "config.yaml"))
    for path in order:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != LOCK:
            path.unlink()


def _changed_packages(directory: Path) -> list[str]:
    try:
        before = json.loads((directory / "environment.json").read_text(encoding="utf-8"))["packages"]
    except (OSError, ValueError, KeyError, TypeError):
        before = {}
    now = environment()["packages"]
    return [f"{name} {before.get(name)} → {now[name]}" for name in now if before.get(name) != now[name]]
