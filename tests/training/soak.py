"""Kills training at random moments, saves included, and compares what it comes to with a run left alone.

    python -m tests.training.soak --kills 20 --seed 0     (or: make soak)

The suite has a short form (test_kills.py).
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import multiprocessing
import random
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

SETTINGS = [
    "output.name=run",
    "game=coherence_geometric",
    "data.held_out=3",
    "constraints=[{regex: '[13579]$', at_most: 0.2}]",  # a game with memory
    "training.steps=12",  # three of six questions a step: six epochs
    "training.questions_per_step=3",
    "training.samples=4",
    "training.learning_rate=0.001",
    "training.threads=1",
    "training.checkpoint_every=1",  # so that kills hit saves too
    "evaluation.samples=2",
    "watch.window=3",
    "watch.unread=1.0",
    "watch.information_loss=1.0",
    "watch.drop=1.0",
    "watch.probe_questions=2",
]
TIMED = ("seconds", "step_seconds")  # what no two runs share
SAVING = 0.1  # seconds; a save takes about half of it on a calm machine
GRACE = 1800  # seconds after which a run left alone counts as hung, on a busy machine too


@dataclass
class Tally:
    """What was done to the runs: kills in all, those that hit a save, and those before the first checkpoint."""

    kills: int = 0
    in_a_save: int = 0
    before_the_first: int = 0


def questions(path: Path) -> None:
    """Nine questions of the starter in two of their wordings: six to train on, three held out."""
    from alft.questions import dump_questions
    from alft.starter import problems

    asked = problems.questions(9, held_out=False, seed=3)
    dump_questions([replace(question, views=question.views[:2]) for question in asked], path)


def attempt(folder: Path, settings: list[str]) -> None:
    """Train in `folder`, or go on there; what a killed process runs."""
    from rich.console import Console

    from alft.config.load import load_config
    from alft.plan.build import load_plan
    from alft.plan.plan import Start
    from alft.training.run import train

    wanted = [*SETTINGS, f"data.path={folder.parent / 'questions.jsonl'}", f"output.directory={folder}", *settings]
    train(load_plan(load_config(None, wanted)), Console(file=io.StringIO()), Start.RESUME)


def start(folder: Path, settings: list[str]) -> Any:
    """A process that trains in `folder`, forked from a server that has done the imports."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["alft.training.run"])
    process = context.Process(target=attempt, args=(folder, settings))
    process.start()
    return process


def fingerprint(run: Path) -> dict[str, str]:
    """Digests of everything that a finished run leaves, but for times."""
    weights = hashlib.sha256((run / "model" / "model.safetensors").read_bytes())
    completions = json.dumps(pq.read_table(run / "completions.parquet").to_pylist())
    steps = [_timeless(json.loads(line)) for line in (run / "metrics.jsonl").read_text().splitlines()]
    results = _timeless(json.loads((run / "results.json").read_text()))
    texts = {"completions": completions, "metrics": json.dumps(steps), "results": json.dumps(results)}
    found = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in texts.items()}
    return {
        "weights": weights.hexdigest(),
        **found,
        "files": " ".join(sorted(path.name for path in run.iterdir())),
    }


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _timeless(part) for name, part in value.items() if name not in TIMED}
    return value


def undisturbed(folder: Path, settings: list[str]) -> tuple[dict[str, str], float]:
    """The fingerprint of a run left alone, and how many seconds it took."""
    began = time.monotonic()
    process = start(folder, settings)
    process.join(GRACE)
    if process.exitcode != 0:
        raise RuntimeError(f"the run left alone ended with {process.exitcode}")
    return fingerprint(folder / "run"), time.monotonic() - began


def tormented(
    folder: Path, settings: list[str], rng: random.Random, tally: Tally, limits: tuple[int, float]
) -> dict:
    """The fingerprint of a run that is killed again and again, `limits[0]` times in all, after ≤ `limits[1]` s."""
    kills, longest = limits
    while tally.kills < kills:
        process = start(folder, settings)
        _wait(process, folder / "run" / "checkpoints", rng, longest)
        if process.exitcode is not None:
            break
        process.kill()
        process.join()
        _note(folder / "run" / "checkpoints", tally)
    process = start(folder, settings)
    process.join(GRACE)
    if process.exitcode != 0:
        raise RuntimeError(f"a run ended with {process.exitcode} when it was resumed")
    return fingerprint(folder / "run")


def _wait(process: Any, checkpoints: Path, rng: random.Random, longest: float) -> None:
    """Until a random moment: one time in three any, else one within or soon after the writing of a checkpoint."""
    if rng.random() < 1 / 3:
        process.join(rng.uniform(0.0, longest))
        return
    while process.exitcode is None and not (checkpoints / ".saving").exists():
        time.sleep(0.001)
    time.sleep(rng.uniform(0.0, SAVING))


def _note(checkpoints: Path, tally: Tally) -> None:
    tally.kills += 1
    tally.in_a_save += (checkpoints / ".saving").exists()
    tally.before_the_first += not any(checkpoints.glob("checkpoint-*"))


def soak(base: Path, kills: int, seed: int, settings: list[str] | None = None) -> Tally:
    """Kill until there were `kills`, over as many runs as that takes; raises AssertionError at a difference."""
    rng, tally, chosen = random.Random(seed), Tally(), settings or []
    base.mkdir(parents=True, exist_ok=True)
    questions(base / "questions.jsonl")
    wanted, seconds = undisturbed(base / "undisturbed", chosen)
    while tally.kills < kills:
        folder = base / "tormented"
        found = tormented(folder, chosen, rng, tally, (kills, 0.7 * seconds))
        assert found == wanted, {name for name in wanted if found[name] != wanted[name]}
        shutil.rmtree(folder)
    return tally


def main() -> None:
    """Run the soak and say what came of it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", action="append", default=[], dest="settings")
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        tally = soak(Path(folder), options.kills, options.seed, options.settings)
    where = f"{tally.in_a_save} while a checkpoint was being written, {tally.before_the_first} before the first"
    same = "weights, completions, metrics and results are those of the run left alone"
    print(f"{tally.kills} SIGKILLs ({where}), seed {options.seed}: {same}; {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    sys.exit(main())
