"""`alft train` in two processes: one run, written once, the same weights in both, resumed to the same bits."""

import json
import os
import signal
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from accelerate import PartialState
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, TrainerControl, TrainerState, TrainingArguments

import alft
from alft.errors import ConfigError
from alft.rewards import scorer
from alft.training import processes as exchange
from alft.training.loop import shares
from alft.training.processes import join
from alft.training.stopping import CycleCallback, StopRequest
from alft.verbs.train import planned
from tests.training import divided, several_processes
from tests.training.divided import FSDP2
from tests.training.launching import GRACE, prepare, start_two, wait_for, wait_for_text

SETTINGS = [
    "training.steps=4",
    "watch.enabled=true",
    "watch.every=1",
    "watch.probe_questions=1",
    "watch.unread=1",
]
SHARDED = {**FSDP2, "FSDP_STATE_DICT_TYPE": "SHARDED_STATE_DICT"}


def start(folder: Path, model: Path, *arguments: str, environment=None):
    """Two processes of `alft train` in a folder."""
    chosen = [part for value in SETTINGS for part in ("--set", value)]
    return start_two([str(folder), *prepare(folder, model), *chosen, *arguments], folder, environment)


def finish(processes, folder: Path) -> str:
    """What was printed; both processes must end well."""
    for process in processes:
        process.join(GRACE)
    printed = (folder / "log").read_text()
    assert [process.exitcode for process in processes] == [0, 0], printed[-3000:]
    return printed


def end(processes, number: int) -> list[int]:
    """The exit codes of both after a signal."""
    for process in processes:
        os.kill(process.pid, number)
    for process in processes:
        process.join(GRACE)
    return [process.exitcode for process in processes]


def weights(folder: Path) -> bytes:
    return (folder / "runs" / "run" / "model" / "model.safetensors").read_bytes()


@pytest.fixture(scope="module")
def whole(tiny_model, tmp_path_factory):
    """A run that nobody interrupts, and what it printed."""
    folder = tmp_path_factory.mktemp("whole")
    return folder, finish(start(folder, tiny_model), folder)


@pytest.fixture(scope="module")
def stopped(tiny_model, tmp_path_factory):
    """A run that was asked to stop after its first checkpoint."""
    folder = tmp_path_factory.mktemp("stopped")
    processes = start(folder, tiny_model)
    wait_for(folder / "runs" / "run" / "checkpoints" / "checkpoint-1", processes[0])
    assert end(processes, signal.SIGTERM) == [128 + signal.SIGTERM] * 2
    assert not (folder / "runs" / "run" / "results.json").exists()
    return folder


def test_both_processes_hold_the_model_that_is_saved(whole, tiny_model):
    ranks = [(whole[0] / f"rank-{rank}.txt").read_text() for rank in (0, 1)]
    assert ranks[0] == ranks[1]
    assert weights(whole[0]) != (tiny_model / "model.safetensors").read_bytes()


def test_one_run_is_written_by_one_voice(whole):
    folder, printed = whole
    run = folder / "runs" / "run"
    assert printed.count("measuring before …") == printed.count("model:   ") == 1
    assert json.loads((run / "environment.json").read_text())["processes"] == 2
    assert len((run / "metrics.jsonl").read_text().splitlines()) == 4
    measured = json.loads((run / "results.json").read_text())
    assert measured["training"]["steps"] == 4
    assert len(measured["training"]["consensus_kept"]) == 5  # before the first step, and after each


def test_a_directory_that_is_taken_ends_both_with_one_message(whole, tiny_model):
    folder, printed = whole
    processes = start(folder, tiny_model)
    for process in processes:
        process.join(GRACE)
    assert [process.exitcode for process in processes] == [2, 2]
    assert (folder / "log").read_text()[len(printed) :].count("a run is there already") == 1


def test_another_number_of_processes_is_refused(stopped):
    with pytest.raises(ConfigError, match="this run has 2 processes, and 1 were launched") as error:
        alft.train(str(stopped / "run.yaml"), SETTINGS, resume=True)
    assert "torchrun --nproc_per_node 2" in str(error.value)


def test_a_killed_process_ends_the_other_one_with_a_message(stopped, tiny_model):
    earlier = len((stopped / "log").read_text())
    processes = start(stopped, tiny_model, "--resume")
    wait_for(stopped / "runs" / "run" / "checkpoints" / "checkpoint-3", processes[0])
    os.kill(processes[1].pid, signal.SIGKILL)
    for process in processes:
        process.join(GRACE)
    assert [process.exitcode for process in processes] == [2, -signal.SIGKILL]
    printed = " ".join((stopped / "log").read_text()[earlier:].split())
    assert printed.count("error:") == printed.count("process 0 lost another one") == 1
    assert "--resume" in printed


def test_a_resumed_run_ends_in_the_same_weights(whole, stopped, tiny_model):
    assert "resuming after step" in finish(start(stopped, tiny_model, "--resume"), stopped)
    assert weights(stopped) == weights(whole[0])


def test_divided_weights_end_as_whole_ones_also_from_the_last_checkpoint(whole, tiny_model, tmp_path):
    """FSDP2 with sharded checkpoints, whose processes are killed when the training is over."""
    processes = start(tmp_path, tiny_model, environment=SHARDED)
    wait_for_text("measuring after", tmp_path / "log", processes[0])
    assert end(processes, signal.SIGKILL) == [-signal.SIGKILL] * 2
    assert any((tmp_path / "runs" / "run" / "checkpoints" / "checkpoint-4").glob("pytorch_model_fsdp*/*.distcp"))
    assert not (tmp_path / "runs" / "run" / "results.json").exists()
    processes = start(tmp_path, tiny_model, "--resume", environment=SHARDED)
    assert "resuming after step 4" in finish(processes, tmp_path)
    ours, theirs = (
        load_file(each / "runs" / "run" / "model" / "model.safetensors") for each in (tmp_path, whole[0])
    )
    assert ours.keys() == theirs.keys()
    assert max(float((ours[name] - theirs[name]).abs().max()) for name in theirs) == 0.0


@pytest.fixture(scope="module")
def divided_run(tiny_model, tmp_path_factory):
    """What a trainer over two processes of FSDP2 left, whose checkpoints would be sharded."""
    out = tmp_path_factory.mktemp("divided")
    finish(start_two(["fsdp2", str(tiny_model), str(out)], out, main=divided.main), out)
    return out, [json.loads((out / f"told-{rank}.json").read_text()) for rank in (0, 1)]


def test_each_process_held_half_of_the_weights(divided_run, tiny_model):
    whole = AutoModelForCausalLM.from_pretrained(tiny_model)
    for told in divided_run[1]:
        assert told["type"] == "DistributedType.FSDP"
        halves = [[len(each) // 2, *each.shape[1:]] for each in whole.parameters()]
        assert [shape for shape in told["local"] if shape in halves] == halves


@pytest.mark.parametrize("place", ["good/step-4", "final"])
def test_kept_and_final_models_are_whole(divided_run, place):
    trained, saved = (
        torch.load(divided_run[0] / "weights.pt"),
        load_file(divided_run[0] / place / "model.safetensors"),
    )
    assert saved
    for name, weight in saved.items():
        torch.testing.assert_close(weight, trained[name], rtol=0, atol=0)
    assert [told["kept"] for told in divided_run[1]] == [[2, 4]] * 2


def test_they_are_what_one_process_trains(divided_run, tiny_model, tmp_path, monkeypatch):
    monkeypatch.setattr(scorer, "read", scorer.read)
    several_processes.read_texts_as_keys()
    trainer = several_processes.make(str(tiny_model), str(tmp_path), 1, beta=0.0)
    trainer.train()
    moved, start = 0.0, AutoModelForCausalLM.from_pretrained(tiny_model).state_dict()
    trained = torch.load(divided_run[0] / "weights.pt")
    for name, weight in trainer.model.state_dict().items():
        moved = max(moved, float((weight - start[name]).abs().max()))
        torch.testing.assert_close(trained[name], weight, rtol=0, atol=1e-6)
    assert moved > 1e-4


@pytest.mark.parametrize(
    ("verb", "arguments", "remedy"),
    [
        ("sample", ["out"], "--part 1/2 to --part 2/2"),
        ("evaluate", ["starter", "--output", "out"], "without torchrun"),
        ("distill", ["--output", "out"], "without torchrun"),
    ],
)
def test_a_verb_that_works_in_one_process_is_refused_in_two(tmp_path, verb, arguments, remedy):
    """Each would sample or measure everything, and write into the same place."""
    place = [str(tmp_path / "out") if each == "out" else each for each in arguments]
    processes = start_two([str(tmp_path), verb, *place], tmp_path)
    for process in processes:
        process.join(GRACE)
    assert [process.exitcode for process in processes] == [2, 2]
    printed = " ".join((tmp_path / "log").read_text().split())
    assert printed.count("error:") == printed.count("works in one process, and 2 were launched") == 1
    assert remedy in printed
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("lost", [True, False])
def test_a_process_that_lost_another_one_is_not_interrupted_before_it_reports_that(monkeypatch, lost):
    monkeypatch.setattr(exchange, "several", lambda: True)
    request = StopRequest()
    with pytest.raises(RuntimeError), request.patience():
        raise RuntimeError("[/gloo/transport/tcp/pair.cc] Connection closed by peer" if lost else "of this one")
    with nullcontext() if lost else pytest.raises(KeyboardInterrupt):
        request.receive(signal.SIGTERM, None)


def test_a_signal_while_a_checkpoint_is_written_costs_no_further_step(tmp_path):
    asked = iter([False, True])
    callback = CycleCallback(1, lambda: next(asked))
    args = TrainingArguments(output_dir=str(tmp_path))
    state, control = TrainerState(max_steps=5, global_step=2), TrainerControl(should_save=True)
    callback.on_step_end(args, state, control)
    assert (control.should_save, control.should_training_stop) == (True, False)
    callback.on_save(args, state, control)
    assert control.should_training_stop


def test_a_step_that_cannot_be_divided_is_refused(tmp_path):
    plan = planned(None, [f"output.directory={tmp_path}"])
    step = plan.completions_per_step
    assert shares(plan, 2) == (step // 2, step // 2)
    with pytest.raises(ConfigError, match=f"{step} completions a step can't be divided among 7 processes"):
        shares(plan, 7)


def test_a_launch_that_would_train_alone_is_refused(monkeypatch):
    assert join()
    monkeypatch.setenv("FSDP_CPU_RAM_EFFICIENT_LOADING", "")  # restored afterwards
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "no")
    assert join()  # accelerate was asked for one process
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    assert PartialState().num_processes == 1
    with pytest.raises(ConfigError, match="several processes were asked for, and this one would train alone"):
        join()
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert join()
