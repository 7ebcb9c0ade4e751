"""Disk full and numbers that are none: what a run does about them, on a model of a few thousand weights."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from transformers import TrainerCallback

from alft.config.load import load_config
from alft.errors import CheckpointError, ConfigError
from alft.plan.build import load_plan
from alft.storage.checkpoint import candidates, find_newest
from alft.training.callbacks import GradientGuard
from alft.training.execution import space_needed
from alft.training.saving import bytes_needed, check_space
from tests.training.test_resume import digest, trainer

pytestmark = pytest.mark.usefixtures("readable")


class SmallDisk(TrainerCallback):
    """From a step on, no file may grow beyond a size: what a full disk is to whoever writes."""

    def __init__(self, step: int, size: int) -> None:
        self.step, self.size = step, size

    def on_step_end(self, args, state, control, **_: Any):
        if state.global_step == self.step:
            resource.setrlimit(resource.RLIMIT_FSIZE, (self.size, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


@contextmanager
def restored_limits() -> Iterator[None]:
    """Undo `SmallDisk` before pytest writes again: its own output may be a file that is longer."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_leaves_the_earlier_checkpoint_and_tells_the_bytes(tiny_model, tmp_path):
    one, _ = trainer(tiny_model, tmp_path, "grpo", "one step a batch", 3)
    one.add_callback(SmallDisk(2, 10_000))
    size = bytes_needed(one.model)
    told = rf"can't be written .*; a checkpoint needs {size:,} bytes, [\d,]+ are free"
    with restored_limits(), pytest.raises(CheckpointError, match=told):
        one.train()
    assert [path.name for path in candidates(tmp_path)] == ["checkpoint-1"]
    assert find_newest(tmp_path).path == tmp_path / "checkpoint-1"
    assert not (tmp_path / ".saving").exists()


def test_a_disk_that_is_too_small_is_told_before_training(tmp_path, monkeypatch):
    assert bytes_needed(torch.nn.Linear(1000, 1000)) == 3 * 4 * (1000 * 1000 + 1000)  # two moments; float32
    check_space(1_000, tmp_path)
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 999}))
    with pytest.raises(ConfigError, match="need 1,000 bytes, 999 are free"):
        check_space(1_000, tmp_path)


def test_the_space_of_a_run_holds_checkpoints_kept_models_and_the_one_it_gives(tmp_path):
    settings = [f"output.directory={tmp_path}", "training.keep_checkpoints=2", "watch.window=5", "watch.every=2"]
    model = torch.nn.Linear(1000, 1000, bias=False)
    weights = 4 * 1000 * 1000

    def needed(*more: str) -> int:
        return space_needed(load_plan(load_config(None, [*settings, *more])), model)

    assert needed() == (3 * 3 + 3 + 2 + 1) * weights  # 3 in the window, the best, one being written, and model/
    assert needed("watch.enabled=false") == (3 * 3 + 1) * weights
    assert needed("lora={}") == weights


class Spoiler(TrainerCallback):
    """Makes the gradient of some steps no number."""

    def __init__(self, steps: set[int]) -> None:
        self.steps = steps
        self.weights: list[str] = []

    def on_pre_optimizer_step(self, args, state, control, **kwargs: Any):
        self.weights.append(digest(kwargs["model"]))
        if state.global_step + 1 in self.steps:
            next(kwargs["model"].parameters()).grad[0] = float("nan")


def spoiled(tiny_model, tmp_path, steps: set[int]) -> tuple[Any, Spoiler, GradientGuard]:
    one, _ = trainer(tiny_model, tmp_path, "grpo", "one step a batch", 6)
    spoiler, guard = Spoiler(steps), GradientGuard(3)
    one.add_callback(spoiler)
    one.add_callback(guard)
    one.train()
    return one, spoiler, guard


def test_a_step_without_a_finite_gradient_changes_nothing(tiny_model, tmp_path):
    one, spoiler, guard = spoiled(tiny_model, tmp_path, {2, 3, 5})
    before = [*spoiler.weights, digest(one.model)]  # before steps 1 … 6, and after the last
    assert before[1] == before[2] == before[3]
    assert before[4] == before[5]
    assert len(set(before)) == 4
    assert guard.reason is None
    assert one.state.global_step == 6


def test_three_in_a_row_stop_the_run_with_the_last_good_model(tiny_model, tmp_path):
    one, spoiler, guard = spoiled(tiny_model, tmp_path, {3, 4, 5})
    assert guard.reason == "the gradient was not finite in 3 steps in a row"
    assert one.state.global_step == 5
    assert digest(one.model) == spoiler.weights[2]
