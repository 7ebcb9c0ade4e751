"""What vLLM is asked for, by a stand-in: there is no GPU here, so vLLM itself is not run."""

import sys
from types import SimpleNamespace

import pytest

from alft.config.schema import ModelConfig
from alft.models.base import Sampling
from alft.models.vllm import VllmModel
from tests.evaluation import tiny


class Engine:
    reason, ids = "length", ()

    def get_tokenizer(self):
        return tiny.tokenizer()

    def generate(self, asked, settings, use_tqdm):
        self.settings = settings
        one = SimpleNamespace(text="7", token_ids=self.ids, finish_reason=self.reason)
        return [SimpleNamespace(outputs=[one] * each.n) for each in settings]


@pytest.fixture
def asked(monkeypatch):
    monkeypatch.setitem(sys.modules, "vllm", SimpleNamespace(SamplingParams=SimpleNamespace))
    engine = Engine()

    def ask(sampling):
        told = VllmModel(engine, ModelConfig(path="org/model")).complete(["a", "b", "a"], sampling)
        return told, engine.settings

    return ask


def test_every_prompt_has_a_seed_of_its_own(asked):
    told, settings = asked(Sampling(samples=2, seed=5))
    assert [len(row) for row in told] == [2, 2, 2]
    assert all(one.truncated for row in told for one in row)
    assert len({each.seed for each in settings}) == 3
    again, others = asked(Sampling(seed=5))[1], asked(Sampling(seed=6))[1]
    assert [each.seed for each in again] == [each.seed for each in settings]
    assert not {each.seed for each in others} & {each.seed for each in settings}


def test_the_distribution_is_asked_for_as_it_is(asked):
    settings = asked(Sampling(samples=2))[1][0]
    assert (settings.temperature, settings.top_p, settings.top_k) == (1.0, 1.0, -1)
    assert asked(Sampling(greedy=True))[1][0].temperature == 0.0


@pytest.mark.parametrize("reason", ["abort", "content_filter", "error"])
def test_a_completion_that_was_broken_off_counts_as_cut_off(asked, monkeypatch, reason):
    monkeypatch.setattr(Engine, "reason", reason)
    assert asked(Sampling())[0][0][0].truncated
    monkeypatch.setattr(Engine, "reason", "stop")
    assert not asked(Sampling())[0][0][0].truncated


def test_tags_of_thinking_that_are_special_tokens_stay_in_the_text(monkeypatch):
    """vLLM's own text lacks them: the first thought would be read as the answer."""
    monkeypatch.setitem(sys.modules, "vllm", SimpleNamespace(SamplingParams=SimpleNamespace))
    tokenizer = tiny.tokenizer()
    tokenizer.add_special_tokens({"additional_special_tokens": ["<think>", "</think>"]})
    engine, thought = Engine(), "<think>1"
    engine.ids = tokenizer(thought, add_special_tokens=False)["input_ids"]
    model = VllmModel(engine, ModelConfig(path="org/model", chat="plain"), tokenizer)
    assert model.complete(["a"], Sampling())[0][0].text.startswith("<think>")
    assert model.identity()["chat"] is False
