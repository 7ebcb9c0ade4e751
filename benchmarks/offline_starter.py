"""One sampling pass and one epoch on the starter, without labels: predicted, checked on fresh samples, measured.

Run: python -m benchmarks.offline_starter DIRECTORY SEED…     (about four CPU minutes a seed)

Killed and run again, it resumes. Each seed draws its own 256 training questions: 256 × 4 views × 16 = 16,384
completions. Hard geometric coherence, one epoch. With `sweep RATE…` for the seeds: learning rates, tried on a seed
and on questions of their own.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from alft import starter
from alft.config.schema import ModelConfig
from alft.evaluation import EvaluationSettings, evaluate_model
from alft.evaluation.intervals import bootstrap
from alft.games import GeometricCoherence
from alft.models.base import Sampling
from alft.models.local import LocalModel
from alft.offline import Request, Samples, SolveSettings, read_samples, sample, solve_samples
from alft.offline.reweight import reference_marginals
from alft.offline.solve import Solution
from alft.questions import Question
from alft.reporting.progress import quiet_libraries

QUESTIONS, SAMPLES, FRESH, CHECKED, HELD_OUT = 256, 16, 256, 32, 128
MAX_NEW_TOKENS, BATCH = 40, 1024
LEARNING_RATE, SWEEP_SEED, SWEEP_MEASURED = 5e-4, 100, 64


def main(directory: Path, seeds: list[int]) -> None:
    """All seeds, one after the other."""
    quiet_libraries()
    held_out = starter.held_out_questions(HELD_OUT)
    base = ModelConfig()
    asked = collected(directory / "held-out.parquet", base, held_out, SAMPLES, 10_000)
    predicted = solved(asked).summary()["metrics"]
    print(f"held-out, predicted from {SAMPLES} samples a view: {told(predicted)}", flush=True)
    print(f"held-out, before: {measured(directory / 'before.json', base, held_out)}", flush=True)
    for seed in seeds:
        train(directory / f"seed-{seed}", seed, held_out)
    for seed in seeds:
        check(directory / f"seed-{seed}", seed)


def sweep(directory: Path, rates: list[float]) -> None:
    """One pass, one epoch at each learning rate; measured on questions that nothing else here sees."""
    from alft.offline.distill import distill
    from alft.offline.trainer import Training

    quiet_libraries()
    drawn = starter.training_questions(SWEEP_SEED, QUESTIONS + SWEEP_MEASURED)
    trained, apart = drawn[:QUESTIONS], drawn[QUESTIONS:]
    solution = solved(collected(directory / "samples.parquet", ModelConfig(), trained, SAMPLES, SWEEP_SEED))
    print(f"before: {measured(directory / 'before.json', ModelConfig(), apart)}", flush=True)
    for rate in rates:
        path = distill(
            solution.weighted, ModelConfig(), Training(rate, seed=SWEEP_SEED), directory / f"rate-{rate:g}"
        )
        after = measured(directory / f"rate-{rate:g}.json", ModelConfig(path=str(path)), apart)
        print(f"learning rate {rate:g}: {after}", flush=True)


def train(directory: Path, seed: int, held_out: list[Question]) -> None:
    """Sample, solve, distill, measure on held-out questions."""
    from alft.offline.distill import distill
    from alft.offline.trainer import Training

    directory.mkdir(parents=True, exist_ok=True)
    questions = starter.training_questions(seed, QUESTIONS)
    solution = solved(collected(directory / "samples.parquet", ModelConfig(), questions, SAMPLES, seed))
    summary = solution.summary()
    print(f"seed {seed}: predicted on {QUESTIONS} training questions {told(summary['metrics'])}", flush=True)
    print(f"  effective samples {summary['effective_samples']}, reached {summary['reached']:.3f}", flush=True)
    began = time.monotonic()
    path = distill(solution.weighted, ModelConfig(), Training(LEARNING_RATE, seed=seed), directory / "run")
    print(f"  distilled in {time.monotonic() - began:.0f} s (0: done before)", flush=True)
    model = ModelConfig(path=str(path))
    print(f"  held-out after: {measured(directory / 'after.json', model, held_out)}", flush=True)


def check(directory: Path, seed: int) -> None:
    """What was predicted, beside fresh samples of the reference reweighted, and the distilled model's own."""
    checked = starter.training_questions(seed, QUESTIONS)[:CHECKED]
    solution = solved(read_samples(directory / "samples.parquet"))
    model = ModelConfig(path=str(directory / "run" / "model"))
    fresh = collected(directory / "fresh.parquet", ModelConfig(), checked, FRESH, 20_000 + seed)
    found = {
        f"predicted from {SAMPLES} a view": accuracy_after(solution)[:CHECKED],
        f"{FRESH} fresh reference samples a view, reweighted": reweighted(solution, fresh),
        f"consensus of those {FRESH} themselves": accuracy_after(solved(fresh)),
        "the reference, fresh samples": by_question(fresh),
        "distilled model, 64 samples a view": own_accuracy(directory / "checked.parquet", model, checked),
    }
    print(f"seed {seed}:")
    for name, values in found.items():
        low, high = bootstrap(values[:, None])[0]
        print(f"  {CHECKED} training questions, {name}: {values.mean():.3f} [{low:.3f}, {high:.3f}]", flush=True)


def collected(path: Path, chosen: ModelConfig, questions: list[Question], samples: int, seed: int) -> Samples:
    """The samples file of a model on questions, made if it is not there."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        request = Request(questions, Sampling(samples, False, MAX_NEW_TOKENS, BATCH, seed), "starter")
        sample(request, LocalModel(*loaded(chosen), chosen.path), path)
    return read_samples(path)


def solved(samples: Samples) -> Solution:
    """Hard geometric coherence."""
    return solve_samples(samples, SolveSettings(GeometricCoherence()), "coherence_geometric")


def accuracy_after(solution: Solution) -> np.ndarray:
    """Predicted accuracy, axis (question)."""
    return solution.outlook.after["accuracy"]


def reweighted(solution: Solution, fresh: Samples) -> np.ndarray:
    """Accuracy of fresh samples, weighted by ν*(a)/ν_0(a) of the first pass within each view, axis (question)."""
    ratio = ratios(solution)
    weight = np.array(
        [
            ratio.get((fresh.questions[q], fresh.views[v], fresh.keys[k] if k >= 0 else None), 0.0)
            for q, v, k in zip(fresh.question, fresh.view, fresh.key, strict=True)
        ]
    )
    place = fresh.question * len(fresh.views) + fresh.view
    total = np.bincount(place, weight)
    right = np.bincount(place, weight * fresh.right)
    return (right / total).reshape(-1, len(fresh.views)).mean(axis=1)


def ratios(solution: Solution) -> dict[tuple[str, str, str | None], float]:
    """ν*(a)/ν_0(a) by question, view and key, from the completions of the first pass."""
    samples, tallies = solution.samples, solution.tallies
    found: dict[tuple[str, str, str | None], float] = {}
    for part in solution.reweighting.solved:
        reference = reference_marginals(part.batch.counts, solution.settings.pooled)
        ratio = np.divide(part.nu, reference, out=np.zeros_like(part.nu), where=reference > 0)
        question, rows = tallies.rows(part.batch.questions)
        values = ratio[question, tallies.view[rows], tallies.answer[rows]]
        for row, value in zip(rows, values, strict=True):
            key = samples.keys[samples.key[row]]
            place = samples.questions[samples.question[row]], samples.views[samples.view[row]], key
            found[place] = float(value)
    return found


def own_accuracy(path: Path, model: ModelConfig, questions: list[Question]) -> np.ndarray:
    """Accuracy of a model's own samples, axis (question)."""
    return by_question(collected(path, model, questions, 64, 30_000))


def by_question(samples: Samples) -> np.ndarray:
    """Share of right completions, axis (question)."""
    return np.bincount(samples.question, samples.right) / np.bincount(samples.question)


def measured(path: Path, chosen: ModelConfig, questions: list[Question]) -> str:
    """Sampled accuracy by view and greedy agreement of a model, measured once and kept."""
    if not path.exists():
        settings = EvaluationSettings(SAMPLES, MAX_NEW_TOKENS, BATCH, seed=1234)
        path.write_text(json.dumps(evaluate_model(*loaded(chosen), questions, settings).summary()))
    summary = json.loads(path.read_text())
    sampled = summary["accuracy_sampled"]
    views = {name: round(value, 3) for name, value in sampled["by_view"].items()}
    return (
        f"sampled {sampled['mean']:.3f} {np.round(sampled['interval'], 3).tolist()}, by view {views}, "
        f"greedy {summary['accuracy_greedy']['mean']:.3f}, greedy agreement {summary['agreement_greedy']:.3f}, "
        f"unread {summary['unread']:.4f}"
    )


def told(metrics: dict) -> str:
    """Now → after with the interval of what is predicted."""
    return ", ".join(
        f"{name} {m['now']['mean']:.3f} → {m['after']['mean']:.3f} {np.round(m['after']['interval'], 3).tolist()}"
        for name, m in metrics.items()
    )


def loaded(chosen: ModelConfig) -> tuple[Any, Any]:
    """Model and tokenizer, on one thread."""
    import torch

    from alft.models.loading import load_model

    torch.set_num_threads(1)
    return load_model(chosen)


if __name__ == "__main__" and sys.argv[2:3] == ["sweep"]:
    sweep(Path(sys.argv[1]), [float(rate) for rate in sys.argv[3:]])
elif __name__ == "__main__":
    main(Path(sys.argv[1]), [int(seed) for seed in sys.argv[2:]])
