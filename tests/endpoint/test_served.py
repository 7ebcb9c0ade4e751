"""The client against a real server: `transformers serve` with the starter model."""

from itertools import islice

import pytest

from alft.models.base import Sampling
from alft.models.endpoint import Asking, Endpoint, Request, ServedModel
from alft.offline import Request as Samples
from alft.offline import read_samples, sample
from alft.starter import held_out_questions

QUESTION = "Start with 27, add 5, subtract 3, subtract 3. What is the result?"
CHAT = ({"role": "user", "content": QUESTION},)


def test_samples_of_several_prompts_come_back_under_their_keys(served):
    endpoint = Endpoint(served.url, served.model, concurrency=4)
    asked = [Request(f"q{i}", f"Start with {i}, add 5, subtract 3. What is the result?") for i in range(11, 14)]
    before = served.requests
    replies = {reply.key: reply for reply in endpoint.ask(asked, Asking(samples=3, max_tokens=40))}
    assert set(replies) == {"q11", "q12", "q13"}
    for key, reply in replies.items():
        assert reply.refusal is None
        assert len(reply.completions) == 3
        assert all(one.text.startswith(key[1:]) and not one.truncated for one in reply.completions)
    assert served.requests - before == 9  # this server ignores n: the other samples were asked for one by one


def test_samples_differ_as_those_of_the_model_and_a_short_limit_truncates(served):
    reply = next(
        Endpoint(served.url, served.model).ask([Request("a", QUESTION)], Asking(samples=8, max_tokens=40))
    )
    assert len({one.text for one in reply.completions}) > 1
    cut = next(Endpoint(served.url, served.model).ask([Request("a", CHAT)], Asking(max_tokens=2)))
    assert cut.completions[0].truncated


def test_plain_prompts_go_to_completions_as_they_stand(served):
    plain = Endpoint(served.url, served.model, chat=False)
    reply = next(plain.ask([Request("a", f"<|user|>{QUESTION}<|assistant|>")], Asking(max_tokens=40)))
    assert "#### " in reply.completions[0].text


def test_an_iteration_that_is_left_cancels_what_is_under_way(served):
    endpoint = Endpoint(served.url, served.model, concurrency=2)
    endless = (Request(str(i), QUESTION) for i in range(10**9))
    assert len(list(islice(endpoint.ask(endless, Asking(max_tokens=10)), 3))) == 3


def test_a_killed_sampling_asks_only_for_what_is_missing(served, tmp_path):
    request = Samples(held_out_questions(1), Sampling(2, max_new_tokens=40, batch_size=4), "starter")
    first, second = (Endpoint(served.url, served.model) for _ in range(2))
    path = tmp_path / "s.parquet"

    def kill(share):
        if share > 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sample(request, ServedModel(first), path, kill)
    before = served.requests
    samples = read_samples(sample(request, ServedModel(second), path))
    assert served.requests - before == 4  # of 8: the first two views were on disk
    assert len(samples) == 8
    assert samples.provenance.chat
    assert not samples.refused()
