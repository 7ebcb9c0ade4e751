"""A pretrained model and no label, by `alft train` itself, beside its controls and its rivals.

Run: python -m benchmarks.real_runs MODEL DIRECTORY TASK [--seeds 0 1 2] [--arms agreement format …]

Of a task of `benchmarks.real_tasks` (also a relation of ParaRel, as it says there) 48 questions are held out (a
third, where there are fewer), the same for every seed, and a seed draws 96 others to train on (or three quarters
of the rest). The runs of a seed share its 8 completions a view. Except in those called `borrowed`, a view is
trained on its own completions only.

    agreement  coherence at power 4, no labels
    borrowed   the same, and a view is trained on completions of other views too, by how likely they are under it;
               borrowed-16: at power 16
    format     every readable completion weighs the same: what learning the form alone gains
    random     the readable completions whose fair coin is 1: what training on any of them gains
    sharpen    each view to the power 4 by itself: what being sure alone gains
    vote       the answer that most completions of all views give, no labels
    labels     the right answer
    vote-borrowed, labels-borrowed: the same, trained on other views' completions too, as borrowed
    live       agreement by GRPO, no labels: 14 steps of 4 questions, which sample as many completions of 56
               questions as the others do once; live-labels: correctness in the same way; live-format, live-random:
               the controls; live-majority_pooled, live-majority_cross, live-majority: votes;
               live-1e-06, live-1e-05, live-4e-05, live-format-1e-06, …: at other learning rates than 2e-5;
               live-lora-1e-05, live-lora-0.0001, live-lora-0.0002: an adapter alone is trained

All seeds of an arm come before the next arm. One row per run is added to DIRECTORY/rows.jsonl as soon as it is
known; killed and run again, it resumes. DIRECTORY/rows.parquet holds the same rows. The end prints a table, and
differences paired over held-out questions.
"""

from __future__ import annotations

import argparse
import sys
import time
from itertools import product
from pathlib import Path
from typing import Any, cast

import numpy as np

import alft
from alft.evaluation import Evaluation
from alft.evaluation.intervals import intervals
from alft.evaluation.recorded import read_recorded
from alft.questions import Question, dump_questions
from alft.simplex import LARGEST_POWER
from benchmarks.real_tasks import TASKS, questions
from benchmarks.rows import add, known, rows, write_table

HELD_OUT, TRAINED, SAMPLES = 48, 96, 8
OFFLINE = {"samples": SAMPLES, "borrow": False, "share_prompts": True}
TRAINING = {"max_new_tokens": 6, "stop": ["\n"]}
LIVE = {"trainer": "grpo", "steps": 14, "questions_per_step": 4, "samples": SAMPLES, "learning_rate": 2e-5}
LIVE |= {"micro_batch_size": 96}  # whole: prompts are read once
BORROWING = {**OFFLINE, "borrow": True, "scored": True}
VOTE = [{"game": "coherence_fixed", "kind": "arithmetic", "power": LARGEST_POWER}]
RIVALS = ("format", "random", "majority_pooled", "majority_cross", "majority")
ARMS: dict[str, dict[str, Any]] = {
    "agreement": {"scoring": {"power": 4}},
    "borrowed": {"scoring": {"power": 4}, "offline": BORROWING},
    "borrowed-16": {"scoring": {"power": 16}, "offline": BORROWING},
    "format": {"game": "format"},
    "random": {"game": "random"},
    "sharpen": {"game": "format", "scoring": {"power": 4}},
    "labels": {"game": "correctness"},
    "labels-borrowed": {"game": "correctness", "offline": BORROWING},
    "vote": {"game": VOTE},
    "vote-borrowed": {"game": VOTE, "offline": BORROWING},
    "live": {"game": "agreement", "training": LIVE},
    "live-labels": {"game": "correctness", "training": LIVE},
    **{f"live-{game}": {"game": game, "training": LIVE} for game in RIVALS},
}
ARMS |= {
    f"{arm}-{rate:g}": {**ARMS[arm], "training": {**LIVE, "learning_rate": rate}}
    for arm, rate in product(("live", "live-format", "live-labels"), (1e-6, 1e-5, 4e-5))
}
ARMS |= {
    f"live-lora-{rate:g}": {**ARMS["live"], "lora": {"rank": 16}, "training": {**LIVE, "learning_rate": rate}}
    for rate in (1e-5, 1e-4, 2e-4)
}
MEASURES = ("sampled", "readable", "greedy", "agreement", "worst", "unseen")
"""Accuracies over the wordings trained on; agreement between all; accuracy in the unseen one, if there is one."""


def main(model: str, directory: Path, task: str, seeds: list[int], arms: list[str]) -> None:
    """The arms of all seeds, and the table."""
    path, task = task, Path(task).name
    directory.mkdir(parents=True, exist_ok=True)
    for arm, seed in product(arms, seeds):
        if not known(directory, {"task": task, "arm": arm, "seed": seed}):
            began = time.process_time()
            made = run(model, directory, (path, arm, seed), ARMS[arm])
            add(directory, {**made, "cpu_seconds": round(time.process_time() - began)})
            write_table(directory)
        show([row for row in rows(directory) if row["task"] == task])


def run(model: str, directory: Path, which: tuple[str, str, int], settings: dict[str, Any]) -> dict[str, Any]:
    """One run, and its row."""
    path, arm, seed = which
    task = Path(path).name
    train, held_out = (directory / f"{task}-{name}.jsonl" for name in (seed, "held-out"))
    for asked, place in zip(split(path, seed), (train, held_out), strict=True):
        dump_questions(asked, place)
    config = {
        "model": {"path": model, "chat": "plain"},
        "data": {"path": str(train), "eval_path": str(held_out), "instruction": ""},
        "answers": {"pattern": r"^\s*(\S[^\n]*)"},
        "offline": OFFLINE,
        "evaluation": {"questions": HELD_OUT, "samples": SAMPLES, "batch_size": 256},
        "output": {"directory": str(directory), "name": f"{task}-{arm}-{seed}"},
        **settings,
        "training": {"trainer": "offline", **settings.get("training", {}), **TRAINING, "seed": seed},
    }
    place = directory / f"{task}-{arm}-{seed}"
    done = cast(dict[str, Any], alft.train(config, resume=(place / "config.yaml").exists()).results)
    (place / "model" / "model.safetensors").unlink()  # half a gigabyte a run
    measured = read_recorded(place).evaluations
    return {
        "task": task,
        "arm": arm,
        "seed": seed,
        "before": by_question(measured["before"]),
        "after": by_question(measured["after"]),
        "unread": done["after"]["unread"],
        "unread_before": done["before"]["unread"],
        "vote": done["before"]["consensus"],
        "solution": {key: done.get("solution", {}).get(key) for key in ("borrowed", "unread", "metrics")},
    }


def split(task: str, seed: int) -> tuple[list[Question], list[Question]]:
    """The questions that a seed trains on, and those held out."""
    asked = questions(task)
    left = len(asked) - min(HELD_OUT, len(asked) // 3)
    drawn = np.random.default_rng(seed).permutation(left)[: min(TRAINED, left * 3 // 4)]
    return [asked[place] for place in drawn], questions(task, unseen=True)[left:]


def by_question(found: Evaluation) -> dict[str, list[float]]:
    """Each of MEASURES for each question."""
    by_view, overall = found.measured.by_view, found.measured.overall
    seen = [name != "unseen" for name in found.views]
    names = {"sampled": "accuracy_sampled", "readable": "accuracy_readable", "greedy": "accuracy_greedy"}
    told = {name: np.nanmean(by_view[key][:, seen], axis=1) for name, key in names.items()}
    told |= {"agreement": overall["agreement_greedy"], "worst": by_view["accuracy_sampled"][:, seen].min(axis=1)}
    if not all(seen):
        told["unseen"] = by_view["accuracy_sampled"][:, found.views.index("unseen")]
    return {name: values.round(4).tolist() for name, values in told.items()}


def show(known: list[dict[str, Any]]) -> None:
    """Means with intervals by arm, and what the label-free games add to each other arm, over the questions."""
    arms = {arm: [row for row in known if row["arm"] == arm] for arm in ARMS}
    print(f"{'':34}" + "".join(f"{name:>24}" for name in MEASURES))
    print(f"{'before':34}" + told([row["before"] for row in known]))
    for arm, found in arms.items():
        if found:
            seeds = sorted(row["seed"] for row in found)
            print(f"{arm + ' ' + str(seeds):34}" + told([row["after"] for row in found]))
    for ours, arm in product(("agreement", "borrowed", "borrowed-16", "live"), ARMS):
        pairs = [(a, b) for a, b in product(arms[ours], arms[arm]) if a["seed"] == b["seed"] and ours != arm]
        if pairs:
            gained = [
                {name: (np.array(value) - b["after"][name]).tolist() for name, value in a["after"].items()}
                for a, b in pairs
            ]
            print(f"{ours + ' less ' + arm:34}" + told(gained))
    sys.stdout.flush()


def told(found: list[dict[str, list[float]]]) -> str:
    """Means over seeds and questions, with the interval over questions of the means over seeds."""
    cells = []
    for name in MEASURES:
        if any(name not in each for each in found):
            continue
        values = np.nanmean([each[name] for each in found], axis=0)
        low, high = intervals(values[:, None])[0]
        cells.append(f"{np.nanmean(values):+.3f} [{low:+.3f}, {high:+.3f}]")
    return "".join(f"{cell:>24}" for cell in cells)


def options() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a directory or Hub id")
    parser.add_argument("directory", type=Path)
    parser.add_argument("task", help=f"{', '.join(TASKS)}, or DIRECTORY/RELATION of ParaRel")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=[*ARMS])
    return parser.parse_args()


if __name__ == "__main__":
    main(**vars(options()))
