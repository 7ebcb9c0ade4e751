"""Scores of a samples file under all its views, with the model that was sampled, and what is solved with them."""

import json

import numpy as np
import pytest

from alft.config.schema import ModelConfig
from alft.errors import DataError
from alft.games import GeometricCoherence
from alft.models.base import Sampling
from alft.models.loading import load_model
from alft.models.local import LocalModel
from alft.offline import Request, SolveSettings, read_samples, sample, solve_samples
from alft.offline.scores import log_probs, scorer
from alft.offline.weighted import Export, export, weighted_of
from alft.starter import training_questions
from tests.offline.made import drawn

MODEL = ModelConfig()


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    path = tmp_path_factory.mktemp("scored") / "s.parquet"
    request = Request(training_questions(0, 3), Sampling(4, False, 40, 64, 0), "starter")
    sample(request, LocalModel(*load_model(MODEL), MODEL.path), path)
    return read_samples(path)


def test_each_readable_completion_is_scored_under_each_view(samples):
    found = scorer(samples, MODEL)(samples)
    rows = [row for batch in samples.texts() for row in batch.to_pylist()]
    prompts = {(row["question_id"], row["view"]): row["prompt"] for row in rows}
    assert found.shape == (len(rows), len(samples.views))
    model, tokenizer = load_model(MODEL)
    for index in (0, 7, len(rows) - 1):
        row = rows[index]
        asked = [
            (prompts[row["question_id"], view], row["completion"], row["truncated"]) for view in samples.views
        ]
        assert found[index] == pytest.approx(log_probs(model, tokenizer, asked), abs=1e-3)
    assert (found[samples.answer < 0] == 0).all()


def test_what_is_solved_by_score_is_written_and_read_again(samples, tmp_path):
    settings = SolveSettings(GeometricCoherence(), power=2.0)
    solution = solve_samples(samples, settings, "coherence_geometric", scorer(samples, MODEL)(samples))
    summary = solution.summary()
    assert summary["scored"]
    assert 0 < summary["borrowed"] < 1
    assert summary["reached"] == pytest.approx(1, abs=1e-2)
    solution.write(tmp_path / "w.parquet")
    weighted = weighted_of(read_samples(tmp_path / "w.parquet"))
    assert weighted.solved["scored"]
    assert weighted.row_weights.tolist() == solution.weighted.row_weights.tolist()
    export(weighted, tmp_path / "out.jsonl", Export("prompt_completion", weighted=True))
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert sum(row["weight"] for row in rows) == pytest.approx(weighted.row_weights.sum())
    assert len(rows) == int((weighted.row_weights > 0).sum())


def test_only_the_model_that_was_sampled_scores(samples, tmp_path):
    from dataclasses import replace

    other = {**samples.provenance.model, "digest": "0" * 64}
    changed = replace(samples, provenance=replace(samples.provenance, model=other))
    with pytest.raises(DataError, match=r"was sampled from .* score with the model that was sampled"):
        scorer(changed, MODEL)(changed)
    unsolved = solve_samples(
        drawn(tmp_path / "s.parquet", [[[0.5, 0.5]] * 2], 4), SolveSettings(GeometricCoherence()), "x"
    )
    assert not unsolved.summary()["scored"]
    assert np.isfinite(unsolved.weights).all()


def test_the_command_solves_by_score_and_refuses_what_does_not_fit(samples, tmp_path):
    from alft.verbs.solve import GameChoice, SolveFiles, solve

    found = solve(samples.path, GameChoice(power=2.0), SolveFiles(tmp_path / "w.parquet"), model="starter")
    assert found.summary()["scored"]
    assert weighted_of(read_samples(tmp_path / "w.parquet")).solved["power"] == 2.0
    with pytest.raises(DataError, match="--model: scores what views borrow, and they do not"):
        solve(samples.path, GameChoice(borrow=False), model="starter")
    problem = tmp_path / "p.json"
    problem.write_text("{}")
    with pytest.raises(DataError, match="--model: is for samples in Parquet"):
        solve(problem, model="starter")
