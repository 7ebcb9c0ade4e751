"""A whole run on the built-in model, kept tiny."""

import hashlib
import io
import json
from types import SimpleNamespace
from typing import Any

import pyarrow.parquet as pq
import pytest
from rich.console import Console
from transformers import AutoModelForCausalLM

from alft.config.load import load_config
from alft.errors import ConfigError
from alft.evaluation import Evaluation
from alft.plan.build import load_plan
from alft.questions import dump_questions
from alft.rewards.target import ReferenceAnswers
from alft.starter import problems
from alft.training.execution import Execution
from alft.training.probe import ConsensusProbe
from alft.training.run import train

TINY = [
    "training.steps=3",
    "training.questions_per_step=2",
    "training.samples=4",
    "training.threads=1",
    "evaluation.questions=3",
    "evaluation.samples=2",
    "watch.probe_questions=2",
    "watch.drop=1.0",  # eight answers to two questions are no ground to stop on
]


def run(folder, *settings):
    plan = load_plan(load_config(None, [*TINY, f"output.directory={folder}", *settings]))
    return train(plan, Console(file=io.StringIO()))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return run(tmp_path_factory.mktemp("runs"))


def weights(path):
    return hashlib.sha256((path / "model" / "model.safetensors").read_bytes()).hexdigest()


def test_the_run_directory_is_complete(finished):
    names = {path.name for path in finished.directory.iterdir()}
    assert names == {
        "config.yaml",
        "environment.json",
        "inputs.json",
        "metrics.jsonl",
        "completions.parquet",
        "results.json",
        "questions.jsonl",
        "model",
    }
    assert AutoModelForCausalLM.from_pretrained(finished.directory / "model").num_parameters() > 0


def test_results_before_and_after(finished):
    results = json.loads((finished.directory / "results.json").read_text())
    for part in (results["before"], results["after"]):
        for name in ("accuracy_sampled", "accuracy_greedy"):
            assert set(part[name]["by_view"]) == {"plain", "story", "game", "stock"}
            assert 0 <= part[name]["mean"] <= 1
        assert {"agreement_greedy", "incoherence", "entropy", "unread"} <= set(part)
    assert results["training"]["steps"] == 3
    assert results["training"]["stopped"] is None
    assert set(results["training"]["consensus_kept"]) == {"0", "2", "3"}


def test_every_step_and_every_completion_is_on_disk(finished):
    steps = [json.loads(line) for line in (finished.directory / "metrics.jsonl").read_text().splitlines()]
    assert [step["step"] for step in steps] == [1, 2, 3]
    assert all(step["learning_rate"] > 0 and 0 <= step["agreement"] <= 1 for step in steps)
    rows = pq.read_table(finished.directory / "completions.parquet").to_pylist()
    kinds = {(row["phase"], row["kind"]): 0 for row in rows}
    for row in rows:
        kinds[row["phase"], row["kind"]] += 1
    assert {row["truncated"] for row in rows} <= {True, False}
    assert kinds == {
        ("before", "greedy"): 3 * 4,
        ("before", "sampled"): 3 * 4 * 2,
        ("train", "sampled"): 3 * 2 * 4 * 4,
        ("after", "greedy"): 3 * 4,
        ("after", "sampled"): 3 * 4 * 2,
    }


def test_the_saved_configuration_runs_the_same_again(finished, tmp_path):
    config = load_config(finished.directory / "config.yaml", [f"output.directory={tmp_path}"])
    again = train(load_plan(config), Console(file=io.StringIO()))
    assert weights(again.directory) == weights(finished.directory)


def test_questions_without_answers_give_the_same_weights(tmp_path):
    """The starter's own questions, once with every answer and once with every answer removed from the file."""
    asked = problems.questions(12, held_out=False, seed=3)
    with_gold, without = tmp_path / "gold.jsonl", tmp_path / "bare.jsonl"
    dump_questions(asked, with_gold)
    lines = [json.loads(line) for line in with_gold.read_text().splitlines()]
    without.write_text(
        "".join(json.dumps({k: v for k, v in row.items() if k != "answer"}) + "\n" for row in lines)
    )
    runs = [run(tmp_path / path.stem, f"data.path={path}") for path in (with_gold, without)]
    assert weights(runs[0].directory) == weights(runs[1].directory)
    assert runs[0].results["before"]["accuracy_sampled"]["mean"] is not None
    assert runs[1].results["before"]["accuracy_sampled"]["mean"] is None


def test_a_run_that_leaves_the_consensus_is_stopped_and_undone(tmp_path, monkeypatch):
    shares = iter([0.9, 0.5])
    monkeypatch.setattr(ConsensusProbe, "look", lambda *_: {"consensus_kept": next(shares)})
    stopped = run(tmp_path, "training.learning_rate=0.5", "watch.drop=0.06")
    training = stopped.results["training"]
    assert training["stopped"] == "answers leave the consensus of the reference (50%, 90% at first, 90% at best)"
    assert training["restored_step"] == 0
    assert stopped.results["after"] == stopped.results["before"]
    assert stopped.results["at_stop"] != stopped.results["before"]
    assert not (stopped.directory / "good").exists()


def test_a_model_that_cannot_be_had_is_told_before_anything_is_written(tmp_path):
    with pytest.raises(ConfigError, match=r"model\.path: 'nobody/nothing' can't be loaded") as told:
        run(tmp_path / "runs", "model.path=nobody/nothing")
    assert str(told.value).count("can't be loaded") == 1
    assert not (tmp_path / "runs").exists()


OWN = "examples/own_game.py:QuadraticPairs"


def test_a_users_own_game_trains_and_its_gap_is_reported(tmp_path):
    own = run(tmp_path, f"game={OWN}", "scoring.beta=0.1", "evaluation.samples=4")
    seen = own.results["approach"]
    assert own.directory.name == "QuadraticPairs-0"
    assert seen["beta"] == 0.1
    assert seen["gap"] > 0
    assert seen["gap_null"] > 0
    assert seen["samples"] <= 4


def test_a_game_that_fails_after_training_loses_no_results(monkeypatch, caplog):
    monkeypatch.setattr("alft.training.execution.approach", lambda *given: 1 / 0)
    done: Any = SimpleNamespace(plan=load_plan())
    assert Execution._approach(done, Evaluation(()), Evaluation(())) is None
    assert "ZeroDivisionError" in caplog.text


def test_limits_and_parity_are_logged_at_every_step_and_measured(tmp_path):
    own = run(
        tmp_path,
        "model.path=starter:choices",
        "data.path=starter:loans",
        "game={coherence_geometric: 0.5, diversity_gini: 0.1}",
        "constraints=[{name: refused, key: 'no', at_most: 0.3}]",
        "parity={weight: 1.0}",
        "evaluation.questions=8",
    )
    steps = [json.loads(line) for line in (own.directory / "metrics.jsonl").read_text().splitlines()]
    assert all({"cost/refused", "multiplier/refused", "parity"} <= set(step) for step in steps)
    for phase in ("before", "after"):
        told = own.results[phase]
        limit, (low, high) = told["limits"]["refused"], told["limits"]["refused"]["interval"]
        assert low <= limit["mean"] <= high
        assert limit["violation"] == max(0.0, limit["mean"] - 0.3)
        assert told["parity"]["interval"][0] <= told["parity"]["interval"][1]
    assert own.results["training"]["multipliers"]["refused"] == steps[-1]["multiplier/refused"]
    assert own.results["approach"] is None


def test_a_fixed_target_is_sampled_before_training(tmp_path, monkeypatch):
    seen, add = [], ReferenceAnswers.add
    monkeypatch.setattr(ReferenceAnswers, "add", lambda self, told: seen.extend(told) or add(self, told))
    own = run(tmp_path, "game=coherence_fixed", "target.samples=2")
    trained = pq.read_table(own.directory / "completions.parquet", filters=[("phase", "==", "train")])
    assert {one.question for one in seen} == set(trained["question_id"].to_pylist())
    assert own.results["training"]["steps"] == 3
    assert own.results["approach"]["samples_of_reference"] <= 2
