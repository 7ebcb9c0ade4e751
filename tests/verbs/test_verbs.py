"""Each command has a Python function with the same result, in the same files."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file

import alft
from alft import starter
from alft.config.load import load_config
from alft.errors import ConfigError, DataError
from alft.offline import read_samples
from alft.offline.weighted import Export
from alft.plan.defaults import resolve
from alft.storage.files import plain
from alft.verbs.distill import Distilling, measured_on
from alft.verbs.questions import ViewOptions
from alft.verbs.sample import Draw
from alft.verbs.solve import Equilibria, GameChoice, SolveFiles
from tests.cli.test_cli import alft as command
from tests.report.runs import write_run

SMALL = {"data": {"size": 4, "held_out": 2}, "training": {"max_new_tokens": 40, "threads": 1}}
SMALL_SET = ["data.size=4", "data.held_out=2", "training.max_new_tokens=40", "training.threads=1"]
ASKED = (["run.yaml"], ["-c", "run.yaml"])
PROBLEM = {
    "game": "coherence_geometric",
    "beta": 0.1,
    "questions": [{"id": "q1", "answers": ["7", "8"], "reference": [[0.9, 0.1], [0.4, 0.6]]}],
}


def options(settings):
    return [part for setting in settings for part in ("--set", setting)]


def rows(path):
    return read_samples(path).key.tolist(), [batch.to_pylist() for batch in read_samples(path).texts()]


@pytest.fixture(scope="module")
def sampled(tmp_path_factory):
    path = tmp_path_factory.mktemp("verbs") / "s.parquet"
    made = alft.sample(path, SMALL, draw=Draw(samples=2, questions=2))
    assert made.completions == len(read_samples(path)) == 2 * 4 * 2
    assert made.refused == {}
    return path


def test_train(monkeypatch, tmp_path):
    short = {"steps": 1, "questions_per_step": 2, "samples": 3, **SMALL["training"]}
    config = {"data": SMALL["data"], "training": short, "output": {"directory": str(tmp_path), "name": "python"}}
    config["evaluation"] = {"samples": 2}
    result = alft.train(config)
    settings = [f"{name}={json.dumps(value)}" for name, value in config.items()]
    assert command(monkeypatch, "train", *options([*settings, "output.name=command"])) == 0
    written = [json.loads((tmp_path / name / "results.json").read_text()) for name in ("python", "command")]
    assert json.loads(json.dumps(plain(result.results))) == written[0]
    for key in ("before", "after", "difference"):
        assert written[0][key] == written[1][key]
    ours, its = (load_file(tmp_path / name / "model" / "model.safetensors") for name in ("python", "command"))
    assert all(ours[name].equal(its[name]) for name in ours.keys() | its.keys())
    assert (tmp_path / "python" / "report.html").is_file()
    with pytest.raises(alft.AlftError, match="is there already"):
        alft.train(config)
    with pytest.raises(ConfigError, match="choose one"):
        alft.train(config, resume=True, overwrite=True)


def test_evaluate(monkeypatch, tmp_path):
    quick = {**SMALL, "evaluation": {"samples": 2}}
    found = alft.evaluate("starter", config=quick, output=tmp_path / "python")
    settings = options([*SMALL_SET, "evaluation.samples=2"])
    assert command(monkeypatch, "evaluate", "starter", *settings, "-o", tmp_path / "command") == 0
    for name in ("results.json", "config.yaml", "questions.jsonl"):
        assert (tmp_path / "python" / name).read_text() == (tmp_path / "command" / name).read_text()
    assert found.results == json.loads((tmp_path / "python" / "results.json").read_text())
    assert found.results["name"] == "starter"
    both = alft.evaluate(tmp_path / "python", tmp_path / "command")
    assert both.results["compared_with"]["difference"]["accuracy_sampled"]["mean"] == 0.0


def test_sample(monkeypatch, sampled, tmp_path):
    path = tmp_path / "s.parquet"
    assert command(monkeypatch, "sample", path, "-n", 2, "--questions", 2, *options(SMALL_SET)) == 0
    assert rows(path) == rows(sampled)
    with pytest.raises(DataError, match="exists already"):
        alft.sample(path, SMALL)


def test_solve_samples(monkeypatch, sampled, tmp_path):
    ours, its = (SolveFiles(tmp_path / f"{name}.parquet", tmp_path / f"{name}.json") for name in "ab")
    solution = alft.solve(sampled, GameChoice("correctness", 0.1), ours)
    asked = ("--game", "correctness", "--beta", 0.1, "-o", its.output, "--summary", its.summary)
    assert command(monkeypatch, "solve", sampled, *asked) == 0
    assert ours.summary.read_text() == its.summary.read_text()
    assert solution.weights.tolist() == read_samples(its.output).weight.tolist()
    assert rows(ours.output) == rows(its.output)


def test_solve_a_problem(monkeypatch, tmp_path):
    problem = tmp_path / "p.json"
    problem.write_text(json.dumps(PROBLEM))
    found = alft.solve(problem, GameChoice(power=2.0), SolveFiles(tmp_path / "a.json"))
    assert isinstance(found, Equilibria)
    assert command(monkeypatch, "solve", problem, "--power", 2, "-o", tmp_path / "b.json") == 0
    assert (tmp_path / "a.json").read_text() == (tmp_path / "b.json").read_text()


def test_distill(monkeypatch, sampled, tmp_path):
    made = alft.distill(sampled, tmp_path / "a", Distilling(batch_size=8, learning_rate=1e-4))
    asked = ("--batch", 8, "--lr", 1e-4)
    assert command(monkeypatch, "distill", sampled, "-o", tmp_path / "b", *asked) == 0
    ours, its = (load_file(tmp_path / name / "model" / "model.safetensors") for name in "ab")
    assert all(ours[name].equal(its[name]) for name in ours.keys() | its.keys())
    assert made.path == tmp_path / "a" / "model"
    assert made.compare.startswith(f"alft evaluate starter {made.path}")


def test_the_command_that_measures_selects_the_held_out_questions(sampled, tmp_path):
    run = tmp_path / "run.yaml"
    run.write_text("data: {size: 8, held_out: 6}\n")
    assert measured_on(sampled, None, []) == ""
    assert measured_on(sampled, run, ["data.size=9"]) == f" -c {run} --set data.size=9 --set data.held_out=6"
    assert measured_on(sampled, tmp_path / "none.yaml", []) == ""
    (tmp_path / "my run.yaml").write_text(run.read_text())
    assert f" -c '{tmp_path / 'my run.yaml'}' --set " in measured_on(sampled, tmp_path / "my run.yaml", [])


def test_the_command_that_measures_has_the_questions_of_the_samples(sampled, tmp_path):
    """A configuration for the game alone has the built-in questions, which no other samples are measured on."""
    asked = tmp_path / "q.jsonl"
    rows = [{"id": f"q{n}", "question": f"{n} + 1?", "answer": str(n + 1), "views": ["so?"]} for n in range(8)]
    asked.write_text("".join(json.dumps(row) + "\n" for row in rows))
    own = [f"data.path={asked}", "data.held_out=3"]
    path, game = tmp_path / "s.parquet", tmp_path / "game.yaml"
    alft.sample(path, overrides=[*own, "training.max_new_tokens=4"], draw=Draw(samples=1, questions=1))
    game.write_text("game: correctness\n")
    assert measured_on(path, game, []).startswith(" -c CONFIG --set data.held_out=N")
    assert measured_on(path, None, own[:1]).startswith(f" --set data.path={asked} --set data.held_out=")
    assert measured_on(path, None, own) == f" --set {own[0]} --set {own[1]} --set {own[1]}"
    assert measured_on(path, game, own).startswith(f" -c {game} --set {own[0]}")
    assert measured_on(sampled, None, own) == ""


def test_distill_exports(monkeypatch, sampled, tmp_path):
    made = alft.distill(sampled, tmp_path / "a.jsonl", Export(rows=10))
    assert command(monkeypatch, "distill", sampled, "--export", tmp_path / "b.jsonl", "--rows", 10) == 0
    assert (tmp_path / "a.jsonl").read_text() == (tmp_path / "b.jsonl").read_text()
    assert made.rows == len((tmp_path / "a.jsonl").read_text().splitlines())
    with pytest.raises(ConfigError, match="needs a file of samples"):
        alft.distill(None, tmp_path / "c.jsonl", Export())


def test_validate(monkeypatch, capsys, tmp_path):
    path = tmp_path / "q.jsonl"
    path.write_text('{"question": "a?", "answer": "1"}\n')
    assert command(monkeypatch, "validate", "--json", path) == 0
    assert json.loads(json.dumps(alft.validate(path).to_json())) == json.loads(capsys.readouterr().out)
    wrong = alft.validate({"training": {"stepz": 3}})
    assert not wrong.good
    assert "did you mean 'steps'?" in str(wrong.problems[0])


def test_views_of_a_published_layout(monkeypatch, tmp_path):
    source = tmp_path / "gsm.jsonl"
    lines = [{"question": f"Ann has {n} pens?", "answer": f"She counts.\n#### {n}"} for n in range(3)]
    source.write_text("".join(json.dumps(row) + "\n" for row in lines))
    made = alft.views(
        source, tmp_path / "a.jsonl", ["number words"], ViewOptions(limit=2), overrides=["data.preset=gsm8k"]
    )
    asked = ("--make", "number words", "--set", "data.preset=gsm8k", "--limit", 2)
    assert command(monkeypatch, "views", source, "-o", tmp_path / "b.jsonl", *asked) == 0
    assert (tmp_path / "a.jsonl").read_text() == (tmp_path / "b.jsonl").read_text()
    assert [question.answer for question in made.questions] == ["0", "1"]
    with pytest.raises(ConfigError, match="no model is named"):
        alft.views(source, tmp_path / "c.jsonl", options=ViewOptions(paraphrases=1))


def test_report(monkeypatch, tmp_path):
    for name in "ab":
        write_run(tmp_path / name)
    made = alft.report([tmp_path / "a", tmp_path / "b"], tmp_path / "python.html")
    assert command(monkeypatch, "report", tmp_path / "a", tmp_path / "b", "-o", tmp_path / "command.html") == 0
    assert made.page.read_text() == (tmp_path / "command.html").read_text()
    assert [run.name for run in made.runs] == ["a", "b"]


def test_a_configuration_is_the_same_in_every_form(tmp_path):
    expected = load_config(None, SMALL_SET)
    (tmp_path / "run.yaml").write_text(json.dumps(SMALL))
    for given in (SMALL, tmp_path / "run.yaml", str(tmp_path / "run.yaml"), expected):
        assert load_config(given) == expected
        assert load_config(given).model_fields_set == expected.model_fields_set
        assert load_config(given, ["training.steps=3"]) == load_config(None, [*SMALL_SET, "training.steps=3"])
    assert SMALL["data"] == {"size": 4, "held_out": 2}  # overrides change a copy


def test_a_loaded_configuration_stays_open_where_it_was_open():
    preset = load_config(None, ["data.preset=gsm8k"])
    assert resolve(load_config(preset, ["training.steps=3"])).answers == resolve(preset).answers
    assert resolve(preset).answers != preset.answers


def test_verbs_are_imported_on_first_use():
    code = (
        "import sys, alft; assert 'torch' not in sys.modules; from alft import train, views; print(train.__name__)"
    )
    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert told.stdout == "train\n"


def test_every_command_reads_a_configuration_the_same_way(monkeypatch, capsys, sampled, tmp_path):
    """`-c FILE` and `--set` of evaluate, validate, views, solve and distill; a samples file keeps its policies."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "q.jsonl").write_text('{"q": "A?", "answer": "1"}\n')
    sections = {"data": {"path": "q.jsonl", "columns": {"question": "q"}}, "answers": {"case": "keep"}}
    sections |= {"game": "correctness", "scoring": {"beta": 0.1, "power": 2.0}}
    (tmp_path / "run.yaml").write_text(json.dumps(sections))
    assert command(monkeypatch, "validate", "q.jsonl", "-c", "run.yaml") == 0
    capsys.readouterr()
    shown = [(command(monkeypatch, "validate", "--json", *how), capsys.readouterr().out) for how in ASKED]
    assert shown[0] == shown[1]
    assert command(monkeypatch, "validate", "run.yaml", "-c", "run.yaml") == 2
    assert command(monkeypatch, "train", "run.yaml", "-c", "run.yaml") == 2
    assert capsys.readouterr().err.count("run.yaml is a configuration too — give one of them") == 2
    assert command(monkeypatch, "train", "--dry-run", "-c", "run.yaml", "--set", "training.stepz=1") == 2
    assert "did you mean 'steps'?" in " ".join(capsys.readouterr().err.split())
    assert command(monkeypatch, "views", "-c", "run.yaml", "--make", "lower case", "-o", "v.jsonl") == 0
    assert [view.text for view in alft.load_questions(tmp_path / "v.jsonl")[0].views] == ["A?", "a?"]
    assert command(monkeypatch, "solve", sampled, "-c", "run.yaml", "-o", "w.parquet") == 0
    solved = read_samples(tmp_path / "w.parquet").provenance
    assert [solved.solution[name] for name in ("game", "beta", "power")] == ["correctness", 0.1, 2.0]
    assert solved.answers == read_samples(sampled).provenance.answers
    assert command(monkeypatch, "distill", sampled, "-c", "run.yaml", "--export", "a.jsonl", "--rows", 8) == 0
    alft.distill(tmp_path / "w.parquet", "b.jsonl", Export(rows=8))
    assert (tmp_path / "a.jsonl").read_text() == (tmp_path / "b.jsonl").read_text()
    quick = ("-c", "quick.yaml", "--set", "evaluation.samples=2")
    (tmp_path / "quick.yaml").write_text(json.dumps(SMALL))
    assert command(monkeypatch, "evaluate", "starter", *quick, "-o", "c") == 0
    assert command(monkeypatch, "evaluate", "starter", "quick.yaml", *quick[2:], "-o", "d") == 0
    assert (tmp_path / "c" / "results.json").read_text() == (tmp_path / "d" / "results.json").read_text()


def test_init_writes_a_project_that_is_valid_and_never_overwrites(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    files = ["examples.jsonl", "held_out.jsonl", "questions.jsonl", "run.yaml"]
    assert [path.name for path in alft.init("first")] == files
    monkeypatch.chdir(tmp_path / "first")
    report = alft.validate("run.yaml", [f"model.path={starter.model_path()}"])
    assert report.good
    assert report.held_out is not None
    assert (report.train.questions, report.held_out.questions) == (56, 37)
    before = Path("run.yaml").read_text()
    assert command(monkeypatch, "init", str(tmp_path / "first")) == 2
    assert "exists already" in capsys.readouterr().err
    assert Path("run.yaml").read_text() == before
    assert command(monkeypatch, "init", str(tmp_path / "none" / "deep")) == 2
    (tmp_path / "dangling").symlink_to(tmp_path / "gone")
    assert command(monkeypatch, "init", str(tmp_path / "dangling")) == 2
    assert "can't be written" in capsys.readouterr().err
    assert command(monkeypatch, "init", str(tmp_path / "the second")) == 0
    assert f"cd '{tmp_path / 'the second'}'; alft show -c run.yaml" in capsys.readouterr().out.replace("\n", " ")
