"""`alft evaluate`: one model or two, from disk or measured now, compared question by question."""

import json
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.torch import load_file, save_file

import alft as alft_package
from alft.answers import AnswerPolicy, KeyPolicy, ReadPolicy
from alft.completions import SCHEMA
from alft.config.load import load_config
from alft.evaluation import compare, read_recorded
from alft.evaluation.evaluate import evaluation_settings
from alft.evaluation.recorded import MEASURED
from alft.models.base import Sampling
from alft.offline import Request, sample
from alft.plan.questions import asked_questions
from alft.questions import DataWarning, Question, View, digest, dump_questions
from alft.starter import model_path
from alft.verbs.asking import ModelSource
from alft.verbs.evaluate import choose, for_model
from tests.cli.test_cli import alft
from tests.endpoint.scripted import completions, scripted
from tests.endpoint.test_failures import error
from tests.offline.made import Scripted, questions
from tests.report.runs import AFTER, BEFORE, measured, write_run

QUICK = ("--set", "evaluation.questions=2", "--set", "evaluation.samples=2", "--set", "training.threads=1")


@pytest.fixture
def runs(tmp_path):
    for name in "ab":
        write_run(tmp_path / name)
    return tmp_path


def test_two_runs_are_compared_without_a_model(monkeypatch, capsys, runs):
    assert alft(monkeypatch, "evaluate", runs / "a", runs / "b", "-o", runs / "out") == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "8 questions and 3 views of both" in told
    results = json.loads((runs / "out" / "results.json").read_text())
    assert results["compared_with"]["difference"]["accuracy_sampled"]["mean"] == 0.0
    assert results["measured"]["accuracy_sampled"]["mean"] == pytest.approx((1 + 0.75 + 0) / 3)


def test_a_recorded_evaluation_is_the_one_that_was_made(runs):
    recorded = read_recorded(runs / "a")
    assert set(recorded.evaluations) == {"before", "after"}
    assert recorded.latest.summary()["accuracy_sampled"] == measured(AFTER).summary()["accuracy_sampled"]
    again = compare(recorded.evaluations["before"], recorded.latest)
    assert again == compare(measured(BEFORE), measured(AFTER))


def test_a_model_is_measured_written_and_compared_with_itself(monkeypatch, capsys, tmp_path):
    assert alft(monkeypatch, "evaluate", "starter", *QUICK, "-o", tmp_path / "one") == 0
    written = read_recorded(tmp_path / "one")
    assert set(written.evaluations) == {MEASURED}
    assert len(written.questions) == 2
    assert alft(monkeypatch, "evaluate", tmp_path / "one", "starter", "-o", tmp_path / "two") == 0
    results = json.loads((tmp_path / "two" / "results.json").read_text())
    difference = results["compared_with"]["difference"]
    assert difference["questions"] == 2
    assert difference["accuracy_sampled"]["mean"] == 0.0  # the same seed
    assert alft(monkeypatch, "report", tmp_path / "one") == 2
    assert "compare measurements by" in capsys.readouterr().err


def test_of_two_models_the_second_is_written_whose_name_the_results_have(monkeypatch, tmp_path):
    mute = shutil.copytree(model_path("starter"), tmp_path / "mute")
    weights = mute / "model.safetensors"
    save_file({name: each * 0.0 for name, each in load_file(weights).items()}, weights, {"format": "pt"})
    short = ("--set", "training.max_new_tokens=16")
    assert alft(monkeypatch, "evaluate", "starter", mute, *QUICK, *short, "-o", tmp_path / "out") == 0
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert results["name"] == str(mute)
    assert {record.key for record in read_recorded(tmp_path / "out").latest.records} == {None}
    assert load_config(tmp_path / "out" / "config.yaml").model.path == str(mute)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["none/at/all", "starter"], "holds no config.json"),
        (["a", "b", "starter"], "one or two to measure"),
        (["x.yaml", "y.yaml"], "one configuration at most"),
        (["a", "starter"], "has no questions.jsonl"),
    ],
)
def test_what_can_not_be_measured_is_told(monkeypatch, capsys, runs, names, expected):
    monkeypatch.chdir(runs)
    assert alft(monkeypatch, "evaluate", *names) == 2
    assert expected in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("others", [[], ["b"], ["starter"]])
def test_a_run_that_has_not_ended_is_not_told_as_a_trained_model(monkeypatch, capsys, runs, others):
    """A crash leaves the answers before training, and neither results nor a model."""
    monkeypatch.chdir(runs)
    (runs / "a" / "results.json").unlink()
    table = pq.read_table(runs / "a" / "completions.parquet", filters=[("phase", "==", "before")])
    pq.write_table(table, runs / "a" / "completions.parquet")
    assert alft(monkeypatch, "evaluate", "a", *others) == 2
    shown = capsys.readouterr()
    assert "a: holds only answers of the model before training: the run has not ended" in shown.err
    assert "`alft train a/config.yaml --resume`" in shown.err
    assert shown.out == ""


def test_a_run_that_was_killed_is_named_as_one(monkeypatch, capsys, runs):
    """What a killed process leaves has no completions.parquet yet."""
    for name in ("results.json", "completions.parquet"):
        (runs / "a" / name).unlink()
    assert alft(monkeypatch, "evaluate", runs / "a") == 2
    assert "is a run that has not ended: it has nothing to measure yet" in capsys.readouterr().err


def test_evaluations_without_a_common_question_are_not_compared(monkeypatch, capsys, runs):
    write_run(runs / "c", rename=lambda name: f"{name}-other")
    assert alft(monkeypatch, "evaluate", runs / "a", runs / "c") == 2
    assert "shares no question" in " ".join(capsys.readouterr().err.split())


def test_a_samples_file_is_an_evaluation_and_asks_a_model_its_questions(monkeypatch, capsys, tmp_path):
    path = tmp_path / "s.parquet"
    assert alft(monkeypatch, "sample", path, "-n", "2", "--held-out", "--questions", "2", *QUICK) == 0
    assert "16 completions" in capsys.readouterr().out
    assert alft(monkeypatch, "evaluate", path, "starter", *QUICK) == 0
    assert "2 questions and 4 views of both" in " ".join(capsys.readouterr().out.split())


def test_a_model_beside_a_samples_file_is_prompted_as_the_sampled_one(tmp_path):
    class Thinking(Scripted):
        def identity(self):
            return {**super().identity(), "chat_template_kwargs": {"enable_thinking": False}}

    path, told = tmp_path / "s.parquet", Thinking(lambda prompt, sampling: ["#### 7"] * sampling.samples)
    sample(Request(questions(2), Sampling(samples=1), "made"), told, path)
    assert choose([], [str(path)], [])[0].model.chat_template_kwargs == {"enable_thinking": False}


def test_unread_texts_of_a_file_and_of_a_run_are_shown(monkeypatch, capsys, runs):
    path, told = runs / "s.parquet", Scripted(lambda prompt, sampling: ["I am helpful"] * sampling.samples)
    sample(Request(questions(2), Sampling(samples=3), "made"), told, path)
    write_run(runs / "c", text="I am helpful")
    rows = pq.read_table(runs / "c" / "completions.parquet").to_pylist()
    unread = pa.Table.from_pylist([{**row, "key": None} for row in rows], schema=SCHEMA)
    pq.write_table(unread, runs / "c" / "completions.parquet")
    for name in (path, runs / "c"):
        assert alft(monkeypatch, "evaluate", name) == 0
        assert capsys.readouterr().out.count("'I am helpful' — unread") == 3


def test_a_thing_named_twice_is_said_to_be_compared_with_itself(monkeypatch, capsys, runs):
    assert alft(monkeypatch, "evaluate", runs / "a", f"{runs}/b/../a") == 0
    assert "is compared with itself, which shows no change" in " ".join(capsys.readouterr().out.split())


def test_questions_that_a_model_was_trained_on_are_said(monkeypatch, capsys, tmp_path):
    asked = tmp_path / "q.jsonl"
    rows = [{"question": f"{i} + 1?", "views": [f"Add 1 and {i}!"], "answer": f"{i + 1}"} for i in range(10)]
    asked.write_text("".join(json.dumps(row) + "\n" for row in rows))
    data = ("--set", f"data.path={asked}", "--set", "evaluation.samples=1", "--set", "training.max_new_tokens=4")
    shutil.copytree(model_path("starter"), tmp_path / "run" / "model")
    (tmp_path / "run" / "config.yaml").write_text(f"data: {{path: {asked}}}")
    config = load_config(None, [f"data.path={asked}"])
    made = asked_questions(ModelSource().settings(config, str(tmp_path / "off" / "model"))).train
    told = {"samples": {"data": {"questions": 8, "digest": digest(made)}}}
    shutil.copytree(model_path("starter"), tmp_path / "off" / "model")
    (tmp_path / "off" / "distill.json").write_text(json.dumps(told))
    for name in ("run", "off"):
        assert alft(monkeypatch, "evaluate", tmp_path / name / "model", *data) == 0
        expected = "was trained on 8 of these 10 questions: measure others: --set data.held_out=2"
        assert expected in " ".join(capsys.readouterr().out.split())
        assert alft(monkeypatch, "evaluate", tmp_path / name / "model", *data, "--set", "data.held_out=2") == 0
        assert "trained on" not in capsys.readouterr().out


POLICY = AnswerPolicy(KeyPolicy(units="drop"), ReadPolicy(pattern=r"is: (\d+ \w+)", unmarked="last number"))


def test_a_model_is_asked_and_read_as_the_samples_file_beside_it_was(tmp_path):
    path, told = tmp_path / "s.parquet", Scripted(lambda prompt, sampling: ["is: 1 kg"] * sampling.samples)
    sample(Request(questions(2), Sampling(samples=3, max_new_tokens=77), "made", POLICY), told, path)
    asked = evaluation_settings(for_model(choose([], [str(path)], [])[0], ModelSource(), "org/large"))
    assert (asked.answers, asked.samples, asked.max_new_tokens) == (POLICY, 3, 77)
    said = ["evaluation.samples=2", "answers.unmarked=unread"]
    asked = evaluation_settings(for_model(choose([], [str(path)], said)[0], ModelSource(), "org/large"))
    assert (asked.answers.keys, asked.answers.reading.unmarked) == (POLICY.keys, "unread")
    assert (asked.samples, asked.max_new_tokens) == (2, 77)


@pytest.fixture
def unmarked(runs):
    """Samples, and a run with its questions, whose completions mark no answer."""
    told = Scripted(lambda prompt, sampling: ["It must be 1"] * sampling.samples)
    sample(Request(questions(2), Sampling(samples=3), "made"), told, runs / "s.parquet")
    write_run(runs / "c", text="It must be 1")
    places = read_recorded(runs / "c").latest
    views = tuple(View(name, name) for name in places.views)
    dump_questions([Question(name, views, "1") for name in places.questions], runs / "c" / "questions.jsonl")
    return runs


@pytest.mark.parametrize("name", ["s.parquet", "c"])
def test_a_recorded_evaluation_is_read_again_by_the_answers_that_are_given(unmarked, tmp_path, name):
    found = alft_package.evaluate(unmarked / name, overrides=["answers.unmarked=last number"])
    assert found.results["measured"]["unread"] == 0.0
    assert found.results["measured"]["accuracy_sampled"]["mean"] == 1.0
    (tmp_path / "run.yaml").write_text("answers: {unmarked: last number}\n")
    assert alft_package.evaluate(unmarked / name, tmp_path / "run.yaml").results == found.results
    assert (
        alft_package.evaluate(unmarked / name, overrides=["answers.case=keep"]).results["measured"]["unread"]
        == 1.0
    )


@pytest.mark.parametrize(
    ("what", "given", "idle"),
    [
        (["s.parquet"], ["data.held_out=2", "evaluation.samples=1"], "data.held_out, evaluation.samples"),
        (["c"], ["model.path=nope", "answers.kind=number"], "model.path"),
        (["c"], ["answers.second_opinion=math_verify"], "answers.second_opinion"),
        (["a"], ["answers.kind=option"], "answers"),  # nothing says what was asked
        (["s.parquet", "idle.yaml"], [], "the configuration"),
        (
            ["s.parquet", "starter"],
            ["data.size=2", "training.max_new_tokens=2", "training.threads=1"],
            "data.size",
        ),
    ],
)
def test_a_setting_that_can_not_change_what_was_measured_is_named(unmarked, monkeypatch, what, given, idle):
    monkeypatch.chdir(unmarked)
    (unmarked / "idle.yaml").write_text("training: {steps: 3}\n")
    expected = f"^{what[0]}: was measured before, and {idle} can't change it — name the model to measure it again$"
    with pytest.warns(DataWarning, match=expected):
        alft_package.evaluate(*what, overrides=given)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--endpoint", "http://127.0.0.1:9/v1"], "need each other"),
        (["--endpoint", "http://127.0.0.1:9/v1", "--model", "m", "--vllm"], "leave one out"),
        (["--endpoint", "ftp://x", "--model", "m"], "no URL"),
    ],
)
def test_options_that_can_not_be_together_are_told(monkeypatch, capsys, options, expected):
    assert alft(monkeypatch, "evaluate", *options) == 2
    assert expected in capsys.readouterr().err


MARKED = "constraints: [{name: marked, regex: '####', at_most: 0.1}]\n"
CODE = """
from pathlib import Path
Path({!r}).touch()

class G:
    pass

def cost(text, key):
    return 2.0
"""


def test_a_limit_on_texts_is_measured_on_a_recorded_evaluation(monkeypatch, capsys, runs):
    (runs / "a" / "config.yaml").write_text(MARKED)
    assert alft(monkeypatch, "evaluate", runs / "a", "-o", runs / "out") == 0
    limit = json.loads((runs / "out" / "results.json").read_text())["measured"]["limits"]["marked"]
    assert (limit["mean"], limit["violation"]) == (1.0, 0.9)  # every completion of these runs is marked
    assert "marked" in capsys.readouterr().out


@pytest.mark.parametrize("named", [False, True])
def test_code_that_a_recorded_configuration_names_is_run_only_if_the_command_line_names_it(
    monkeypatch, capsys, runs, named
):
    ran, code = runs / "ran", runs / "evil.py"
    code.write_text(CODE.format(str(ran)))
    constraint = f"constraints: [{{name: mine, function: '{code}:cost', at_most: 1.0}}]\n"
    (runs / "a" / "config.yaml").write_text(constraint + ("" if named else f"game: '{code}:G'\n"))
    chosen = ["--set", constraint.strip().replace(": ", "=", 1)] if named else []
    assert alft(monkeypatch, "evaluate", runs / "a", *chosen, "-o", runs / "out") == 0
    assert ran.exists() == named
    limit = json.loads((runs / "out" / "results.json").read_text())["measured"]["limits"]["mine"]
    assert (limit["known"], limit["mean"], limit["violation"]) == (
        (True, 2.0, 1.0) if named else (False, None, None)
    )


def test_a_recorded_configuration_runs_no_code_for_a_model_either(runs):
    code = runs / "evil.py"
    code.write_text(CODE.format(str(runs / "ran")))
    (runs / "a" / "config.yaml").write_text(f"game: '{code}:G'\nmodel: {{path: org/x, revision: abc}}\n")
    config = for_model(choose([], [str(runs / "a")], [])[0], ModelSource(), "org/large")
    assert (config.model.path, config.model.revision) == ("org/large", None)
    assert config.game.terms[0].game == f"{code}:G"
    assert not (runs / "ran").exists()


def test_a_model_that_is_named_has_its_own_settings_not_the_starters():
    config = for_model(choose([], [], [])[0], ModelSource(), "org/large")
    assert (config.training.max_new_tokens, config.model.path) == (512, "org/large")


def test_what_is_written_of_recorded_evaluations_says_so_when_it_is_named_again(monkeypatch, capsys, runs):
    assert alft(monkeypatch, "evaluate", runs / "a", runs / "b", "-o", runs / "out") == 0
    assert sorted(path.name for path in (runs / "out").iterdir()) == [
        "config.yaml",
        "environment.json",
        "results.json",
    ]
    assert alft(monkeypatch, "evaluate", runs / "out") == 2
    assert "no completions to measure" in " ".join(capsys.readouterr().err.split())


def test_errors_reach_the_terminal_without_its_escapes(monkeypatch, capsys, runs):
    name = "x/\x1b]0;gone\x07.jsonl"
    assert alft(monkeypatch, "validate", name) == 2
    assert alft(monkeypatch, "evaluate", "--set", f"data.path={name}") == 2
    told = capsys.readouterr().err
    assert told.count("␛]0;gone␇") == 2
    assert not {"\x1b", "\x07"} & set(told)


def test_a_run_that_is_not_there_is_not_looked_for_on_the_hub(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "majority-0").mkdir(parents=True)
    assert alft(monkeypatch, "evaluate", "runs/majority-1") == 2
    assert "there is no such run — did you mean 'majority-0'?" in " ".join(capsys.readouterr().err.split())


def test_what_a_server_refuses_is_listed(monkeypatch, capsys, tmp_path):
    def answer(_, body):
        plain = body["messages"][0]["content"].startswith("Start with")
        return error(400, "too long") if plain else completions(*[r"\boxed{7}"] * body.get("n", 1))

    with scripted(answer) as server:
        model = ["--endpoint", server.url, "--model", "m"]
        assert alft(monkeypatch, "evaluate", *QUICK, *model, "-o", tmp_path / "out") == 0
    assert "refused: " in (told := capsys.readouterr().out)
    assert "400: too long" in told
