"""examples/loop.py learns: the same loop, on two questions and a few steps."""

import importlib.util
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from alft import starter

EXAMPLES = Path(__file__).parents[1] / "examples"


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
