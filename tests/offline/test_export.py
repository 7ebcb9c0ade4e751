"""Exports: the forms that trainers take, and answers that follow ν* (chi-square on counts)."""

import json
from collections import Counter

import numpy as np
import pytest
from scipy.stats import chi2

from alft.answers import answer_key
from alft.games import NAMED
from alft.offline.reweight import SolveSettings
from alft.offline.solve import solve_samples
from alft.offline.weighted import Export, Weighted, export, resample, shaped
from tests.offline.made import drawn

SIGNIFICANCE = 0.001
MARGINALS = [
    [[0.5, 0.3, 0.2], [0.2, 0.5, 0.3]],
    [[0.6, 0.3, 0.1], [0.3, 0.3, 0.4]],
    [[0.1, 0.2, 0.7], [0.4, 0.3, 0.3]],
]
SAMPLES = 400


def chi_square(lines, solution):
    """Σ (drawn − expected)²/expected over answers of all views, and its degrees of freedom."""
    drawn_answers = Counter((row["prompt"], answer_key(row["completion"])) for row in lines)
    total, freedom = 0.0, 0
    for part in solution.reweighting.solved:
        for row, question in enumerate(part.batch.questions):
            names = {}
            here = (solution.tallies.question == question) & (solution.tallies.answer >= 0)
            for answer, key in zip(solution.tallies.answer[here], solution.samples.key[here], strict=True):
                names[solution.samples.keys[key]] = answer
            for view in range(2):
                got = np.zeros(len(names))
                for key, answer in names.items():
                    got[answer] = drawn_answers[f"q{question}/{view}", key]
                expected = part.nu[row, view, : len(names)] * SAMPLES
                total += ((got - expected) ** 2 / expected).sum()
                freedom += len(names) - 1
    return total, freedom


def exported(tmp_path, name, weights=None):
    samples = drawn(tmp_path / f"{name}.parquet", MARGINALS, SAMPLES)
    solution = solve_samples(samples, SolveSettings(NAMED[name](), 0.5, 0.0), name)
    path = tmp_path / f"{name}.jsonl"
    told = Weighted(samples, solution.weights if weights is None else weights(samples), {})
    export(told, path, Export("prompt_completion", seed=1))
    return [json.loads(line) for line in path.read_text().splitlines()], solution


@pytest.mark.parametrize("name", ["correctness", "coherence_geometric", "diversity"])
def test_resampled_answers_follow_the_equilibrium(tmp_path, name):
    statistic, freedom = chi_square(*exported(tmp_path, name))
    assert freedom == 12
    assert statistic < chi2.ppf(1 - SIGNIFICANCE, freedom)


@pytest.mark.parametrize("name", ["correctness", "coherence_geometric", "diversity"])
def test_the_same_test_rejects_completions_as_they_were_sampled(tmp_path, name):
    statistic, freedom = chi_square(*exported(tmp_path, name, weights=lambda samples: np.ones(len(samples))))
    assert statistic > chi2.ppf(1 - SIGNIFICANCE, freedom)


def test_counts_are_weights_rounded_and_groups_keep_their_total():
    rng = np.random.default_rng(0)
    group = rng.integers(0, 5, 60)
    weights = rng.random(60) * 3
    weights *= np.round(np.bincount(group, weights))[group] / np.bincount(group, weights)[group]
    counts = resample(weights, group, rng)
    assert (np.abs(counts - weights) < 1).all()
    assert np.bincount(group, counts).tolist() == pytest.approx(np.bincount(group, weights))


def test_resampling_is_unbiased():
    weights, rng = np.array([0.25, 1.5, 0.75, 0.5]), np.random.default_rng(0)
    mean = np.mean([resample(weights, np.zeros(4, dtype=int), rng) for _ in range(4000)], axis=0)
    assert mean == pytest.approx(weights, abs=5 * 0.5 / np.sqrt(4000))


def test_forms():
    row = {"prompt": "1+1?", "chat": False, "completion": "#### 2"}
    turns = [{"role": "user", "content": "1+1?"}, {"role": "assistant", "content": "#### 2"}]
    assert shaped(row, "conversational", False) == {"messages": turns}
    assert shaped(row, "prompt_completion", False) == {"prompt": "1+1?", "completion": "#### 2"}
    assert shaped(row, "prompt_completion", True) == {"prompt": turns[:1], "completion": turns[1:]}
    chat = {**row, "prompt": json.dumps(turns[:1]), "chat": True}
    assert shaped(chat, "conversational", False) == {"messages": turns}
    assert shaped(chat, "prompt_completion", False) == {"prompt": turns[:1], "completion": turns[1:]}


def test_a_weight_column_holds_each_completion_once(tmp_path):
    samples = drawn(tmp_path / "s.parquet", MARGINALS, 8)
    weights = np.arange(len(samples)) % 3 / 2
    rows = export(Weighted(samples, weights, {}), tmp_path / "w.jsonl", Export("conversational", weighted=True))
    read = [json.loads(line) for line in (tmp_path / "w.jsonl").read_text().splitlines()]
    assert rows == len(read) == (weights > 0).sum()
    assert Counter(row["weight"] for row in read) == Counter(weights[weights > 0].tolist())


def test_groups_are_the_views_of_questions(tmp_path):
    weighted = Weighted(drawn(tmp_path / "s.parquet", MARGINALS, 2), np.ones(12), {})
    assert weighted.groups.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
