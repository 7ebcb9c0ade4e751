"""Games on a live model: diversity, safety and parity, over seeds, on held-out questions.

Run: python -m benchmarks.games diversity|safety|parity [SEED …]     (seeds 0 1 2; CPU, a minute or two a run)

Each run is `alft train recipes/NAME.yaml` with the changes of its arm, in runs/games; one that is there already
is not run again. Differences are paired by question, the mean over seeds; intervals are 95 %, over questions.
Accuracy elsewhere, for safety, is measured twice: on the completions that are not flagged (a question without any
has no say), and on all completions of the questions of which no right answer is flagged.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console

from alft import simplex
from alft.config.build import flags_of
from alft.config.load import load_config
from alft.evaluation import Evaluation
from alft.evaluation.intervals import intervals
from alft.evaluation.limits import limits_of, parity_summary
from alft.evaluation.metrics import pass_at_k
from alft.evaluation.recorded import read_recorded
from alft.plan.build import load_plan
from alft.questions import Question
from alft.reporting.runs import load_run

RUNS = Path("runs/games")
SEEDS = (0, 1, 2)
UNLUCKY = "4"
LIMIT = 0.05  # as in recipes/safety.yaml


@dataclass(frozen=True)
class Measured:
    """An evaluation on disk and the questions that were asked."""

    evaluation: Evaluation
    questions: Mapping[str, Question]


def run(recipe: str, arm: str, settings: Sequence[str], seed: int) -> dict[str, Measured]:
    """What the run of an arm measured, from disk if it was made before."""
    from alft.training.run import train

    name = f"{recipe}-{arm}-{seed}"
    if not (RUNS / name / "results.json").is_file():
        own = [f"training.seed={seed}", f"output.name={name}", f"output.directory={RUNS}", "training.threads=1"]
        train(
            load_plan(load_config(Path(f"recipes/{recipe}.yaml"), [*settings, *own])), Console(file=io.StringIO())
        )
    return read(name)


def read(name: str) -> dict[str, Measured]:
    """What a run on disk measured, by phase."""
    recorded = read_recorded(RUNS / name, texts=True)
    return {phase: Measured(recorded.evaluations[phase], recorded.questions) for phase in ("before", "after")}


def shown(values: np.ndarray, *, shares: bool = False) -> str:
    """Mean of values over questions, with its interval."""
    low, high = intervals(values[:, None], shares=shares)[0]
    return f"{np.nanmean(values):+.3f} [{low:+.3f}, {high:+.3f}]"


def validity(measured: Measured) -> np.ndarray:
    """Share of the sampled answers that are right, axes (question)."""
    return measured.evaluation.grids[0].right.mean(axis=(1, 2))


def valid_entropy(measured: Measured) -> np.ndarray:
    """Entropy of a view's right answers in nats, plug-in, mean over views, axes (question); 0 if none is right."""
    sampled = measured.evaluation.grids[0]
    codes, right = (grid.reshape(-1, grid.shape[-1]) for grid in (sampled.codes, sampled.right))
    counts = [
        np.bincount(row[mark == 1], minlength=codes.max() + 1) for row, mark in zip(codes, right, strict=True)
    ]
    entropy = simplex.entropy(simplex.normalise(np.array(counts, dtype=float)))
    return np.asarray(entropy).reshape(sampled.codes.shape[:2]).mean(axis=1)


def pass_at_8(measured: Measured) -> np.ndarray:
    """pass@8, mean over views, axes (question)."""
    return pass_at_k(measured.evaluation.grids[0].right, 8).mean(axis=1)


def flags(measured: Measured) -> list[np.ndarray]:
    """What the recipe's limit counts in each sampled completion, and whether it is right (question, sample)."""
    recipe = load_config(Path("recipes/safety.yaml"))
    limit = limits_of(recipe.constraints, flags_of(recipe))[0]
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in measured.evaluation.questions}
    for record in measured.evaluation.records:
        if record.kind == "sampled" and limit.cost is not None:
            found[record.question].append((limit.cost(record), float(bool(record.right))))
    table = np.array(list(found.values()))
    return [table[..., 0], table[..., 1]]


def flagged(measured: Measured) -> np.ndarray:
    """Share of the sampled completions that the recipe's limit counts, axes (question)."""
    return flags(measured)[0].mean(axis=1)


def right_of_unflagged(measured: Measured) -> np.ndarray:
    """Share of right ones among the completions that are not flagged, axes (question); nan where all are."""
    flag, right = flags(measured)
    left = (1 - flag).sum(axis=1)
    return np.divide((right * (1 - flag)).sum(axis=1), left, out=np.full(len(left), np.nan), where=left > 0)


def right_where_free(measured: Measured) -> np.ndarray:
    """Share of right completions, of questions without a right answer that is flagged; nan of the others."""
    asked = [measured.questions[name] for name in measured.evaluation.questions]
    free = [not any(UNLUCKY in text for text in (str(one.answer), *one.aliases)) for one in asked]
    return np.where(free, flags(measured)[1].mean(axis=1), np.nan)


Measure = Callable[[Measured], np.ndarray]


def compare(recipe: str, arms: dict[str, list[str]], measures: dict[str, Measure], seeds: Sequence[int]) -> None:
    """Before and after by seed and arm; then, paired by question, the first arm less its start and others."""
    pooled: dict[str, list[np.ndarray]] = {}
    first, *others = arms
    for seed in seeds:
        runs = {arm: run(recipe, arm, settings, seed) for arm, settings in arms.items()}
        for name, measure in measures.items():
            before = measure(runs[first]["before"])
            after = {arm: measure(one["after"]) for arm, one in runs.items()}
            told = "   ".join(f"{arm} {shown(values)}" for arm, values in after.items())
            print(f"seed {seed}  {name:28} before {shown(before)}   {told}", flush=True)
            pooled.setdefault(f"{name}, {first} less its start", []).append(after[first] - before)
            for other in others:
                pooled.setdefault(f"{name}, {first} less {other}", []).append(after[first] - after[other])
    for name, differences in pooled.items():
        print(f"mean of seeds: {name:60} {shown(mean_of(differences))}")


def mean_of(columns: Sequence[np.ndarray]) -> np.ndarray:
    """Mean over seeds of the values that are defined, axes (question); nan where none is."""
    values = np.array(columns)
    known = ~np.isnan(values)
    total = np.where(known, values, 0.0).sum(axis=0)
    return np.divide(total, known.sum(axis=0), out=np.full(len(total), np.nan), where=known.any(axis=0))


def diversity(seeds: Sequence[int]) -> None:
    """Must-show 1: entropy of valid answers against correctness alone."""
    arms = {"diversity": [], "correctness": ["game=correctness"]}
    measures = {"valid answers": validity, "entropy of valid answers": valid_entropy, "pass@8": pass_at_8}
    compare("diversity", arms, measures, seeds)


def safety(seeds: Sequence[int]) -> None:
    """Must-show 2: the flagged share, accuracy elsewhere, and where the multiplier goes."""
    arms: dict[str, list[str]] = {"limit": [], "free": ["constraints=[]"]}
    measures = {
        "flagged": flagged,
        "right": validity,
        "right of the unflagged": right_of_unflagged,
        "right where none is flagged": right_where_free,
    }
    compare("safety", arms, measures, seeds)
    for seed in seeds:
        kept = load_run(RUNS / f"safety-limit-{seed}")
        steps, played = kept.curve("multiplier/four")
        cost = kept.curve("cost/four")[1]
        late, costs = (np.array(values[-len(steps) // 4 :]) for values in (played, cost))
        first = next((s for s, c in zip(steps, cost, strict=True) if c <= LIMIT), None)
        then = max(c for s, c in zip(steps, cost, strict=True) if first is None or s >= first)
        print(
            f"seed {seed}  multiplier ≤ {max(played):.2f}, last quarter {late.mean():.2f} ± {late.std():.2f}; "
            f"running share: {cost[0]:.3f} at first, {LIMIT} at step {first}, then at most {then:.3f}, "
            f"last quarter {costs.mean():.3f}"
        )


def parity(seeds: Sequence[int]) -> None:
    """Must-show 3: divergence between the groups' answers, and accuracy."""
    arms: dict[str, list[str]] = {"parity": [], "without": ["parity=null"]}
    compare("parity", arms, {"right answers": validity}, seeds)
    for seed in seeds:
        for arm in arms:
            told = {}
            for phase, measured in read(f"parity-{arm}-{seed}").items():
                groups = {name: question.group for name, question in measured.questions.items() if question.group}
                told[phase] = parity_summary(measured.evaluation, groups)
            line = "   ".join(
                "{} {:.4f} [{:.4f}, {:.4f}] (null {:.4f})".format(
                    phase, one["parity"], *one["interval"], one["null"]
                )
                for phase, one in told.items()
            )
            share = told["after"]["parity"] / told["before"]["parity"]
            print(f"seed {seed}  {arm:8} divergence {line}   {share:.0%} of its start")


SHOWS = {"diversity": diversity, "safety": safety, "parity": parity}

if __name__ == "__main__":
    wanted, *seeds = sys.argv[1:]
    SHOWS[wanted]([int(seed) for seed in seeds] or SEEDS)
