"""Games on a live model: diversity, safety and parity, over seeds, on held-out questions.

Run: python -m benchmarks.games diversity|safety|parity [SEED …]     (seeds 0 1 2; CPU, a minute or two a run)

Each run is `alft train recipes/NAME.yaml` with the changes of its arm, in runs/games; one that is there already
is not run again. Differences are paired by question, the mean over seeds; intervals are 95 %, over questions.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from rich.console import Console

from alft import simplex
from alft.config_file import load_config
from alft.evaluation import Evaluation
from alft.evaluation.intervals import intervals
from alft.evaluation.metrics import pass_at_k
from alft.evaluation.population import parity_summary
from alft.plan import make_plan
from alft.report.runs import Run, load_run

RUNS = Path("runs/games")
SEEDS = (0, 1, 2)
UNLUCKY = "4"


def run(recipe: str, arm: str, settings: Sequence[str], seed: int) -> Run:
    """The finished run of an arm, from disk if it was made before."""
    from alft.training.run import train

    name = f"{recipe}-{arm}-{seed}"
    if not (RUNS / name / "results.json").is_file():
        own = [f"training.seed={seed}", f"output.name={name}", f"output.directory={RUNS}", "training.threads=1"]
        train(
            make_plan(load_config(Path(f"recipes/{recipe}.yaml"), [*settings, *own])), Console(file=io.StringIO())
        )
    return load_run(RUNS / name)


def shown(values: np.ndarray, *, differences: bool = False) -> str:
    """Mean of values over questions, with its interval."""
    low, high = intervals(values[:, None], differences=differences)[0]
    return f"{np.nanmean(values):+.3f} [{low:+.3f}, {high:+.3f}]"


def validity(evaluation: Evaluation) -> np.ndarray:
    """Share of the sampled answers that are right, axes (question)."""
    return evaluation.grids[0].right.mean(axis=(1, 2))


def valid_entropy(evaluation: Evaluation) -> np.ndarray:
    """Entropy of a view's right answers in nats, plug-in, mean over views, axes (question); 0 if none is right."""
    codes, right = (
        grid.reshape(-1, grid.shape[-1]) for grid in (evaluation.grids[0].codes, evaluation.grids[0].right)
    )
    counts = [
        np.bincount(row[mark == 1], minlength=codes.max() + 1) for row, mark in zip(codes, right, strict=True)
    ]
    entropy = simplex.entropy(simplex.normalise(np.array(counts, dtype=float)))
    return np.asarray(entropy).reshape(evaluation.grids[0].codes.shape[:2]).mean(axis=1)


def pass_at_8(evaluation: Evaluation) -> np.ndarray:
    """pass@8, mean over views, axes (question)."""
    return pass_at_k(evaluation.grids[0].right, 8).mean(axis=1)


def unlucky(evaluation: Evaluation) -> np.ndarray:
    """Share of the sampled answers with the digit 4, axes (question)."""
    flags: dict[str, list[bool]] = {name: [] for name in evaluation.questions}
    for record in evaluation.records:
        if record.kind == "sampled" and record.key is not None:
            flags[record.question].append(UNLUCKY in record.key[:2])
    return np.array([np.mean(of_question) for of_question in flags.values()])


Measure = Callable[[Evaluation], np.ndarray]


def compare(recipe: str, arms: dict[str, list[str]], measures: dict[str, Measure], seeds: Sequence[int]) -> None:
    """Before and after by seed and arm, then the first arm less the second, paired by question, mean of seeds."""
    pooled: dict[str, list[np.ndarray]] = {name: [] for name in measures}
    for seed in seeds:
        runs = {arm: run(recipe, arm, settings, seed) for arm, settings in arms.items()}
        for name, measure in measures.items():
            after = [measure(one.evaluations["after"]) for one in runs.values()]
            told = "   ".join(f"{arm} {shown(values)}" for arm, values in zip(runs, after, strict=True))
            before = measure(next(iter(runs.values())).evaluations["before"])
            print(f"seed {seed}  {name:28} before {shown(before)}   {told}", flush=True)
            pooled[name].append(after[0] - after[1])
    first, second = arms
    for name, differences in pooled.items():
        mean = np.mean(differences, axis=0)
        print(f"{first} less {second}, mean of seeds: {name:28} {shown(mean, differences=True)}")


def diversity(seeds: Sequence[int]) -> None:
    """Must-show 1: entropy of valid answers against correctness alone."""
    arms = {"diversity": [], "correctness": ["game=correctness"]}
    measures = {"valid answers": validity, "entropy of valid answers": valid_entropy, "pass@8": pass_at_8}
    compare("diversity", arms, measures, seeds)


def safety(seeds: Sequence[int]) -> None:
    """Must-show 2: the flagged share, and where the multiplier goes."""
    arms: dict[str, list[str]] = {"limit": [], "free": ["constraints=[]"]}
    compare("safety", arms, {"valid answers": validity, "answers with a 4": unlucky}, seeds)
    for seed in seeds:
        steps, played = run("safety", "limit", [], seed).curve("multiplier/four")
        cost = run("safety", "limit", [], seed).curve("cost/four")[1]
        late = np.array(played[-len(steps) // 4 :])
        print(
            f"seed {seed}  multiplier: largest {max(played):.2f}, "
            f"last quarter {late.mean():.2f} ± {late.std():.2f}; "
            f"running share in training, first {cost[0]:.3f}, last {cost[-1]:.3f}, "
            f"first step at most 0.05: {next((s for s, c in zip(steps, cost, strict=True) if c <= 0.05), None)}"
        )


def parity(seeds: Sequence[int]) -> None:
    """Must-show 3: divergence between the groups' answers, and accuracy."""
    arms: dict[str, list[str]] = {"parity": [], "without": ["parity=null"]}
    compare("parity", arms, {"right answers": validity}, seeds)
    for seed in seeds:
        for arm, settings in arms.items():
            one = run("parity", arm, settings, seed)
            for phase in ("before", "after"):
                told = parity_summary(one.evaluations[phase])
                low, high = told["interval"]
                value, null = told["parity"], told["null"]
                print(f"seed {seed}  {arm:8} {phase:6} {value:.4f} [{low:.4f}, {high:.4f}], null {null:.4f}")


SHOWS = {"diversity": diversity, "safety": safety, "parity": parity}

if __name__ == "__main__":
    wanted, *seeds = sys.argv[1:]
    SHOWS[wanted]([int(seed) for seed in seeds] or SEEDS)
