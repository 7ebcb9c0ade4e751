"""`alft show`: a few completions with their prompts and readings, before anything is trained or written."""

import json

import pytest

import alft
from alft.answers import ReadPolicy
from alft.completions import Completion
from alft.errors import ConfigError, DataError
from alft.verbs.asking import ModelSource
from alft.verbs.sample import reading
from tests.cli.test_cli import alft as command
from tests.endpoint.scripted import Answer, completions, scripted

SMALL = {"data": {"size": 4, "held_out": 2}, "training": {"max_new_tokens": 40, "threads": 1}}


@pytest.fixture
def asked(tmp_path):
    path = tmp_path / "q.jsonl"
    rows = [
        {"id": f"q{n}", "question": f"{n} + 1?", "answer": str(n + 1), "views": [f"so {n}?"]} for n in range(5)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize("wanted", [1, 5, 19])
def test_so_many_completions_are_shown_as_are_asked_for(wanted):
    """Four views of each of four questions: more completions than views means several of a view."""
    shown = alft.show(SMALL, completions=wanted)
    assert len(shown.looks) == shown.readability.completions == wanted
    asked = [(look.completion.question, look.completion.view, look.completion.sample) for look in shown.looks]
    assert len(set(asked)) == wanted
    assert {one[0] for one in asked[:4]} == {asked[0][0]}
    assert all(look.prompt.rstrip().endswith("<|assistant|>") for look in shown.looks)
    unread = [look for look in shown.looks if look.completion.key is None]
    assert all(look.reading.startswith("unread: ") for look in unread)
    assert shown.readability.unread == len(unread) / wanted


def test_the_command_shows_the_same_and_writes_nothing(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    settings = ["--set", "data.size=4", "--set", "training.max_new_tokens=2", "--set", "training.threads=1"]
    assert command(monkeypatch, "show", "--sample", 3, *settings) == 0
    out = capsys.readouterr().out
    assert [line.split(".")[0] for line in out.splitlines() if " · " in line] == ["1", "2", "3"]
    assert out.count("unread: cut off at the token limit") == 3
    said = " ".join(out.split())
    assert "100 % of the completions are unread and 100 % cut off: raise training.max_new_tokens" in said
    assert list(tmp_path.iterdir()) == []


def test_the_configuration_is_an_argument_as_of_train(monkeypatch, capsys, tmp_path):
    (tmp_path / "run.yaml").write_text("data: {size: 4}\ntraining: {max_new_tokens: 2, threads: 1}\n")
    assert command(monkeypatch, "show", tmp_path / "run.yaml", "-n", 1) == 0
    assert capsys.readouterr().out.count("unread: cut off at the token limit") == 1
    for verb in ("show", "train"):
        assert command(monkeypatch, verb, tmp_path / "run.yaml", "-c", tmp_path / "run.yaml") == 2
        assert "run.yaml is a configuration too — give one of them" in capsys.readouterr().err


def test_a_served_model_is_shown_with_the_messages_it_was_sent(monkeypatch, capsys, asked):
    """A refusal is no reading; a control character of the model doesn't reach the terminal."""

    def answer(number, body):
        text = body["messages"][-1]["content"]
        if text.startswith("so "):
            return Answer(400, {"error": {"message": "not this one"}})
        return completions("\x1b[2J so \\boxed{1}")

    with scripted(answer) as server:
        where = ("--endpoint", server.url, "--model", "m", "--set", f"data.path={asked}")
        assert command(monkeypatch, "show", "-n", 4, *where) == 0
    out = capsys.readouterr().out
    assert "prompt: user: 0 + 1?\n" in out
    assert out.count("read as '1', right") == 1
    assert out.count("read as '1', wrong") == 1
    assert out.count("refused: ") == 2
    assert "\x1b[2J" not in out
    assert "␛[2J" in out


def test_why_a_completion_is_unread():
    told = {
        text: reading(Completion(text), ReadPolicy(kind="number"))
        for text in ("", "hm", "\\boxed{cat}", "\\boxed{")
    }
    reasons = ["empty completion", "no marked answer", "an answer of another kind", "the mark is not closed"]
    assert list(told.values()) == [f"unread: {reason}" for reason in reasons]
    assert reading(Completion("7", key="7"), ReadPolicy()) == "read as '7'"


def test_what_cannot_be_shown_is_an_error(asked):
    with pytest.raises(DataError, match="no question is left to ask"):
        alft.show({"data": {"path": str(asked), "held_out": 5}})
    with pytest.raises(ConfigError, match="need each other"):
        alft.show(SMALL, source=ModelSource(endpoint="http://127.0.0.1:1"))
