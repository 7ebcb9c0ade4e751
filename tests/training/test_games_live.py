"""Games on a live model by `alft train`: mixed gold, uneven views, limits, parity; which model is given back."""

import io
import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from rich.console import Console
from safetensors.torch import load_file

from alft import games
from alft.completions import Completion
from alft.config.load import load_config
from alft.plan.build import load_plan
from alft.rewards import Scoring
from alft.rewards.scorer import Scorer
from alft.starter import CHOICES, model_path, problems
from alft.training.probe import ConsensusProbe
from alft.training.run import train
from alft.training.watch import CollapseWatch, WatchCallback

TINY = [
    "model.path=starter:choices",
    "training.steps=2",
    "training.questions_per_step=2",
    "training.samples=4",
    "training.threads=1",
    "training.checkpoint_every=0",
    "data.held_out=4",
    "evaluation.samples=2",
    "watch.every=1",
    "watch.probe_questions=2",
    "watch.drop=1.0",
]


def run(folder, *settings):
    plan = load_plan(load_config(None, [*TINY, f"output.directory={folder}", *settings]))
    return train(plan, Console(file=io.StringIO()))


def steps_of(finished):
    return [json.loads(line) for line in (finished.directory / "metrics.jsonl").read_text().splitlines()]


def trained_rows(finished):
    path = finished.directory / "completions.parquet"
    return pq.read_table(path, filters=[("phase", "==", "train")]).to_pylist()


def views_asked(rows):
    """Names of the views by step and question."""
    asked = {}
    for row in rows:
        asked.setdefault((row["step"], row["question_id"]), set()).add(row["view"])
    return asked


def write(path, change, count=12):
    """Questions of the second starter in four phrasings, each a row that `change` may alter."""
    rows = []
    for number, question in enumerate(problems.number_questions(count, held_out=False, seed=5)):
        texts = [f"{start}{view.text}" for start in ("", "Please! ") for view in question.views]
        row = {"id": question.id, "question": texts[0], "views": texts[1:], "answer": question.answer}
        rows.append(change(number, row))
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def uneven_and_partly_answered(number, row):
    told = {**row, "views": row["views"][: 1 + number % 3]}
    return told if number % 2 else {name: value for name, value in told.items() if name != "answer"}


@pytest.mark.parametrize("game", ["coherence_geometric", "majority_cross", "majority_harmonic", "random"])
def test_games_against_a_sharper_reference_are_played_live(tmp_path, game):
    finished = run(tmp_path, f"game={game}", "scoring.beta=0.1", "scoring.power=4", "target.samples=4")
    assert all(np.isfinite(step["loss"]) for step in steps_of(finished))
    done = finished.results["training"]
    assert done["steps"] == 2
    asked = {(row["question_id"], row["view"]) for row in trained_rows(finished)}
    assert done["reference_completions"] == 4 * len(asked)  # target.samples for each view that was trained on


def test_mixed_gold_and_uneven_views_in_one_run(tmp_path):
    """Correctness where a question has an answer, coherence elsewhere; a step takes two views, measuring all."""
    path = write(tmp_path / "mixed.jsonl", uneven_and_partly_answered)
    mixed = run(
        tmp_path,
        f"data.path={path}",
        "training.questions_per_step=4",
        "game=[{game: correctness, where: answered}, {game: coherence_geometric, where: unanswered}]",
    )
    rows = trained_rows(mixed)
    assert {row["right"] is None for row in rows} == {True, False}
    assert {len(views) for views in views_asked(rows).values()} == {2}
    assert set(mixed.results["after"]["views"]) == {f"view {number}" for number in (1, 2, 3, 4)}
    assert mixed.results["approach"]["questions"] > 0


def test_views_are_drawn_and_each_probe_tells_how_far_the_equilibrium_is(tmp_path):
    path = write(tmp_path / "many.jsonl", lambda number, row: row)
    settings = ["training.views_per_step=2", "training.steps=3", "scoring.beta=0.1"]
    drawn = run(tmp_path, f"data.path={path}", *settings)
    asked = views_asked(trained_rows(drawn))
    assert {len(views) for views in asked.values()} == {2}
    assert len(set().union(*asked.values())) > 2
    for step in steps_of(drawn):
        assert step["probe/consensus_kept"] == drawn.results["training"]["consensus_kept"][step["step"]]
        assert step["probe/distance"] > 0 < step["probe/distance_null"]
        assert step["probe/gap"] > 0 < step["probe/gap_null"]
        assert 0 < step["probe/samples"] <= 4


def test_a_target_that_follows_the_policy_moves_in_a_run(tmp_path):
    """Two questions to train on, so that each is visited at every step."""
    path = write(tmp_path / "few.jsonl", lambda number, row: {**row, "views": row["views"][:1]}, count=6)
    settings = ["game=coherence_fixed", f"data.path={path}", "watch.enabled=false", "training.learning_rate=0.01"]
    reference, fixed, moving = (
        load_file(folder / "model.safetensors")
        for folder in (
            model_path(CHOICES),
            *(run(tmp_path / str(d), f"target.decay={d}", *settings).directory / "model" for d in (1.0, 0.5)),
        )
    )
    assert any((fixed[name] != reference[name]).any() for name in reference)
    assert any((fixed[name] != moving[name]).any() for name in reference)


def test_answers_can_be_drawn_to_a_given_distribution(tmp_path):
    told = run(
        tmp_path,
        "data.path=starter:loans",
        'game=[{game: target_match, q: {"yes": 1, "no": 1}}]',
        "scoring.beta=1.0",
        "watch.enabled=false",
    )
    assert told.directory.name == "target_match-0"
    assert told.results["approach"]["distance_before"] > 0
    assert {row["key"] for row in trained_rows(told)} == {"yes", "no"}


def test_a_run_that_ends_away_from_the_consensus_gives_back_its_best_model(tmp_path, monkeypatch):
    shares = iter([0.8, 0.9, 0.5])
    monkeypatch.setattr(ConsensusProbe, "look", lambda *_: {"consensus_kept": next(shares)})
    far = "training.learning_rate=0.001"  # so that the last model tells other answers
    finished = run(tmp_path, "data.path=starter:numbers", far, "watch.drop=0.075")  # of 32 questions: 0.3 of 2
    assert finished.results["training"]["stopped"] is None
    assert finished.results["training"]["restored_step"] == 1
    assert finished.results["at_stop"] != finished.results["after"]
    assert "the model of step 1: later ones" in (finished.directory / "model" / "README.md").read_text()


def watched(folder, shares, drop=0.06):
    """A watch that saw these shares at steps 0, 1, … and kept a model at each."""
    watch = WatchCallback(CollapseWatch(2, 0.3, 0.5), folder, 1, None, drop)
    watch.shares = dict(enumerate(shares))
    watch.kept = [(step, folder / f"step-{step}") for step in range(len(shares))]
    return watch


@pytest.mark.parametrize(
    ("shares", "given"),
    [
        ([0.5, 0.7, 0.9, 0.86], None),  # within the noise of healthy runs
        ([0.5, 0.9, 0.8, 0.8], 1),
        ([0.5, 0.9, 0.9, 0.8], 2),  # the later of equals
        ([], None),
    ],
)
def test_which_model_a_run_that_ended_gives(tmp_path, shares, given):
    found = watched(tmp_path, shares).last_good()
    assert (None if found is None else found[0]) == given


def test_without_a_probe_a_run_gives_its_last_model(tmp_path):
    watch = watched(tmp_path, [0.5, 0.9, 0.1])
    watch.shares = {}
    assert watch.last_good() is None


def test_the_window_of_batches_is_left_in_steps(tmp_path, monkeypatch):
    """Of a batch of four steps the watch's two batches are eight: the model given back is older than those."""
    watch = WatchCallback(CollapseWatch(2, 0.3, 0.5), tmp_path, 2, None, 0.06, steps_per_batch=4)
    watch.kept = [(step, tmp_path / f"step-{step}") for step in range(0, 33, 2)]
    monkeypatch.setattr(CollapseWatch, "see", lambda *_: "collapse")
    rows = [Completion("7", question="q", place=view, key="7") for view in (0, 0, 0, 1, 1, 1)]
    watch.see(32, Scorer(Scoring(games.Agreement())).score(rows))
    found = watch.last_good()
    assert found is not None
    assert found[0] == 24
    assert watch.most_kept == 6
