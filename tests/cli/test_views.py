"""`alft views` as a user runs it: by program, by a served model, a second time, and after a SIGKILL."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from alft.questions import load_questions
from tests.cli.test_cli import alft
from tests.endpoint.scripted import completions, scripted
from tests.serving import free_port

RUN = [sys.executable, "-c", "from alft.cli.main import main; main()"]


def told(capsys):
    return " ".join(capsys.readouterr().out.split())


def test_views_by_program_and_as_many_for_all(monkeypatch, capsys, tmp_path):
    source, output = tmp_path / "q.jsonl", tmp_path / "out.jsonl"
    rows = [
        {"question": "Ann has 12 pens. She buys 3. How many has she?", "answer": "15"},
        {"question": "Which?\nA. one\nB. two", "answer": "A"},
    ]
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    makers = ["question first", "number words", "permuted options", "Q: {question}", "instruction: Be brief."]
    options = [part for maker in makers for part in ("--make", maker)]
    assert alft(monkeypatch, "views", source, "-o", output, *options, "--keep", "6") == 0
    [asked] = load_questions(output)
    names = ["view 1", "question first", "number words", "instruction first", "instruction last", "template 1"]
    assert [view.name for view in asked.views] == names
    assert asked.views[2].text == "Ann has twelve pens. She buys three. How many has she?"
    assert "question first" in told(capsys)
    assert alft(monkeypatch, "views", source, "-o", tmp_path / "b.jsonl", *options) == 0
    assert load_questions(tmp_path / "b.jsonl")[1].views[1].answer_map == {"A": "B", "B": "A"}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--make", "number word"], ["did you mean 'number words'?"]),
        (["--paraphrase", "1"], ["no model is named to write them"]),
        (
            ["--paraphrase", "1", "--model", "nowhere", "--make", "x"],
            ["no model directory", "unknown kind of view", "--endpoint"],
        ),
        (["--model", "m"], ["is only used for paraphrases"]),
        (["--make", "lower case", "--keep", "9"], ["no question has 9 views; the most is 5"]),
        (["--paraphrase", "1", "--endpoint", "localhost:8000", "--model", "m"], ["is no URL"]),
    ],
)
def test_mistakes_exit_with_2_and_write_nothing(monkeypatch, capsys, tmp_path, options, expected):
    asked = ["views", "starter", "--limit", "3", "-o", tmp_path / "out.jsonl", "--cache", tmp_path, *options]
    assert alft(monkeypatch, *asked) == 2
    error = " ".join(capsys.readouterr().err.split())
    assert all(part in error for part in expected)
    assert list(tmp_path.iterdir()) == []


def test_an_output_that_is_there_stays(monkeypatch, capsys, tmp_path):
    (tmp_path / "out.jsonl").write_text("mine")
    assert alft(monkeypatch, "views", "starter", "-o", tmp_path / "out.jsonl", "--make", "lower case") == 2
    assert (tmp_path / "out.jsonl").read_text() == "mine"


def arguments(served, folder, output, questions):
    model = ["--endpoint", served.url, "--model", served.model, "--max-tokens", 12, "--cache", folder / "cache"]
    return ["views", "starter", "--limit", questions, "--paraphrase", 1, *model, "-o", folder / output]


def cached(folder):
    return sum(path.read_bytes().count(b"\n") for path in (folder / "cache").glob("*.jsonl"))


def test_the_second_run_asks_the_server_nothing(monkeypatch, capsys, tmp_path, served):
    assert alft(monkeypatch, *arguments(served, tmp_path, "a.jsonl", 3)) == 0
    first = told(capsys)
    assert "drafts: 0 from the cache, 9 asked for" in first
    assert re.search(r"rejected: [a-z ]+ │ \d", first)
    before = served.requests
    assert alft(monkeypatch, *arguments(served, tmp_path, "b.jsonl", 3)) == 0
    assert "drafts: 9 from the cache, 0 asked for" in told(capsys)
    assert served.requests == before
    for name in ("jsonl", "rejected.jsonl"):
        assert (tmp_path / f"a.{name}").read_bytes() == (tmp_path / f"b.{name}").read_bytes()
    rejected = [json.loads(line) for line in (tmp_path / "a.rejected.jsonl").read_text().splitlines()]
    assert len(rejected) == 9
    assert all(reject["reason"] for reject in rejected)


def test_a_killed_run_goes_on_from_what_was_written(monkeypatch, capsys, tmp_path, served):
    command = [*RUN, *map(str, arguments(served, tmp_path, "out.jsonl", 20))]
    process = subprocess.Popen(command, env=os.environ, stdout=subprocess.DEVNULL)
    while cached(tmp_path) < 4:
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    written = cached(tmp_path)
    assert 4 <= written < 60
    assert not (tmp_path / "out.jsonl").exists()
    assert alft(monkeypatch, *arguments(served, tmp_path, "out.jsonl", 20)) == 0
    assert f"drafts: {written} from the cache, {60 - written} asked for" in told(capsys)
    assert cached(tmp_path) == 60
    assert len(load_questions(tmp_path / "out.jsonl")) == 20


def test_a_server_that_is_down_is_one_clear_error(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("alft.models.failures.FIRST_WAIT", 0.01)
    model = ["--endpoint", f"http://127.0.0.1:{free_port()}", "--model", "m", "--cache", tmp_path]
    asked = ["views", "starter", "--limit", 2, "--paraphrase", 1, *model, "-o", tmp_path / "out.jsonl"]
    assert alft(monkeypatch, *asked) == 2
    assert "start the server" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "out.jsonl").exists()


@pytest.mark.parametrize(
    ("makers", "told"),
    [
        (["--paraphrase", 1], "out.rejected.jsonl says why; try --make "),
        (["--make", "number words"], "no question got another view — try --make"),
    ],
)
def test_no_new_view_at_all_is_said_with_what_to_do(monkeypatch, capsys, tmp_path, makers, told):
    (tmp_path / "q.jsonl").write_text('{"question": "Who?"}\n{"question": "Where?"}\n')
    with scripted(lambda number, body: completions("99?")) as server:
        model = ["--endpoint", server.url, "--model", "m", "--cache", tmp_path] if "--paraphrase" in makers else []
        asked = ["views", tmp_path / "q.jsonl", *makers, *model, "-o", tmp_path / "out.jsonl"]
        assert alft(monkeypatch, *asked) == 0
    shown = capsys.readouterr().out
    assert f"look at: {tmp_path / 'out.jsonl'}: no question got another view — " in shown
    assert told in shown


def swapped(number, body):
    """A server that puts the question's last sentence first; for every third it tells a new number."""
    text = body["messages"][0]["content"].split("\n")[-2]
    facts, _, ask = text.rstrip("?").rpartition(". ")
    return completions(f"{ask}, if it is so: {facts}{', 99' if number % 3 == 2 else ''}?")


def test_good_paraphrases_are_taken_and_bad_ones_asked_for_again(monkeypatch, capsys, tmp_path):
    with scripted(swapped) as server:
        model = ["--endpoint", server.url, "--model", "m", "--cache", tmp_path]
        asked = ["views", "starter", "--limit", 6, "--paraphrase", 1, *model, "-o", tmp_path / "out.jsonl"]
        assert alft(monkeypatch, *asked) == 0
    shown = told(capsys)
    assert "paraphrase 1 │ 6 │ 6" in shown
    assert "rejected: numbers differ │ 2" in shown
    assert "0 from the cache, 8 asked for" in shown
    found = load_questions(tmp_path / "out.jsonl")
    assert [question.views[-1].name for question in found] == ["paraphrase 1"] * 6
    assert str(found[0].views[-1].text).startswith("What is the result, if it is so: Start with 27")
