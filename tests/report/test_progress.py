"""A live step that takes long is not silent until it ends."""

import io
import json

from rich.console import Console
from transformers import TrainerState, TrainingArguments

from alft.reporting.progress import Lines
from alft.training.callbacks import MetricsCallback
from alft.training.rundir import RunDirectory


def test_a_step_of_several_forward_passes_shows_how_far_it_is(tmp_path):
    run, told = RunDirectory(tmp_path), io.StringIO()
    with Lines(Console(file=told, width=200)) as progress:
        task = progress.add_task("training", total=20, metrics="")
        callback = MetricsCallback(run, progress, task)
        arguments, state = TrainingArguments(gradient_accumulation_steps=4), TrainerState(global_step=1)
        callback.on_substep_end(arguments, state, None)
        callback.on_substep_end(arguments, state, None)
        assert progress.tasks[task].completed == 0.5
        assert "training 0.25/20" in told.getvalue()
        callback.on_log(arguments, state, None, {"game/agreement": 0.5, "loss": 0.0})
        assert progress.tasks[task].completed == 1
    run.close()
    assert json.loads((tmp_path / "metrics.jsonl").read_text()) == {"step": 1, "agreement": 0.5, "loss": 0.0}


def test_no_time_left_is_said_of_the_first_moments(monkeypatch):
    """What a phase sets up takes long beside its first percents; after a minute an estimate helps."""
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)

    def told(seconds: float, share: float) -> str:
        nonlocal now
        text = io.StringIO()
        with Lines(Console(file=text, width=200)) as progress:
            task = progress.add_task("measuring", total=1.0, metrics="")
            now += seconds
            progress.update(task, completed=share)
        return text.getvalue().splitlines()[-1]

    assert told(14, 0.03) == "measuring 3%, 14 s"
    assert told(14, 0.1) == "measuring 10%, 14 s, about 126 s left"
    assert told(97, 0.03) == "measuring 3%, 97 s, about 3136 s left"
