"""What servers do wrong, done by a real one on loopback: tried again, refused with a reason, or stopped."""

import sys
import time
from dataclasses import replace

import pytest

from alft.errors import ConfigError, EndpointError
from alft.models import failures
from alft.models.endpoint import Asking, Endpoint, Request
from tests.endpoint.scripted import Answer, completions, scripted
from tests.serving import free_port

ONE = [Request("q", "How many?")]
SECRET = "sk-very-secret"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(failures, "FIRST_WAIT", 0.01)
    monkeypatch.delenv("ALFT_API_KEY", raising=False)


def ask(url, requests=ONE, asking=None, **options):
    return list(Endpoint(url, "m", **options).ask(requests, asking))


def error(status, message="no", **headers):
    return Answer(status, {"error": {"message": message}}, headers)


@pytest.mark.parametrize(
    "failure",
    [
        error(429),
        error(500),
        error(503),
        error(408),
        Answer(200, "{not json"),
        Answer(200, "<html>busy</html>", {"content-type": "text/html"}),
        Answer(200, {"choices": []}),
        Answer(200, {"choices": [{"message": {"content": 5}}]}),
        Answer(200, {"choices": None}, seconds=1.2),
    ],
    ids=["429", "500", "503", "408", "broken JSON", "HTML", "no choices", "no text", "hang"],
)
def test_what_may_pass_is_tried_again(failure):
    with scripted(lambda number, body: failure if number < 2 else completions("7")) as server:
        replies = ask(server.url, timeout=0.8 if failure.seconds else 10.0)
    assert [reply.completions[0].text for reply in replies] == ["7"]
    assert len(server.bodies) == 3
    assert server.bodies[0] == server.bodies[2]


def test_retry_after_is_kept():
    answers = [error(429, **{"retry-after": "0.4"}), completions("7")]
    with scripted(lambda number, body: answers[number]) as server:
        began = time.monotonic()
        ask(server.url)
    assert time.monotonic() - began >= 0.4


@pytest.mark.parametrize(
    ("failure", "remedy"),
    [
        (error(401, f"bad key {SECRET}"), "ALFT_API_KEY"),
        (error(403), "ALFT_API_KEY"),
        (error(404, "The model `m` does not exist"), "does the server have the model 'm'"),
        (Answer(429, {"error": {"message": "no money", "code": "insufficient_quota"}}), "fix the account"),
    ],
    ids=["401", "403", "404", "quota"],
)
def test_what_can_not_pass_stops_at_once(monkeypatch, failure, remedy):
    monkeypatch.setenv("ALFT_API_KEY", SECRET)
    with scripted(lambda number, body: failure) as server, pytest.raises(EndpointError, match=remedy) as caught:
        ask(server.url)
    assert len(server.bodies) == 1
    assert server.keys == [f"Bearer {SECRET}"]
    assert SECRET not in str(caught.value)


def test_patience_ends():
    expected = pytest.raises(EndpointError, match="500: on fire ␛")
    with scripted(lambda number, body: error(500, "on fire \x1b[2J")) as server, expected:
        ask(server.url, patience=0.2)
    assert 2 < len(server.bodies) < 20


@pytest.mark.parametrize("failure", [Answer(200, "<html>nginx</html>"), error(500)], ids=["HTML", "500"])
def test_a_server_that_never_answers_is_given_up_soon_and_reported_at_once(failure, caplog):
    two = [Request("q", "How many?"), Request("r", "How much?")]
    with scripted(lambda number, body: failure) as server, pytest.raises(EndpointError, match="server's log"):
        ask(server.url, two)
    assert len(server.bodies) <= 2 * failures.CONNECTIONS
    assert [record.message.endswith("; retrying") for record in caplog.records] == [True]


def test_a_reply_that_drips_has_the_time_of_a_request():
    expected = pytest.raises(EndpointError, match="no whole reply within")
    with scripted(lambda number, body: replace(completions("7"), drip=0.1)) as server, expected:
        ask(server.url, timeout=0.5, patience=0.2)


def test_a_retry_after_beyond_patience_is_not_waited_for():
    expected = pytest.raises(EndpointError, match="429")
    with scripted(lambda number, body: error(429, **{"retry-after": "3600"})) as server, expected:
        ask(server.url)
    assert len(server.bodies) == 1


def test_nothing_listens():
    with pytest.raises(EndpointError, match="start the server"):
        ask(f"http://127.0.0.1:{free_port()}/v1")


def test_one_refused_prompt_does_not_stop_the_others():
    def answer(number, body):
        return error(400, "too long") if body["messages"][0]["content"] == "3" else completions("7")

    with scripted(answer) as server:
        replies = ask(server.url, [Request(str(i), str(i)) for i in range(40)])
    refused = {reply.key: reply.refusal for reply in replies if reply.refusal is not None}
    assert refused == {"3": "400: too long"}
    assert len(replies) == 40


def test_if_all_are_refused_it_is_not_the_prompts():
    with scripted(lambda number, body: error(400, "pinned to another model")) as server:
        with pytest.raises(EndpointError, match=r"pinned to another model.*does the server have the model 'm'"):
            ask(server.url, [Request(str(i), "x") for i in range(1000)])
        assert len(server.bodies) < 40
        with pytest.raises(EndpointError, match="pinned"):
            ask(server.url)


def test_a_single_prompt_that_is_refused_is_told_apart_from_a_server_that_refuses_all():
    def answer(number, body):
        return error(400, "too long") if body["messages"][0]["content"] == "How many?" else completions("2")

    with scripted(answer) as server:
        replies = ask(server.url)
    assert [reply.refusal for reply in replies] == ["400: too long"]
    assert len(server.bodies) == 2  # one of them to see whether the server takes anything


def test_one_refusal_does_not_cost_the_others_their_n():
    def answer(number, body):
        refused = body["messages"][0]["content"] == "0"
        return error(400, "too long") if refused else completions(*["7"] * body.get("n", 1))

    with scripted(answer) as server:
        replies = ask(server.url, [Request(str(i), str(i)) for i in range(6)], Asking(samples=8), concurrency=1)
    assert [reply.refusal is None for reply in replies] == [False] + [True] * 5
    assert [body.get("n", 1) for body in server.bodies] == [8, 1, *[8] * 5]


@pytest.mark.parametrize("late", [error(400, "filtered"), error(500), completions("7")], ids=["400", "500", "one"])
def test_a_refused_request_has_one_reply_and_is_asked_no_more(late):
    """Its other parts are under way when one is refused: whatever comes of them, none is asked again."""
    first = Asking().seed_of("bad", 0)

    def answer(number, body):
        if body["messages"][0]["content"] == "good":
            return completions(*["7"] * body.get("n", 1))
        return error(400, "filtered") if body["seed"] == first else replace(late, seconds=1.5)

    with scripted(answer) as server:
        replies = ask(server.url, [Request("bad", "bad"), Request("good", "good")], Asking(samples=64))
    assert sorted((reply.key, reply.refusal) for reply in replies) == [("bad", "400: filtered"), ("good", None)]
    asked = [body.get("n", 1) for body in server.bodies if body["messages"][0]["content"] == "bad"]
    assert sorted(asked) == [1, 16, 16, 16, 16]


def test_a_server_with_n_is_asked_in_parts_of_sixteen():
    with scripted(lambda number, body: completions(*["7"] * body.get("n", 1))) as server:
        replies = ask(server.url, asking=Asking(samples=33))
    assert len(replies[0].completions) == 33
    assert sorted(body.get("n", 1) for body in server.bodies) == [1, 16, 16]
    assert len({body["seed"] for body in server.bodies}) == 3


@pytest.mark.parametrize("refuses", [True, False], ids=["refuses n", "ignores n"])
def test_a_server_without_n_is_asked_for_each_sample_with_another_seed(refuses):
    def answer(number, body):
        return error(400, "n must be 1") if refuses and "n" in body else completions(str(body["seed"]))

    with scripted(answer) as server:
        replies = ask(server.url, [Request("a", "x"), Request("b", "x")], Asking(samples=5, seed=3))
    texts = [one.text for reply in replies for one in reply.completions]
    assert texts == [str(Asking(seed=3).seed_of(reply.key, place)) for reply in replies for place in range(5)]
    assert len(set(texts)) == 10


def test_the_distribution_is_asked_for_as_it_is():
    with scripted(lambda number, body: completions("7", finish="length")) as server:
        replies = ask(server.url, asking=Asking(max_tokens=5, extra={"top_k": -1}))
    sent = {name: value for name, value in server.bodies[0].items() if name != "seed"}
    messages = [{"role": "user", "content": "How many?"}]
    expected = {"model": "m", "messages": messages, "max_tokens": 5, "temperature": 1.0, "top_p": 1.0, "top_k": -1}
    assert sent == expected
    assert replies[0].completions[0].truncated


def test_a_server_that_names_the_limit_otherwise_is_told_so():
    def answer(number, body):
        unsupported = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
        return error(400, unsupported) if "max_tokens" in body else completions("7")

    with scripted(answer) as server:
        ask(server.url, asking=Asking(max_tokens=5))
    assert server.bodies[1]["max_completion_tokens"] == 5


@pytest.mark.parametrize(
    "url", ["127.0.0.1:8000", "ftp://x/v1", "http://", "http://me:pw@x/v1", "http://x/v1?key=1"]
)
def test_urls_that_are_none_or_hold_a_secret(url):
    with pytest.raises(ConfigError):
        Endpoint(url, "m")


def test_urls_and_keys(monkeypatch):
    assert Endpoint("http://127.0.0.1:8000/", "m").base_url == "http://127.0.0.1:8000/v1"
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    assert Endpoint("http://127.0.0.1:8000", "m").key() is None
    assert Endpoint("https://api.openai.com/v1", "m").key() == SECRET
    with pytest.raises(ConfigError, match="concurrency"):
        Endpoint("http://x", "m", concurrency=0)


def test_without_the_package_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "openai", None)
    for module in ("session", "failures"):
        monkeypatch.delitem(sys.modules, f"alft.models.{module}", raising=False)
    with pytest.raises(ConfigError, match=r"pip install alft\[openai\]"):
        Endpoint("http://x", "m").ask(ONE)


def test_an_error_inside_a_reply_is_shown():
    overloaded = Answer(200, {"error": {"message": "model overloaded", "code": 503}})
    with (
        scripted(lambda number, body: overloaded) as server,
        pytest.raises(EndpointError, match=r"model overloaded.* — see the server's log"),
    ):
        ask(server.url, patience=0.2)


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ("seed", "Unrecognized request argument supplied: seed"),
        ("top_p", "`temperature` and `top_p` cannot both be specified"),
    ],
)
def test_a_field_that_a_server_refuses_is_left_out_and_said_once(field, message, caplog):
    with scripted(lambda number, body: error(400, message) if field in body else completions("7")) as server:
        replies = ask(server.url, [Request(str(i), str(i)) for i in range(30)])
    assert [reply.refusal for reply in replies] == [None] * 30
    assert sum(record.message.endswith(f"asked without {field}") for record in caplog.records) == 1


def test_a_prompt_that_names_a_field_is_no_reason_to_leave_it_out():
    def answer(number, body):
        return error(400, "filtered: seed") if body["messages"][0]["content"] == "1" else completions("7")

    with scripted(answer) as server:
        replies = ask(server.url, [Request(str(i), str(i)) for i in range(3)], concurrency=1)
    assert [reply.refusal for reply in replies] == [None, "400: filtered: seed", None]
    assert all("seed" in body for body in server.bodies)


def test_a_setting_that_a_server_refuses_is_no_matter_of_its_url():
    with (
        scripted(lambda number, body: error(400, "temperature only 1")) as server,
        pytest.raises(EndpointError, match="temperature only 1 — change the setting that the server names"),
    ):
        ask(server.url)


@pytest.mark.parametrize(
    ("message", "finish", "expected"),
    [
        ({"content": "7"}, "STOP", ("7", False, None)),
        ({"content": "7"}, "MAX_TOKENS", ("7", True, None)),
        ({"content": [{"type": "text", "text": "7"}]}, "stop", ("7", False, None)),
        ({"content": None, "refusal": "I can't help"}, "stop", ("I can't help", False, None)),
    ],
)
def test_what_a_completion_says(message, finish, expected):
    body = {"choices": [{"index": 0, "finish_reason": finish, "message": {"role": "assistant", **message}}]}
    with scripted(lambda number, asked: Answer(200, body)) as server:
        (one,) = ask(server.url)[0].completions
    assert (one.text, one.truncated, one.refusal) == expected
