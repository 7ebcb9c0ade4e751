"""What people copy works: examples/loop.py learns, and the TRL script in README runs."""

import importlib.util
import json
import re
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from alft import starter
from alft.questions import dump_questions
from tests.cli.test_cli import alft

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"


@pytest.fixture
def loop():
    spec = importlib.util.spec_from_file_location("loop", EXAMPLES / "loop.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_agreement_rises_on_the_questions_trained_on(loop, monkeypatch):
    questions = starter.training_questions(0, 2)
    monkeypatch.setattr(starter, "training_questions", lambda seed: questions)
    monkeypatch.setattr(starter, "held_out_questions", lambda count: questions)
    monkeypatch.setattr(loop, "QUESTIONS", len(questions))
    monkeypatch.setattr(loop, "LEARNING_RATE", 3e-4)
    before, after = loop.main(steps=8)
    assert after["agreement"] > before["agreement"] + 0.1


def test_log_probabilities_are_those_of_the_completion_without_padding(loop):
    model = AutoModelForCausalLM.from_pretrained(starter.model_path())
    tokenizer = AutoTokenizer.from_pretrained(starter.model_path())
    torch.manual_seed(0)
    tokens, length, _ = loop.sample(model, tokenizer, starter.training_questions(0, 2))
    rows = [0, 20, -1]
    with torch.no_grad():
        found = loop.log_probability(model, tokenizer, tokens[rows], length)
        for row, total in zip(tokens[rows], found, strict=True):
            prompt = row[:length][row[:length] != tokenizer.pad_token_id]
            completion = row[length:][row[length:] != tokenizer.pad_token_id]
            logs = model(torch.cat([prompt, completion])[None]).logits[0].log_softmax(dim=-1)
            expected = sum(logs[len(prompt) - 1 + at, token] for at, token in enumerate(completion))
            assert float(total) == pytest.approx(float(expected), abs=1e-3)


def test_the_loop_stays_short_enough_to_read():
    assert len((EXAMPLES / "loop.py").read_text().splitlines()) <= 150


def test_the_trl_script_in_readme_runs(tmp_path, monkeypatch):
    """As written, but for the model, which has to be here, and the number of steps."""
    (script,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    script, models = re.subn(r'model="[^"]+"', f"model={str(starter.model_path())!r}", script)
    script, steps = re.subn(r"max_steps=\d+", "max_steps=1", script)
    assert (models, steps) == (1, 1)
    monkeypatch.chdir(tmp_path)
    questions = [replace(each, views=each.views[:3]) for each in starter.training_questions(0, 4)]
    dump_questions(questions, tmp_path / "views.jsonl")
    names = {}
    exec(script, names)
    assert names["trainer"].state.global_step == 1
    assert 0 <= names["trainer"].state.log_history[0]["game/agreement"] <= 1


def test_the_commands_in_readme_run_up_to_training(tmp_path, monkeypatch):
    """As written, but for the model and the length of its completions; the last as a process of its own."""
    readme = (ROOT / "README.md").read_text("utf-8")
    block = next(each for each in re.findall(r"```bash\n(.*?)```", readme, re.DOTALL) if "alft validate" in each)
    (config,) = re.findall(r"```yaml\n(.*?)```", readme, re.DOTALL)
    config, models = re.subn(r"path: [\w-]+/[^}]+", f"path: {starter.model_path()}", config)
    config, lengths = re.subn(r"max_new_tokens: \d+", "max_new_tokens: 32", config)
    assert (models, lengths) == (1, 1)
    (tmp_path / "run.yaml").write_text(config)
    asked = [json.dumps({"question": each.views[0].text}) for each in starter.training_questions(0, 10)]
    (tmp_path / "questions.jsonl").write_text("\n".join(asked))
    commands = [shlex.split(line, comments=True) for line in block.splitlines()]
    assert [command[1] for command in commands] == [
        "validate",
        "views",
        "show",
        "train",
        "train",
        "evaluate",
        "report",
    ]
    monkeypatch.chdir(tmp_path)
    for command in commands[:3]:
        assert alft(monkeypatch, *command[1:]) == 0
    done = subprocess.run([sys.executable, "-m", *commands[3]], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "8 questions × 3 views" in done.stdout
