"""Real processes of `alft train`: killed, asked to stop, out of disk, side by side. `make soak` kills more."""

import os
import random
import shutil
import signal
import sys

import pytest

from alft.cli.main import main
from alft.storage import checkpoint
from tests.training.launching import GRACE, fingerprint, finish, prepare, start, wait_for, wait_for_text

SECOND = "finishing the step, then saving a checkpoint; once more to stop at once"


@pytest.fixture(scope="module")
def undisturbed(tiny_model, tmp_path_factory):
    """The run left alone."""
    folder = tmp_path_factory.mktemp("undisturbed")
    assert finish(prepare(folder, tiny_model), folder / "log") == 0, (folder / "log").read_text()
    run = folder / "runs" / "run"
    assert (run / "model" / "model.safetensors").read_bytes() != (tiny_model / "model.safetensors").read_bytes()
    return run


@pytest.fixture
def told(monkeypatch, capsys):
    """The exit code and the errors of `alft` in this process, for what ends before a model is loaded."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["alft", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            main()
        return caught.value.code, " ".join(capsys.readouterr().err.split())

    return run


def test_three_kills_end_in_the_same_bits(undisturbed, tiny_model, tmp_path):
    """The first as soon as there is a checkpoint, two more at random moments."""
    arguments, rng = prepare(tmp_path, tiny_model), random.Random(0)
    run = tmp_path / "runs" / "run"
    for number in range(3):
        process = start([*arguments, "--resume"], tmp_path / "log")
        if number == 0:
            wait_for(run / "checkpoints" / "checkpoint-1", process)
        process.join(rng.uniform(0.0, 2.0))
        process.kill()
        process.join()
    assert finish([*arguments, "--resume"], tmp_path / "log") == 0, (tmp_path / "log").read_text()
    assert fingerprint(run) == fingerprint(undisturbed)


def held(folder, arguments):
    """A process that waits in the middle of its first step."""
    (folder / "hold").touch()
    process = start(arguments, folder / "log")
    wait_for(folder / "held", process)
    return process


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_finishes_the_step_and_the_run_goes_on_to_the_same_bits(
    undisturbed, tiny_model, tmp_path, number, code
):
    arguments, run = prepare(tmp_path, tiny_model), tmp_path / "runs" / "run"
    arguments += ["--set", "training.checkpoint_every=0"]  # nothing is saved but for the signal
    process = held(tmp_path, arguments)
    os.kill(process.pid, number)
    wait_for_text(SECOND, tmp_path / "log", process)
    (tmp_path / "hold").unlink()
    process.join(GRACE)
    assert process.exitcode == code
    assert [path.name for path in checkpoint.candidates(run / "checkpoints")] == ["checkpoint-1"]
    assert "stopped after step 1 — continue with --resume" in " ".join((tmp_path / "log").read_text().split())
    assert finish([*arguments, "--resume"], tmp_path / "log") == 0
    assert "resuming after step 1" in (tmp_path / "log").read_text()
    assert fingerprint(run) == fingerprint(undisturbed)


def test_ctrl_c_twice_ends_at_once_without_a_checkpoint_and_nobody_else_writes_meanwhile(
    tiny_model, tmp_path, told
):
    arguments, run = prepare(tmp_path, tiny_model), tmp_path / "runs" / "run"
    process = held(tmp_path, arguments)
    code, errors = told(*arguments, "--resume")
    assert code == 2
    assert f"another run is using this directory (process {process.pid} on" in errors
    os.kill(process.pid, signal.SIGINT)
    wait_for_text(SECOND, tmp_path / "log", process)
    os.kill(process.pid, signal.SIGINT)
    process.join(GRACE)  # the step is still held
    assert process.exitcode == 130
    assert checkpoint.candidates(run / "checkpoints") == []


def test_a_full_disk_is_told_in_bytes_and_what_was_saved_stays(undisturbed, tiny_model, tmp_path):
    """Files above 30 kB can't be written: the logs fit, a checkpoint of the model does not."""
    arguments, run = prepare(tmp_path, tiny_model), tmp_path / "runs" / "run"
    assert finish(arguments, tmp_path / "log", largest_file=30_000) == 2
    told = " ".join((tmp_path / "log").read_text().split())
    assert "File too large" in told
    assert "a checkpoint needs" in told
    assert "bytes" in told
    assert not (run / "checkpoints" / checkpoint.STAGING).exists()
    assert finish([*arguments, "--resume"], tmp_path / "log") == 0
    assert fingerprint(run) == fingerprint(undisturbed)


@pytest.fixture
def stopped(undisturbed, tiny_model, tmp_path):
    """A run with two checkpoints, as if it had been killed after step 6, in a place of its own."""
    arguments = prepare(tmp_path, tiny_model)
    process = start(arguments, tmp_path / "log")
    wait_for(tmp_path / "runs" / "run" / "checkpoints" / "checkpoint-2", process)
    process.kill()
    process.join()
    return arguments, tmp_path / "runs" / "run"


def test_damage_is_skipped_or_stops_a_resume(undisturbed, stopped, tmp_path, told):
    arguments, run = stopped
    newest, *older = checkpoint.candidates(run / "checkpoints")
    assert older
    (newest / "optimizer.pt").unlink()
    shutil.copytree(run, tmp_path / "copy")
    assert finish([*arguments, "--resume"], tmp_path / "log") == 0
    said = " ".join((tmp_path / "log").read_text().split())
    assert "skipped a damaged checkpoint" in said
    assert "optimizer.pt is missing" in said
    assert fingerprint(run) == fingerprint(undisturbed)
    shutil.rmtree(run)
    shutil.copytree(tmp_path / "copy", run)
    for path in older:
        (path / "rng_state.pth").unlink()
    kept = sorted(path.name for path in run.rglob("*") if path.name != ".lock")  # a dead process left that
    code, errors = told(*arguments, "--resume")
    assert code == 2
    assert "no checkpoint is valid — restore one from a copy, or start over with --overwrite" in errors
    assert sorted(path.name for path in run.rglob("*")) == kept


def test_what_was_changed_is_named_and_another_run_is_never_emptied(stopped, tmp_path, told):
    arguments, run = stopped
    shutil.rmtree(run / "checkpoints")  # nothing to go on from: all the more is there nothing to wipe
    kept = sorted(path.name for path in run.rglob("*") if path.name != ".lock")  # a dead process left that
    code, errors = told(*arguments, "--resume", "--set", "training.learning_rate=0.02")
    assert code == 2
    assert "training.learning_rate: this run has 0.01, and 0.02 is asked for" in errors
    (tmp_path / "flag.py").write_text((tmp_path / "flag.py").read_text() + "\n# changed\n")
    with (tmp_path / "questions.jsonl").open("a") as file:
        file.write('{"id": "q8", "question": "8?", "views": ["and 8?"], "answer": "1"}\n')
    code, errors = told(*arguments, "--resume")
    assert code == 2
    assert "data.path" in errors
    assert "flag.py: was changed since this run was started" in errors
    assert sorted(path.name for path in run.rglob("*")) == kept
