"""Word problems of another generator, offline: what sharpening reaches where 60 live steps moved nothing.

Run: python -m benchmarks.word_problems_offline FOLDER DIRECTORY [SEED…]    (FOLDER: of `benchmarks.word_problems`)

480 questions × 4 wordings × 8 completions are the 15,360 of the live runs in docs/study.md; a seed draws its own.
The arms: the game at power 4 without labels, labels, fine-tuning on the vote over the wordings, and the control.
One row per run is added to DIRECTORY/rows.jsonl; killed and run again, it resumes.
"""

from __future__ import annotations

import sys
import time
from itertools import product
from pathlib import Path
from typing import Any, cast

import numpy as np

import alft
from alft.evaluation.intervals import intervals
from alft.evaluation.recorded import read_recorded
from alft.simplex import LARGEST_POWER
from benchmarks.rows import add, known, rows, write_table
from benchmarks.word_problems import TOKENS

OFFLINE = {"samples": 8, "scored": False}
TRAINING = {"trainer": "offline", "max_new_tokens": TOKENS, "learning_rate": 5e-4, "threads": 1}
ARMS: dict[str, dict[str, Any]] = {
    "power 4": {"scoring": {"power": 4}},
    "labels": {"game": "correctness"},
    "vote": {"game": [{"game": "coherence_fixed", "kind": "arithmetic", "power": LARGEST_POWER}]},
    "format": {"game": "format"},
}


def main(folder: Path, directory: Path, seeds: list[int]) -> None:
    """The arms of all seeds that are not known yet, and the table."""
    directory.mkdir(parents=True, exist_ok=True)
    for seed, arm in product(seeds, ARMS):
        if not known(directory, {"arm": arm, "seed": seed}):
            began = time.process_time()
            made = run(folder, directory, arm, seed)
            add(directory, {**made, "cpu_seconds": round(time.process_time() - began)})
            write_table(directory)
        show(rows(directory))


def run(folder: Path, directory: Path, arm: str, seed: int) -> dict[str, Any]:
    """One run, and its row."""
    place = directory / f"{arm.replace(' ', '-')}-{seed}"
    config = {
        "model": {"path": str(folder / "model")},
        "data": {"path": str(folder / "questions.jsonl"), "eval_path": str(folder / "held_out.jsonl")},
        "offline": OFFLINE,
        "evaluation": {"questions": 128, "samples": 8},
        "output": {"directory": str(directory), "name": place.name},
        **ARMS[arm],
        "training": {**TRAINING, "seed": seed},
    }
    config["data"]["instruction"] = ""
    done = cast(dict[str, Any], alft.train(config, resume=(place / "config.yaml").exists()).results)
    measured = read_recorded(place).evaluations
    by_question = {
        phase: measured[phase].measured.by_view["accuracy_sampled"].round(4).tolist()
        for phase in ("before", "after")
    }
    return {
        "arm": arm,
        "seed": seed,
        **by_question,
        "views": list(measured["after"].views),
        "vote": done["before"]["consensus"],
        "solution": done["solution"]["metrics"],
        **{name: done["after"][name] for name in ("agreement_greedy", "unread")},
        **{name: done["difference"][name]["mean"] for name in ("learnt", "corrupted")},
    }


def show(found: list[dict[str, Any]]) -> None:
    """Sampled accuracy by arm with its interval over questions, by wording, and the change."""
    for arm in ARMS:
        runs = [row for row in found if row["arm"] == arm]
        if not runs:
            continue
        after, before = (np.mean([row[phase] for row in runs], axis=0) for phase in ("after", "before"))
        for name, values in (("before", before), ("after", after), ("after − before", after - before)):
            low, high = intervals(values.mean(axis=1)[:, None])[0]
            by_view = " ".join(f"{value:+.3f}" for value in values.mean(axis=0))
            print(f"{arm:8} {len(runs)} seeds {name:15} {values.mean():+.3f} [{low:+.3f}, {high:+.3f}]  {by_view}")
    sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), [int(seed) for seed in sys.argv[3:]] or [0, 1, 2])
