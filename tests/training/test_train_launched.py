"""`alft train` in two processes: one run, written once, the same weights in both, resumed to the same bits."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from accelerate import PartialState
from safetensors.torch import load_file

import alft
from alft.errors import ConfigError
from alft.training import processes
from alft.training.processes import join
from alft.training.settings import shares
from alft.verbs.train import planned
from tests.training import train_launched

SETTINGS = [
    "data.size=8",
    "data.held_out=4",
    "training.steps=3",
    "training.questions_per_step=2",
    "training.samples=4",
    "training.checkpoint_every=1",
    "evaluation.samples=2",
    "watch.every=1",
    "watch.probe_questions=3",
    "watch.unread=1",
]


def start(folder: Path, *arguments: str) -> subprocess.Popen:
    """Two processes of `alft train` in a folder."""
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    chosen = [part for value in settings(folder) for part in ("--set", value)]
    return subprocess.Popen(
        [*torchrun, train_launched.__file__, "ddp", str(folder), "train", *chosen, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
    )


def settings(folder: Path) -> list[str]:
    return [*SETTINGS, f"output.directory={folder}", "output.name=run"]


def finish(process: subprocess.Popen) -> str:
    """What a launch printed; it must end well."""
    told, _ = process.communicate(timeout=600)
    assert process.returncode == 0, told[-3000:]
    return told


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that nobody interrupts, and what it printed."""
    folder = tmp_path_factory.mktemp("whole")
    return folder, finish(start(folder))


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """A run that was asked to stop after its first checkpoint."""
    folder = tmp_path_factory.mktemp("stopped")
    process, deadline = start(folder), time.monotonic() + 300
    while not (folder / "run" / "checkpoints" / "checkpoint-1").exists():
        assert process.poll() is None, process.communicate()[0][-3000:]
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=300)
    assert process.returncode != 0
    assert not (folder / "run" / "results.json").exists()
    return folder


def test_both_processes_hold_the_model_that_is_saved(whole):
    ranks = [(whole[0] / f"rank-{rank}.txt").read_text() for rank in (0, 1)]
    assert ranks[0] == ranks[1]
    assert load_file(whole[0] / "run" / "model" / "model.safetensors")


def test_one_run_is_written_by_one_voice(whole):
    folder, told = whole
    assert told.count("measuring before …") == told.count("model:   ") == 1
    assert json.loads((folder / "run" / "environment.json").read_text())["processes"] == 2
    assert len((folder / "run" / "metrics.jsonl").read_text().splitlines()) == 3
    measured = json.loads((folder / "run" / "results.json").read_text())
    assert measured["training"]["steps"] == 3
    assert len(measured["training"]["consensus_kept"]) == 4  # before the first step, and after each


def test_another_number_of_processes_is_refused(stopped):
    with pytest.raises(ConfigError, match="this run has 2 processes, and 1 were launched") as error:
        alft.train(None, settings(stopped), resume=True)
    assert "torchrun --nproc_per_node 2" in str(error.value)


def test_a_resumed_run_ends_in_the_same_weights(whole, stopped):
    assert "resuming after step" in finish(start(stopped, "--resume"))
    models = [(folder / "run" / "model" / "model.safetensors").read_bytes() for folder in (whole[0], stopped)]
    assert models[0] == models[1]


def test_a_step_that_cannot_be_divided_is_refused(tmp_path):
    plan = planned(None, settings(tmp_path))
    step = plan.completions_per_step
    assert shares(plan, 2) == (step // 2, step // 2)
    with pytest.raises(ConfigError, match=f"{step} completions a step can't be divided among 7 processes"):
        shares(plan, 7)


def test_a_launch_that_would_train_alone_is_refused(monkeypatch):
    assert join()
    monkeypatch.setenv("FSDP_CPU_RAM_EFFICIENT_LOADING", "")  # restored afterwards
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "no")
    monkeypatch.setattr(processes.Path, "read_text", lambda *_, **__: "accelerate\0launch\0--num_processes\x002")
    assert PartialState().num_processes == 1
    with pytest.raises(ConfigError, match="2 processes were asked for, and this one would train alone"):
        join()
