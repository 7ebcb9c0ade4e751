"""`training.trainer: offline`: a whole run by one sampling pass, with the files and the resume of a live one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import alft
from alft.errors import ConfigError, RunExistsError
from alft.offline import execution, read_samples
from alft.plan.build import load_plan
from alft.verbs.solve import GameChoice, solve

SMALL = (
    "training.trainer=offline",
    "data.size=12",
    "offline.samples=3",
    "evaluation.questions=4",
    "evaluation.samples=2",
)
PHASES = ("sample", "solve_samples", "distill", "reload_model")
"""What an offline run calls, one after the other, after the first measurement."""


class Killed(Exception):
    """Stands for a process that ends."""


def run(directory: Path, **options: Any) -> Any:
    return alft.train(None, [*SMALL, f"output.directory={directory}"], **options)


def content(directory: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    results = json.loads((directory / "results.json").read_text())
    results["training"].pop("seconds")
    return load_file(directory / "model" / "model.safetensors"), results


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(tmp_path_factory.mktemp("whole")).directory


def test_a_run_leaves_what_a_live_one_leaves_and_its_weighted_completions(whole: Path) -> None:
    files = {path.name for path in whole.iterdir()}
    assert files >= {
        "config.yaml",
        "model",
        "results.json",
        "report.html",
        "completions.parquet",
        "weighted.parquet",
    }
    assert not files & {"offline", "completions.jsonl"}
    _, results = content(whole)
    samples = read_samples(whole / "weighted.parquet")
    assert results["training"]["completions"] == len(samples) == 12 * 4 * 3
    assert samples.weight is not None
    assert samples.weight.sum() > 0
    assert results["solution"]["solved"]["power"] == 4.0
    agreement = results["solution"]["metrics"]["agreement"]
    assert agreement["change"]["interval"][0] > 0
    assert results["after"]["questions"] == 4


def test_a_run_killed_in_each_phase_resumes_to_the_same_bits(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: Any, **__: Any) -> None:
        raise Killed

    asked: list[str] = []
    measure = execution.OfflineExecution._evaluate

    def measured(self: Any, model: Any, phase: str) -> Any:
        asked.append(phase)
        return measure(self, model, phase)

    monkeypatch.setattr(execution.OfflineExecution, "_evaluate", measured)
    for phase in PHASES:
        with monkeypatch.context() as patch:
            patch.setattr(execution, phase, killed)
            with pytest.raises(Killed):
                run(tmp_path, resume=phase != PHASES[0])
        with pytest.raises(RunExistsError, match="--resume"):
            run(tmp_path)
    weights, results = content(run(tmp_path, resume=True).directory)
    expected, there = content(whole)
    assert asked == ["before", "after"]  # the first measurement is made once
    assert all(torch.equal(weights[name], expected[name]) for name in expected)
    assert results == there


def test_views_borrow_by_score_as_the_separate_commands_do_and_a_killed_run_scores_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = ("offline.scored=true", "data.size=3", "evaluation.questions=2", "output.name=r")
    with monkeypatch.context() as patch:
        patch.setattr(execution, "distill", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            alft.train(None, [*SMALL, *few, f"output.directory={tmp_path}"])
    monkeypatch.setattr(execution, "scorer", lambda *_: 1 / 0)
    done = alft.train(None, [*SMALL, *few, f"output.directory={tmp_path}"], resume=True)
    assert done.results["solution"]["scored"]
    made = read_samples(done.directory / "weighted.parquet")
    found = solve(done.directory / "weighted.parquet", GameChoice(power=4.0), model="starter")
    assert found.weights.tolist() == pytest.approx(made.weight.tolist(), abs=1e-3)


def test_the_model_is_the_one_of_the_separate_commands(whole: Path, tmp_path: Path) -> None:
    path = alft.distill(whole / "weighted.parquet", tmp_path / "apart").path
    apart = load_file(path / "model.safetensors")
    assert all(torch.equal(apart[name], value) for name, value in content(whole)[0].items())


def test_the_card_says_how(whole: Path) -> None:
    card = (whole / "model" / "README.md").read_text()
    assert "144, sampled once, 3 per view" in card
    assert "reference to the power 4" in card
    assert not [word for word in ("GRPO", "OFFLINE") if word in card]


@pytest.mark.parametrize(
    ("override", "where"),
    [
        ("game=agreement", "game"),
        ('constraints=[{key: "7", at_most: 0.1}]', "constraints"),
        ("parity={weight: 1}", "parity"),
        ('game={game: target_match, q: {"7": 1}}', "game"),
        ("scoring.compare=traces", "scoring.compare"),
        ("offline={scored: true, borrow: false}", "offline.scored"),
        ("game={coherence_geometric: 1, correctness: 1}", "scoring.beta"),
    ],
)
def test_what_has_no_offline_form_is_refused_before_a_model_is_loaded(override: str, where: str) -> None:
    with pytest.raises(ConfigError) as found:
        load_plan(None, ["training.trainer=offline", override])
    assert any(problem.where == where for problem in found.value.problems)


def test_settings_that_are_left_open_suit_the_run() -> None:
    live, offline = load_plan().config, load_plan(None, ["training.trainer=offline"]).config
    labels = load_plan(None, ["training.trainer=offline", "game=correctness"]).config
    assert (live.scoring.power, offline.scoring.power, labels.scoring.power) == (1.0, 4.0, 1.0)
    assert offline.output.name == "coherence_geometric-offline-0"
    assert offline.training.learning_rate == 5e-4


def test_live_sizes_mean_nothing_offline() -> None:
    sizes = ["data.size=3", "training.samples=2", "training.steps=7", "training.steps_per_generation=3"]
    with pytest.raises(ConfigError):
        load_plan(None, sizes)
    assert len(load_plan(None, ["training.trainer=offline", *sizes]).train) == 3


def test_several_processes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match="2 were launched"):
        load_plan(None, ["training.trainer=offline"])
