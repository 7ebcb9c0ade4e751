"""Models of which some layers keep a state instead of keys and values: sampled and scored like all others."""

import pytest
import torch
from transformers import Lfm2Config, Lfm2ForCausalLM

from alft.models.base import Sampling
from alft.models.local import generate
from alft.offline.scores import log_probs
from tests.evaluation import tiny


@pytest.fixture
def model():
    torch.manual_seed(0)
    heads = {"num_attention_heads": 2, "num_key_value_heads": 2, "layer_types": ["conv", "full_attention"]}
    size = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2}
    return Lfm2ForCausalLM(Lfm2Config(vocab_size=len(tiny.tokenizer()), **size, **heads)).eval()


def test_they_are_sampled(model):
    found = generate(model, tiny.tokenizer(), ["1+1?", "12+1?"], Sampling(3, max_new_tokens=4, batch_size=8))
    assert [len(completions) for completions in found] == [3, 3]


def test_they_are_scored(model):
    tokenizer, text = tiny.tokenizer(), "34"
    asked = [("1+1?", text, True), ("1+1?", "3", True), ("12+1?", text, True)]
    found = log_probs(model, tokenizer, asked)
    for (prompt, written, _), value in zip(asked, found, strict=True):
        ids = [tokenizer(part, add_special_tokens=False)["input_ids"] for part in (prompt, written)]
        with torch.no_grad():
            logits = model(torch.tensor([ids[0] + ids[1]])).logits[0].log_softmax(-1)
        expected = sum(logits[len(ids[0]) - 1 + i, token].item() for i, token in enumerate(ids[1]))
        assert value == pytest.approx(expected, abs=1e-4)
