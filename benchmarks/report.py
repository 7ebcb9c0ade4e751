"""How long `alft report` takes on long runs, on run directories made up for the purpose, with the real schema.

Run: python -m benchmarks.report [runs] [steps]. By default 10 runs of 1,000 steps: 256 training completions a
step, 128 held-out questions × 4 views × (8 samples + 1 greedy) before and after. Answers and metrics are drawn at
random: the figures in the report mean nothing, only its time and size do. It prints CPU and wall seconds of the
command in its own process, largest memory, and the size of the page: 8 CPU seconds by default.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from alft import starter
from alft.completions import Completion, Kind
from alft.config.load import dump_config
from alft.config.schema import RunConfig
from alft.evaluation import Evaluation, compare
from alft.plan.defaults import resolve
from alft.questions import Question, dump_questions
from alft.storage.files import write_json, write_text
from alft.training.rundir import RunDirectory, environment

PER_STEP, QUESTIONS, SAMPLES, ANSWERS = 256, 128, 8, 12
KINDS: tuple[tuple[Kind, int], ...] = (("greedy", 1), ("sampled", SAMPLES))
LOGGED = ("accuracy", "incoherence", "incoherence_corrected", "incoherence_euclidean", "agreement", "entropy",
          "unread", "dominant_share", "pooled_entropy", "kl", "loss", "grad_norm", "reward")  # fmt: skip


def make_run(path: Path, steps: int, seed: int) -> None:
    """A run directory as `alft train` writes it, with random content."""
    rng = np.random.default_rng(seed)
    questions = starter.held_out_questions(QUESTIONS)
    path.mkdir()
    run = RunDirectory(path)
    write_text(path / "config.yaml", dump_config(resolve(RunConfig(), RunConfig().game.build())))
    write_json(path / "environment.json", environment())
    dump_questions(questions, path / "questions.jsonl")
    before, after = (_evaluation(questions, rng, right) for right in (0.5, 0.8))
    run.log_completions(before.records, "before")
    for step in range(steps):
        run.log_step({"step": step + 1, **dict(zip(LOGGED, rng.random(len(LOGGED)).tolist(), strict=True))})
        run.log_completions(_training_rows(questions, rng), "train", step)
    run.log_completions(after.records, "after")
    run.close()
    training = {
        "game": "coherence_geometric",
        "steps": steps,
        "completions": steps * PER_STEP,
        "seconds": 60.0 * steps,
    }
    results = {"before": before.summary(), "after": after.summary(), "difference": compare(before, after)}
    write_json(path / "results.json", {**results, "training": {**training, "stopped": None}})
    run.tidy()


def _evaluation(questions: list[Question], rng: np.random.Generator, right: float) -> Evaluation:
    records = []
    for question in questions:
        for view in question.views:
            for kind, count in KINDS:
                for sample in range(count):
                    key = str(question.answer) if rng.random() < right else str(rng.integers(ANSWERS))
                    told = f"step by step #### {key}"
                    where = {"question": question.id, "view": view.name, "kind": kind, "sample": sample}
                    records.append(Completion(told, key=key, right=key == question.answer, **where))
    return Evaluation(tuple(records))


def _training_rows(questions: list[Question], rng: np.random.Generator) -> list[Completion]:
    keys = rng.integers(ANSWERS, size=PER_STEP)
    return [
        Completion(
            f"12+7=19-4=15 #### {key}",
            question=questions[index % QUESTIONS].id,
            view="plain",
            sample=index % SAMPLES,
            key=str(key),
            right=bool(key == 0),
        )
        for index, key in enumerate(keys.tolist())
    ]


def main(runs: int = 10, steps: int = 1000) -> None:
    """Make the runs, report on them, print what it took."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"run-{index}" for index in range(runs)]
        for index, path in enumerate(paths):
            make_run(path, steps, index)
        page = Path(folder) / "report.html"
        command = [sys.executable, "-c", "from alft.cli.main import main; main()", "report", *map(str, paths)]
        started = time.monotonic()
        subprocess.run([*command, "-o", str(page)], check=True, stdout=subprocess.DEVNULL, env={**os.environ})
        wall, used = time.monotonic() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
        size = page.stat().st_size / 1e6
    print(f"{runs} runs of {steps} steps: {wall:.1f} s wall, {used.ru_utime + used.ru_stime:.1f} s CPU, ", end="")
    print(f"{used.ru_maxrss / 1e6:.2f} GB at most, page of {size:.1f} MB")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
