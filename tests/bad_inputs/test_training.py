"""Bad things that happen to training (docs/bad-inputs.md, items 76 to 98): one test an item, by its number.

Items that a run of processes shows are in tests/training: 84 and 85 test_kills.py, 86 test_kills.py and
test_guarding.py, 97 test_several_processes.py; here is what they rest on.
"""

import io
import json
import logging
import os
import shutil
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console
from transformers import TrainerCallback

from alft import games
from alft.answers import Extraction, Outcome, keys
from alft.answers.guarded import GuardedGrader
from alft.completions import Completion
from alft.config.load import load_config
from alft.errors import (
    AlftError,
    CheckpointError,
    ConfigError,
    DivergedError,
    OutOfMemoryError,
    Problem,
    RunLockedError,
)
from alft.plan.build import load_plan
from alft.plan.plan import Start, check_directory
from alft.rewards import Scoring, scorer
from alft.rewards.scorer import Scorer
from alft.storage import checkpoint
from alft.storage.files import Journal, locked
from alft.training import callbacks as trackers
from alft.training.callbacks import ALARMS, FAILED_LIMIT, POOLED, Alarms, GradientGuard, ScoringError, step_metrics
from alft.training.processes import ProcessError, everywhere
from alft.training.reward_functions import GuardedRewards
from alft.training.run import choose, closing, digests, held, naming_memory, open_run, train
from alft.training.rundir import RunDirectory
from alft.training.stopping import StopRequest, listening


def score(samples: Sequence[Sequence[str | None]], **options: Any) -> tuple[list[Completion], scorer.ScoredBatch]:
    rows = [Completion("", question="q", place=view, key=key) for view, keys in enumerate(samples) for key in keys]
    return rows, Scorer(Scoring(games.Coherence("geometric"), **options)).score(rows)


def test_item_76_all_answers_alike_earn_nothing_and_are_told(caplog) -> None:
    seen, alarms = score([["1"] * 4, ["1"] * 4]), Alarms()
    assert np.abs(seen[1].advantages).max() < 1e-9
    with caplog.at_level(logging.WARNING, "alft"):
        for step in range(ALARMS["zero_variance"].patience):
            alarms.see(step, *seen)
    assert "100% of the views give no signal" in caplog.text
    assert step_metrics(seen[1])["dominant_share"] == 1.0


def test_item_77_all_answers_distinct_earn_alike() -> None:
    _, batch = score([["1", "2", "3", "4"], ["5", "6", "7", "8"]])
    assert np.ptp(batch.rewards) == 0.0
    assert np.ptp(batch.advantages) < 1e-9  # the same for all pushes nowhere, on average
    assert step_metrics(batch)["agreement"] == 0.0


def test_item_78_nothing_readable_moves_nothing_and_is_counted(caplog) -> None:
    seen, alarms = score([[None] * 4, [None] * 4]), Alarms()
    assert np.abs(seen[1].advantages).max() == 0.0
    assert step_metrics(seen[1])["unread"] == 1.0
    assert step_metrics(seen[1])["incoherence"] is None
    with caplog.at_level(logging.WARNING, "alft"):
        for step in range(ALARMS["unread"].patience):
            alarms.see(step, *seen)
    assert "raise training.max_new_tokens" in caplog.text


class Poison(TrainerCallback):
    """Makes the weights no numbers after a step, as a step of training that went wrong would."""

    def __init__(self, after: int) -> None:
        self.after = after

    def on_step_end(self, args, state, control, **kwargs: Any):
        if state.global_step == self.after:
            with torch.no_grad():
                next(each for each in kwargs["model"].parameters() if each.requires_grad).fill_(float("nan"))


class PoisonedGuard(GradientGuard, Poison):
    """The run's own guard, after which the weights are no numbers from step 2 on."""

    def __init__(self, limit: int) -> None:
        GradientGuard.__init__(self, limit)
        self.after = 2

    def on_step_end(self, args, state, control, **kwargs: Any):
        Poison.on_step_end(self, args, state, control, **kwargs)
        return GradientGuard.on_step_end(self, args, state, control, **kwargs)


def tiny_plan(folder: Path, model: Path, *settings: str) -> Any:
    path = folder / "questions.jsonl"
    rows = [{"id": f"q{i}", "question": f"{i}?", "views": [f"and {i}?"], "answer": "1"} for i in range(5)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    values = [
        *(f"model.path={model}", f"data.path={path}", "data.held_out=1", "data.instruction="),
        *("training.steps=4", "training.questions_per_step=2", "training.samples=4", "training.max_new_tokens=4"),
        *("training.learning_rate=0.01", "training.threads=1", "evaluation.samples=1", "watch.unread=1.0"),
        *("watch.information_loss=1.0", "watch.probe_questions=0", f"output.directory={folder / 'runs'}"),
        "output.name=run",
    ]
    return load_plan(load_config(None, [*values, *settings]))


def silent(plan: Any, start: Start = Start.NEW) -> Any:
    return train(plan, Console(file=io.StringIO()), start)


def test_item_79_outputs_that_are_no_numbers_give_the_last_good_model_back(tiny_model, tmp_path, monkeypatch):
    monkeypatch.setattr("alft.training.loop.GradientGuard", PoisonedGuard)
    result = silent(tiny_plan(tmp_path, tiny_model, "watch.every=4"))
    assert result.results["training"]["stopped"] == "the model's outputs are not finite"
    assert result.results["training"]["restored_step"] == 0
    assert result.results["after"] == result.results["before"]
    assert "at_stop" not in result.results


def test_item_79_without_a_watch_that_is_an_error(tiny_model, tmp_path, monkeypatch):
    monkeypatch.setattr("alft.training.loop.GradientGuard", PoisonedGuard)
    plan = tiny_plan(tmp_path, tiny_model, "watch.enabled=false", "training.checkpoint_every=1")
    with pytest.raises(DivergedError, match=r"step 3: the model's outputs are not finite — lower training\.learn"):
        silent(plan)
    assert checkpoint.find_newest(plan.directory / "checkpoints").path is not None


def test_item_80_rewards_are_bounded_and_a_users_own_finite() -> None:
    _, batch = score([["1"] + ["2"] * 7, ["1"] * 8])
    assert np.abs(batch.rewards).max() <= 5.0  # scoring.cap
    guarded = GuardedRewards([lambda completions, **_: [1.0, float("inf")]])
    guarded.functions[0](completions=["a", "b"])
    with pytest.raises(ValueError, match=r"the reward inf for 'b': rewards must be within ±1e\+06"):
        guarded.check()
    guarded = GuardedRewards([lambda completions, **_: [1.0, 1e30]])
    guarded.functions[0](completions=["a", "b"])
    with pytest.raises(ValueError, match=r"the reward 1e\+30 for 'b'"):
        guarded.check()


def test_item_81_a_text_that_breaks_the_reader_is_kept_and_many_end_the_run(tiny_model, tmp_path, monkeypatch):
    calls = {"read": 0, "fails": 2}

    def reader(*_: Any, **__: Any) -> Extraction:
        calls["read"] += 1
        if calls["read"] <= calls["fails"]:
            raise RecursionError("too deep")
        return Extraction(str(calls["read"] % 3))

    monkeypatch.setattr(scorer, "read", reader)
    directory = silent(tiny_plan(tmp_path, tiny_model, "game=majority")).directory
    kept = [json.loads(line) for line in (directory / "errors.jsonl").read_text().splitlines()]
    assert [line["error"] for line in kept] == ["RecursionError: too deep"] * 2
    assert all({"step", "question_id", "view", "text"} <= line.keys() for line in kept)
    calls.update(read=0, fails=10**9)
    with pytest.raises(ScoringError, match=r"reading failed on 16 of the last 16 completions.*errors\.jsonl"):
        silent(tiny_plan(tmp_path, tiny_model, "game=majority", "output.name=broken"))
    assert len((tmp_path / "runs" / "broken" / "errors.jsonl").read_text().splitlines()) == 16


def test_item_81_one_failure_in_a_small_batch_is_no_rate() -> None:
    rows, batch = score([["1"] * 4, ["1"] * 4])
    broken, alarms = [Completion("", question="q", error="E"), *rows[1:]], Alarms()
    alarms.see(0, broken, batch)
    for step in range(1, 20):
        alarms.see(step, rows, batch)
    alarms.see(20, broken, batch)
    assert FAILED_LIMIT * POOLED == 5
    for step in range(21, 24):  # in the last 104 completions there are 5 now
        alarms.see(step, broken, batch)
    alarms.see(24, broken, batch)
    with pytest.raises(ScoringError, match="6 of the last 104"):
        alarms.see(25, broken, batch)


@pytest.fixture(scope="module")
def grader():
    with GuardedGrader() as guarded:
        assert guarded.grade("1+x", "x+1") is Outcome.RIGHT  # the child is warm
        yield guarded


def test_item_82_a_grader_that_hangs_is_cut_off(grader, monkeypatch) -> None:
    """Training itself reads keys only, which takes no grader; what grades beside gold runs in a child."""
    began = time.process_time()
    assert (
        scorer.read_completion({"question_id": "q", "view": 0}, "\\boxed{" + "(" * 5000 + "9^{9^{9^9}}").key
        is None
    )
    assert time.process_time() - began < 1.0
    monkeypatch.setattr(grader, "seconds", 0.3)
    assert grader._ask("9^{9^{9^{9}}}+x", "x+1") is None
    monkeypatch.undo()
    assert grader.grade("2+x", "x+2") is Outcome.RIGHT


def test_item_83_a_grader_that_dies_is_replaced(grader) -> None:
    grader._child._process.kill()
    assert grader.grade("3+x", "x+3") is Outcome.GRADER_FAILED
    assert grader.grade("4+x", "x+4") is Outcome.RIGHT


@pytest.mark.parametrize("after", ["config.yaml", "inputs.json", "environment.json", "questions.jsonl"])
def test_item_84_killed_while_it_began_a_run_begins_again(tiny_model, tmp_path, monkeypatch, after) -> None:
    """Between any two files of a new run: --resume begins it again, and so does --overwrite."""
    plan = tiny_plan(tmp_path, tiny_model)
    inputs = digests(plan)
    plan.directory.mkdir(parents=True)
    open_run(plan, inputs, None).close()
    names = ["config.yaml", "inputs.json", "environment.json", "questions.jsonl"]
    for path in plan.directory.iterdir():
        if path.name not in names[: names.index(after) + 1]:
            path.unlink()
    for start in (Start.RESUME, Start.OVERWRITE):
        check_directory(plan.directory, start)
    said: list[str] = []
    assert choose(plan, inputs, said.append) is None
    assert "starting over" in said[0]
    run = open_run(plan, inputs, None)
    run.close()
    assert json.loads((plan.directory / "inputs.json").read_text()) == inputs


def test_item_84_a_staged_checkpoint_is_never_taken(tmp_path) -> None:
    checkpoint.staging(tmp_path)
    assert checkpoint.find_newest(tmp_path).path is None


def test_item_85_signals_wait_for_the_step_and_a_second_one_does_not(monkeypatch) -> None:
    ended: list[int] = []
    monkeypatch.setattr(os, "_exit", ended.append)
    with listening() as request, request.patience():
        os.kill(os.getpid(), signal.SIGTERM)
        assert request.signal == signal.SIGTERM
        os.kill(os.getpid(), signal.SIGINT)
    assert ended == [130]
    with pytest.raises(KeyboardInterrupt):
        StopRequest().receive(signal.SIGINT, None)  # nothing is under way that could be finished


def test_item_86_a_failure_to_close_the_logs_hides_nothing(tmp_path, monkeypatch) -> None:
    run = RunDirectory(tmp_path)
    monkeypatch.setattr(run, "close", lambda: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(CheckpointError, match="needs 7 bytes"), closing(run):
        raise CheckpointError(Problem("checkpoint-1", "a checkpoint needs 7 bytes"))
    monkeypatch.undo()
    run.close()


@pytest.fixture
def read_only(tmp_path):
    """A folder that can't be written to, for root too: root passes over modes, but not over what /sys is."""
    if os.geteuid() != 0:
        tmp_path.chmod(0o555)
        yield tmp_path
        tmp_path.chmod(0o755)
    elif Path("/sys/kernel").is_dir():
        yield Path("/sys/kernel")
    else:
        pytest.skip("no folder here that root can't write to")


def test_item_87_a_read_only_directory_is_told_before_the_model_is_loaded(read_only, monkeypatch) -> None:
    monkeypatch.setattr("alft.training.run.load_model", lambda config: pytest.fail("the model was loaded"))
    with pytest.raises(ConfigError, match=r"can't be written to|no folder that can be written to"):
        silent(load_plan(load_config(None, [f"output.directory={read_only}"])))


def test_item_88_a_file_in_place_of_the_directory(tmp_path) -> None:
    (tmp_path / "run").touch()
    plan = load_plan(load_config(None, [f"output.directory={tmp_path}", "output.name=run"]))
    with pytest.raises(ConfigError, match=r"run: is a file, not a directory — choose another output\.name"):
        silent(plan)


def test_item_89_an_earlier_run_is_resumed_or_overwritten_on_request_only(tmp_path) -> None:
    (tmp_path / "run").mkdir()
    check_directory(tmp_path / "run", Start.NEW)
    (tmp_path / "run" / "config.yaml").touch()
    with pytest.raises(
        AlftError, match="a run is there already — continue with --resume, start over with --overwr"
    ):
        check_directory(tmp_path / "run", Start.NEW)


def test_item_90_another_configuration_data_or_code_is_named(tiny_model, tmp_path) -> None:
    (tmp_path / "my games").mkdir()
    code = tmp_path / "my games" / "flag.py"
    code.write_text("def a(text, key):\n    return 'a' in text\n")
    limit = f"constraints=[{{function: '{code}:a', at_most: 0.1}}]"
    plan = tiny_plan(tmp_path, tiny_model, limit)
    plan.directory.mkdir(parents=True)
    open_run(plan, digests(plan), None).close()
    choose(plan, digests(plan), lambda text: None)  # the same: nothing is said against it
    code.write_text(code.read_text() + "\n")
    changed = tiny_plan(tmp_path, tiny_model, limit, "scoring.beta=0.1", "training.report_to=[]")
    with pytest.raises(ConfigError) as caught:
        choose(changed, digests(changed) | {"model": "another"}, lambda text: None)
    told = str(caught.value)
    assert "scoring.beta: this run has 0.0, and 0.1 is asked for" in told
    assert f"model.path ({tiny_model}): was changed" in told
    assert f"{code}: was changed since this run was started" in told
    assert "data" not in told


@pytest.mark.parametrize("gone", ["results.json", "results.json model", "results.json checkpoints"])
def test_item_92_what_was_trained_is_never_emptied_by_resuming(tiny_model, tmp_path, monkeypatch, gone) -> None:
    if "checkpoints" in gone:
        monkeypatch.setattr(RunDirectory, "tidy", lambda self: shutil.rmtree(self.model))  # killed before model/
    run = silent(tiny_plan(tmp_path, tiny_model)).directory
    for path in map(run.joinpath, gone.split()):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    kept = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    other = [] if "checkpoints" in gone else ["training.seed=5"]
    with pytest.raises(CheckpointError, match=r"run: .* — put back what is missing"):
        silent(tiny_plan(tmp_path, tiny_model, *other), Start.RESUME)
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == kept


@pytest.fixture(scope="module")
def finished(tiny_model, tmp_path_factory):
    """A plan in a folder that is given, with a run of it that has finished, made once and copied."""
    place = tmp_path_factory.mktemp("finished")
    silent(tiny_plan(place, tiny_model))

    def copied(folder: Path) -> Any:
        plan = tiny_plan(folder, tiny_model, f"data.path={place / 'questions.jsonl'}")
        shutil.copytree(place / "runs" / "run", plan.directory)
        return plan

    return copied


@pytest.mark.parametrize(
    ("name", "damage", "told"),
    [
        ("results.json", lambda path: path.write_text('{"before": '), r"is empty or not a JSON object — restore"),
        ("model", shutil.rmtree, r"the run has finished, and its model is gone — restore"),
        ("inputs.json", Path.unlink, r"is missing or damaged: what the run began with is unknown — restore"),
    ],
)
def test_item_92_damage_to_a_finished_run_is_named_alone(finished, tmp_path, name, damage, told) -> None:
    plan = finished(tmp_path)
    assert silent(plan, Start.RESUME).directory == plan.directory
    damage(plan.directory / name)
    with pytest.raises(AlftError, match=rf"^{plan.directory / name}: {told} it from a copy, or start over[^\n]*$"):
        silent(plan, Start.RESUME)


def test_item_92_a_log_that_was_changed_stops_a_resume(tiny_model, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(RunDirectory, "tidy", lambda self: (self.path / "results.json").unlink())
    plan = tiny_plan(tmp_path, tiny_model)
    run = silent(plan).directory
    log, versions = run / "completions.jsonl", run / "environment.json"
    versions.write_text('{"packages": ["x"]}')
    content = bytearray(log.read_bytes())
    content[50] ^= 255
    log.write_bytes(bytes(content))
    with pytest.raises(CheckpointError, match=r"completions\.jsonl: was cut or changed since the checkpoint"):
        silent(plan, Start.RESUME)


def test_item_91_one_process_a_directory(tmp_path) -> None:
    child = os.fork()
    if child == 0:
        with locked(tmp_path):
            (tmp_path / "locked").touch()
            signal.pause()
    while not (tmp_path / "locked").exists():
        time.sleep(0.01)
    with (
        pytest.raises(RunLockedError, match=f"another run is using this directory .process {child} on"),
        held(tmp_path),
    ):
        pass
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with held(tmp_path):  # a dead process holds nothing
        pass


def saved(folder: Path, step: int) -> Path:
    written = checkpoint.staging(folder) / f"checkpoint-{step}"
    written.mkdir()
    (written / "optimizer.pt").write_bytes(b"moments")
    return checkpoint.commit(written, folder)


def test_item_92_damage_is_skipped_and_nothing_valid_is_an_error(tmp_path) -> None:
    older, newer = saved(tmp_path, 1), saved(tmp_path, 2)
    (newer / "optimizer.pt").write_bytes(b"momentz")
    assert checkpoint.find_newest(tmp_path).path == older
    (older / "optimizer.pt").unlink()
    with pytest.raises(CheckpointError, match="no checkpoint is valid"):
        checkpoint.find_newest(tmp_path)


def test_item_93_the_step_orders_whatever_the_clock_says(tmp_path) -> None:
    for step in (9, 10):
        saved(tmp_path, step)
    os.utime(tmp_path / "checkpoint-9", (2e9, 2e9))
    os.utime(tmp_path / "checkpoint-10", (1, 1))
    assert [path.name for path in checkpoint.candidates(tmp_path)] == ["checkpoint-10", "checkpoint-9"]


def test_item_94_a_symbolic_link_to_the_directory(tmp_path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "checkpoints").symlink_to(tmp_path / "disk")
    saved(tmp_path / "checkpoints", 1)
    assert checkpoint.find_newest(tmp_path / "checkpoints").path is not None
    assert [path.name for path in (tmp_path / "disk").iterdir()] == ["checkpoint-1"]


class Down:
    """A tracker whose server can't be reached: once from the start, once in the middle."""

    fails_at = "on_train_begin"

    def __init__(self) -> None:
        self.told: list[str] = []

    def __getattr__(self, event: str) -> Any:
        def tell(*_: Any, **__: Any) -> None:
            if event == type(self).fails_at:
                raise ConnectionError("no route to host")
            self.told.append(event)

        return tell


@pytest.mark.parametrize("fails_at", ["on_train_begin", "on_log"])
def test_item_95_a_tracker_that_is_down_never_ends_a_run(tiny_model, tmp_path, monkeypatch, caplog, fails_at):
    monkeypatch.setattr("alft.plan.plan.find_spec", lambda name: name)
    monkeypatch.setattr(Down, "fails_at", fails_at)
    monkeypatch.setattr(trackers, "get_reporting_integration_callbacks", lambda names: [Down])
    with caplog.at_level(logging.WARNING, "alft"):
        directory = silent(tiny_plan(tmp_path, tiny_model, "training.report_to=[wandb]")).directory
    failures = [text for text in caplog.messages if "wandb fails and is called no more" in text]
    assert len(failures) == 1
    assert "no route to host" in failures[0]
    assert [json.loads(line)["step"] for line in (directory / "metrics.jsonl").read_text().splitlines()] == [
        1,
        2,
        3,
        4,
    ]


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
        MemoryError("Unable to allocate 9 GiB"),
    ],
)
def test_item_96_memory_that_ran_out_names_the_knobs(error) -> None:
    with pytest.raises(OutOfMemoryError) as caught, naming_memory():
        raise error
    told = str(caught.value)
    assert "allocate" in told
    assert all(
        knob in told for knob in ("training.micro_batch_size", "training.max_new_tokens", "training.samples")
    )


def test_item_96_other_errors_stay_what_they_are() -> None:
    with pytest.raises(RuntimeError, match="shape mismatch"), naming_memory():
        raise RuntimeError("shape mismatch")


def test_item_97_a_failure_elsewhere_is_raised_here(monkeypatch) -> None:
    monkeypatch.setattr("alft.training.processes.several", lambda: True)
    monkeypatch.setattr("alft.training.processes.gather_object", lambda told: [*told, "Traceback: here"])
    with pytest.raises(ProcessError, match="process 1: Traceback: here"):
        everywhere(lambda: 1)


def test_item_98_a_long_run_holds_its_logs_on_the_disk_and_its_caches_bounded(tmp_path) -> None:
    """Logs grow on the disk (they are the record); nothing in memory grows with them, and none is read again."""
    log = Journal(tmp_path / "log.jsonl")
    log.append({"n": number} for number in range(1000))
    place = log.state_dict()
    log.close()
    again = Journal(tmp_path / "log.jsonl")
    assert next(again.records()) == {"n": 0}  # a stream, not a list
    again.load_state_dict(place)
    assert again.state_dict() == place
    again.close()
    limited = [value for value in vars(keys).values() if hasattr(value, "cache_parameters")]
    assert limited
    assert all(value.cache_parameters()["maxsize"] for value in limited)
