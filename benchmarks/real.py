"""A pretrained model and no label: capitals asked in three wordings, played offline, beside the controls.

Run: python -m benchmarks.real MODEL DIRECTORY SEED…     (SmolLM2-135M-Instruct, one thread: 6–12 minutes an arm)

MODEL is a directory or Hub id of a small instruct model. Each seed holds out 32 countries and trains on the rest:
it samples 8 completions a wording (at most 12 tokens, temperature 1), solves, distills one epoch, and measures on
the held-out countries. All arms use the same completions: the game at several powers, with and without borrowed
completions (scored or not), labels, the vote's answer, and two controls. `format` lets every readable completion
of a wording weigh the same, so that only form is learnt. `format, same questions` borrows nothing, and keeps
to the questions that the game helps without borrowing, with as much weight in each wording.

All seeds of an arm come before the next arm. One row per arm and seed is added to DIRECTORY/rows.jsonl as soon as
it is known; killed and run again, it resumes.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from alft.answers import AnswerPolicy, ReadPolicy
from alft.config.schema import ModelConfig
from alft.evaluation import EvaluationSettings, evaluate_model
from alft.games import Correctness, FixedTargetCoherence, Format, GeometricCoherence
from alft.models.base import Sampling
from alft.models.loading import load_model, set_threads
from alft.models.local import LocalModel
from alft.offline import Request, Samples, SolveSettings, read_samples, sample, solve_samples
from alft.offline.distill import distill
from alft.offline.scores import scorer
from alft.offline.solve import Solution
from alft.offline.trainer import Training
from alft.questions import Question, View
from alft.reporting.progress import quiet_libraries
from alft.simplex import LARGEST_POWER
from benchmarks.real_tasks import PAIRS

CAPITALS = PAIRS["capitals"]
WORDINGS = ("What is the capital of {}?", "Which city is the capital of {}?", "Name the capital city of {}.")
ASKED = " Answer with one word or number only."
POLICY = AnswerPolicy(reading=ReadPolicy(pattern=rf"\b({'|'.join(map(re.escape, CAPITALS.values()))})\b"))
Solve = Callable[[Samples, ModelConfig], Solution]
HELD_OUT, SAMPLES, MEASURED, TOKENS, BATCH = 32, 8, 16, 12, 192
POWER_4 = SolveSettings(GeometricCoherence(), power=4.0)
OWN = replace(POWER_4, borrow=False)
VOTE = SolveSettings(FixedTargetCoherence("arithmetic", power=LARGEST_POWER), borrow=False)
ARMS: dict[str, Solve] = {
    "power 4, own only": lambda samples, model: solve_samples(samples, OWN, "coherence_geometric"),
    "format, same questions": lambda samples, model: same_questions(samples),
    "power 4, scored": lambda samples, model: solve_samples(
        samples, POWER_4, "coherence_geometric", scorer(samples, model)(samples)
    ),
    "labels": lambda samples, model: solve_samples(samples, SolveSettings(Correctness()), "correctness"),
    "vote": lambda samples, model: solve_samples(samples, VOTE, "fixed_target"),
    "power 4": lambda samples, model: solve_samples(samples, POWER_4, "coherence_geometric"),
    "format": lambda samples, model: solve_samples(samples, SolveSettings(Format()), "format"),
}


def main(model: str, directory: Path, seeds: list[int]) -> None:
    """All arms of all seeds, one after the other."""
    quiet_libraries()
    set_threads(1)
    directory.mkdir(parents=True, exist_ok=True)
    base = ModelConfig(path=model)
    parts = {seed: split(seed) for seed in seeds}
    for seed, (_, held_out) in parts.items():
        row(directory, seed, "before", partial(measured, base, held_out))
    for (name, solve), (seed, (train, held_out)) in product(ARMS.items(), parts.items()):
        samples = collected(directory / f"seed-{seed}" / "samples.parquet", base, train, seed)
        place = directory / f"seed-{seed}" / name.replace(" ", "-").replace(",", "")
        row(directory, seed, name, partial(arm, base, samples, (solve, seed), place, held_out))


def split(seed: int) -> tuple[list[Question], list[Question]]:
    """Countries to train on, and held out."""
    names = np.random.default_rng(seed).permutation(sorted(CAPITALS)).tolist()
    asked = [
        Question(
            name,
            tuple(View(w.format(name) + ASKED, f"wording {i}") for i, w in enumerate(WORDINGS)),
            CAPITALS[name],
        )
        for name in names
    ]
    return asked[HELD_OUT:], asked[:HELD_OUT]


def row(directory: Path, seed: int, name: str, make: Any) -> None:
    """Add a row, unless it is there."""
    path = directory / "rows.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    if any((each["seed"], each["arm"]) == (seed, name) for each in rows):
        return
    began = time.process_time()
    made = {"seed": seed, "arm": name, **make()}
    with path.open("a") as stream:
        stream.write(json.dumps({**made, "cpu_seconds": round(time.process_time() - began)}) + "\n")
    print(json.dumps(made), flush=True)


def collected(path: Path, model: ModelConfig, questions: list[Question], seed: int) -> Samples:
    """The samples file, made if it is not there."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        request = Request(questions, Sampling(SAMPLES, False, TOKENS, BATCH, seed), "capitals", POLICY)
        sample(request, LocalModel(*load_model(model), model.path), path)
    return read_samples(path)


def arm(
    model: ModelConfig, samples: Samples, how: tuple[Solve, int], place: Path, held_out: list[Question]
) -> dict[str, Any]:
    """Solve, distill, and measure on held-out questions."""
    solution = how[0](samples, model)
    made = distill(solution.weighted, model, Training(2e-5, seed=how[1]), place)
    return {**solved(solution), **measured(ModelConfig(path=str(made)), held_out)}


def same_questions(samples: Samples) -> Solution:
    """Form alone, on the questions that the game helps without borrowing, a wording's weight as large as there."""
    game = solve_samples(samples, OWN, "coherence_geometric")
    form = solve_samples(samples, SolveSettings(Format(), borrow=False), "format")
    views = samples.question * len(samples.views) + samples.view
    totals = [np.bincount(views, each.weights, minlength=views.max() + 1) for each in (game, form)]
    share = np.divide(totals[0], totals[1], out=np.zeros_like(totals[0]), where=totals[1] > 0)
    return replace(form, reweighting=replace(form.reweighting, weights=form.weights * share[views]))


def solved(solution: Solution) -> dict[str, Any]:
    """What the equilibrium rests on, and what it predicts on the questions to train on."""
    summary = solution.summary()
    readable = np.unique(solution.samples.question[solution.samples.key >= 0]).size
    return {
        "helped": int(solution.outlook.helped.sum()),
        "readable_questions": readable,
        "borrowed": summary["borrowed"],
        "train_unread": summary["unread"],
        "predicted": summary["metrics"]["accuracy"]["after"]["mean"],
    }


def measured(model: ModelConfig, questions: list[Question]) -> dict[str, Any]:
    """Accuracy by question, sampled and greedy, among all and among readable completions; votes; agreement."""
    settings = EvaluationSettings(MEASURED, TOKENS, BATCH, answers=POLICY)
    found = evaluate_model(*load_model(model), questions, settings)
    told = found.summary()
    by_question: dict[str, list[list[float]]] = {}
    for one in found.records:
        if one.kind == "sampled":
            place = by_question.setdefault(one.question, [[], []])
            place[0].append(float(bool(one.right)))
            place[1].append(float(one.key is not None))
    right, read = (np.array([np.mean(rows[i]) for rows in by_question.values()]) for i in (0, 1))
    return {"summary": told, "right": right.round(4).tolist(), "read": read.round(4).tolist()}


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), [int(seed) for seed in sys.argv[3:]])
