"""log π_0 of given completions in one forward pass, against the model asked token by token."""

import numpy as np
import pytest
import torch

from alft.models.base import Sampling
from alft.models.local import generate
from alft.offline.scores import log_probs
from tests.evaluation import tiny

ASKED = [("2+2=", "4", False), ("What is it?", "it is 12", False), ("2+2=", "4 apples", True), ("a", "", False)]


def token_by_token(model, tokenizer, prompt, text, truncated):
    ids, total = tokenizer(prompt)["input_ids"], 0.0
    for token in tokenizer(text, add_special_tokens=False)["input_ids"] + ([] if truncated else [1]):
        with torch.inference_mode():
            logits = model(torch.tensor([ids])).logits[0, -1].double()
        total += float(logits.log_softmax(dim=-1)[token])
        ids = [*ids, token]
    return total


def test_a_batch_of_completions_has_the_models_own_probabilities():
    model, tokenizer = tiny.model().train(), tiny.tokenizer()
    told: list[float] = []
    found = log_probs(model, tokenizer, ASKED, told.append, ())
    assert found == pytest.approx([token_by_token(model.eval(), tokenizer, *one) for one in ASKED], abs=1e-4)
    assert told == [1.0]
    assert log_probs(model.train(), tokenizer, ASKED[:1], None, ()) == pytest.approx(found[:1], abs=1e-5)
    assert model.training


def test_they_are_the_frequencies_of_what_is_sampled():
    model, tokenizer = tiny.model(initializer_range=0.6), tiny.tokenizer()
    drawn = generate(model, tokenizer, ["2+2="], Sampling(4000, False, 1, 4000, 3))[0]
    texts, counts = np.unique([one.text for one in drawn if one.truncated and one.text], return_counts=True)
    likely = counts >= 100
    assert likely.sum() >= 3
    scores = np.exp(log_probs(model, tokenizer, [("2+2=", str(text), True) for text in texts[likely]]))
    assert scores == pytest.approx(counts[likely] / 4000, abs=0.03)


@pytest.mark.parametrize("stop", [["4"], ["e", "12"]])
def test_a_stop_string_ends_a_completion_as_a_stop_token_does(stop):
    model, tokenizer = tiny.model(initializer_range=0.6), tiny.tokenizer()
    drawn = generate(model, tokenizer, ["2+2="], Sampling(4000, False, 2, 4000, 3, stop))[0]
    texts, counts = np.unique([one.text for one in drawn if not one.truncated], return_counts=True)
    likely = counts >= 20
    assert likely.any()
    scores = np.exp(log_probs(model, tokenizer, [("2+2=", str(text), False) for text in texts[likely]], stop=stop))
    assert scores == pytest.approx(counts[likely] / 4000, abs=0.02)


def test_a_batch_is_scored_as_each_completion_alone(monkeypatch):
    model, tokenizer = tiny.model(), tiny.tokenizer()
    asked = [(f"{n}+{n}=" * (n % 3 + 1), f"{n} is {n}" * (n % 4), n % 5 == 0) for n in range(40)]
    together = log_probs(model, tokenizer, asked)
    monkeypatch.setattr("alft.offline.scores.TOKENS", 1)
    alone = log_probs(model, tokenizer, asked)
    monkeypatch.setattr(model, "_is_stateful", True)
    assert together == pytest.approx(alone, abs=1e-4)
    assert together == pytest.approx(log_probs(model, tokenizer, asked), abs=1e-4)
