"""Two processes with N completions each play the same as one with 2N, and fail together (theory.md 7)."""

import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest
from transformers import AutoModelForCausalLM

from alft.rewards import scorer
from tests.training import several_processes


@pytest.fixture(scope="module")
def launched(tiny_model, tmp_path_factory):
    out = tmp_path_factory.mktemp("two")
    began, worked = time.monotonic(), os.times().children_user
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    done = subprocess.run(
        [*torchrun, "-m", several_processes.__name__, str(tiny_model), str(out)],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    ended = time.time()
    slowness = max(1.0, 2 * (time.monotonic() - began) / (os.times().children_user - worked))  # on a busy machine
    return out, done, ended, slowness


@pytest.fixture
def one(tiny_model, tmp_path, monkeypatch):
    monkeypatch.setattr(scorer, "read", scorer.read)
    several_processes.read_texts_as_keys()
    return several_processes.run(str(tiny_model), str(tmp_path), 1)


def test_two_processes_play_as_one(launched, one, tiny_model):
    start = AutoModelForCausalLM.from_pretrained(tiny_model)
    moved = one["weights"] - np.concatenate([p.detach().numpy().reshape(-1) for p in start.parameters()])
    assert np.abs(moved).max() > 1e-4
    for rank in (0, 1):
        two = np.load(launched[0] / f"rank-{rank}.npz")
        for name in ("questions", "texts", "rewards", "advantages"):
            np.testing.assert_array_equal(two[name], one[name])
        assert np.abs(two["weights"] - one["weights"]).max() <= 1e-6
    assert np.abs(one["advantages"]).max() > 0.1


def test_blocks_stay_whole(launched):
    two = np.load(launched[0] / "rank-1.npz")
    for batch in two["questions"]:
        assert [len(set(block)) for block in batch.reshape(2, -1)] == [1, 1]


@pytest.mark.parametrize("rank", [0, 1])
def test_every_process_knows_the_models_that_the_watch_kept(launched, rank):
    """One process alone writes them: two that bring back the same folder would remove each other's files."""
    told = json.loads((launched[0] / f"watched-{rank}.json").read_text())
    assert told == {"kept": [2, 4], "there": [True, True], "last_good": [4, 4]}
    assert sorted(path.name for path in (launched[0] / "good").iterdir()) == ["step-2", "step-4"]


@pytest.mark.parametrize("where", ["reward", "generation"])
def test_a_failure_on_one_process_is_raised_on_both(launched, where):
    other, own = (json.loads((launched[0] / f"told-{rank}.json").read_text())[where] for rank in (0, 1))
    assert own == "KeyError: 'only here'"
    assert other.startswith("ProcessError: process 1: Traceback")
    assert "only here" in other


def test_a_failure_where_nobody_can_be_asked_ends_both_quickly(launched):
    out, done, ended, slowness = launched
    assert done.returncode != 0
    assert "ZeroDivisionError" in done.stderr
    assert ended - float((out / "raised").read_text()) < 10 * slowness
