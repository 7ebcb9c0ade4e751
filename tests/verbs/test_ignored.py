"""Nothing that a user sets is ignored in silence: settings of the other kind, two outputs of one name."""

import json
import os

import pytest
from typer.testing import CliRunner

import alft
from alft.cli.main import app
from alft.config.build import flags_of
from alft.config.load import load_config
from alft.errors import AlftError, ConfigError, DataError
from alft.offline import read_samples
from alft.offline.weighted import Export
from alft.plan.build import load_plan
from alft.plan.plan import ignored_settings
from alft.verbs.asking import ModelSource
from alft.verbs.distill import Distilling
from alft.verbs.sample import Draw
from alft.verbs.solve import GameChoice, SolveFiles


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    path = tmp_path_factory.mktemp("ignored") / "s.parquet"
    alft.sample(path, overrides=["data.size=2", "offline.samples=2"])
    return path


def told(action):
    with pytest.raises(AlftError) as caught:
        action()
    return str(caught.value)


def test_settings_of_the_other_kind_of_training_are_named():
    live, offline = ["training.steps=5", "watch.every=9"], ["offline.epochs=7", "offline.samples=99"]
    assert [each.where for each in ignored_settings(load_config(None, [*live, "training.trainer=offline"]))] == [
        "training.steps",
        "watch.every",
    ]
    named = [each.where for each in ignored_settings(load_config(None, offline))]
    assert named == ["offline.epochs", "offline.samples"]
    assert list(ignored_settings(load_config(None, live))) == []
    [problem] = ignored_settings(load_config(None, ["training.samples=2", "training.trainer=offline"]))
    assert problem.remedy == "set offline.samples"


def test_a_section_on_the_command_line_keeps_what_the_file_says(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text("training: {trainer: offline, learning_rate: 0.5}\ngame: {agreement: 1}\n")
    read = load_config(path, ["training={samples: 4}", "game={majority: 1}"])
    assert (read.training.trainer, read.training.learning_rate, read.training.samples) == ("offline", 0.5, 4)
    assert str(read.game) == "majority"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("model: starter", "model is a section: write model: {path: starter}"),
        ("training:\n", "training is a section: write training: {KEY: VALUE}"),
        ('training: {stop: "Question:"}', 'write a list: ["Question:"]'),
        ("data: {path: [a, b]}", "Input should be a valid string (given: ['a', 'b'])"),
        ("game: [{game: agreement, wieght: 2}]", "did you mean 'weight'?"),
        ("evaluation: {questions: 1000000000000}", "less than or equal to 1000000"),
    ],
)
def test_the_usual_mistakes_in_yaml_have_a_remedy(tmp_path, text, what):
    (tmp_path / "run.yaml").write_text(text)
    assert what in told(lambda: load_plan(tmp_path / "run.yaml"))


def test_a_parquet_file_is_no_configuration(samples):
    assert "this is a Parquet file — a configuration is written in YAML" in told(lambda: load_config(samples))


def test_offline_and_another_trainer_exclude_each_other():
    raised = (
        CliRunner().invoke(app, ["train", "--offline", "--dry-run", "--set", "training.trainer=rloo"]).exception
    )
    assert isinstance(raised, ConfigError)
    assert "--offline: sets training.trainer, and so does --set — leave one of them out" in str(raised)


def test_outputs_have_names_of_their_own_and_the_right_ending(samples, tmp_path):
    one = tmp_path / "a.parquet"
    assert "is named for two outputs" in told(lambda: alft.solve(samples, files=SolveFiles(one, one)))
    assert "is no Parquet file by its name" in told(
        lambda: alft.solve(samples, files=SolveFiles(tmp_path / "a.json"))
    )
    assert "is no Parquet file by its name" in told(lambda: alft.sample(tmp_path / "a.txt"))
    assert "s.parquet is a file — choose another" in told(lambda: alft.sample(samples / "x.parquet"))
    assert "s.parquet is a file" in told(lambda: alft.distill(samples, samples))


@pytest.mark.skipif(os.geteuid() == 0, reason="everything is writable for root")
def test_a_folder_that_can_not_be_written_to_is_named_first(samples, tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o555)
    for action in (
        lambda: alft.solve(samples, files=SolveFiles(closed / "w.parquet")),
        lambda: alft.distill(samples, closed / "d"),
        lambda: alft.sample(closed / "s.parquet"),
        lambda: alft.evaluate(samples, output=closed / "e"),
    ):
        assert "can not be written to" in told(action)


def test_solve_and_distill_read_their_sections(samples, tmp_path):
    given = ["offline.shrinkage=0", "offline.borrow=false", "scoring.power=4"]
    filled = GameChoice().filled(None, given)
    assert (filled.shrinkage, filled.borrow, filled.power) == (0, False, 4)
    how = Distilling(epochs=2.0).filled(None, ["training.learning_rate=0.5", "offline.epochs=3", "lora={rank: 4}"])
    assert (how.learning_rate, how.epochs, how.batch_size, how.lora_rank) == (0.5, 2.0, None, 4)
    live = {"training": {"learning_rate": 0.5}}
    assert Distilling().filled(live).learning_rate is None  # of GRPO
    assert Distilling().filled({"training": {"trainer": "offline", "learning_rate": 0.5}}).learning_rate == 0.5
    wanted = "--samples: only applies when samples are made first"
    assert wanted in told(lambda: alft.distill(samples, tmp_path / "d", Distilling(samples=3)))


def test_weights_are_kept_where_a_configuration_names_their_game(samples, tmp_path):
    weighted, exports = tmp_path / "w.parquet", [tmp_path / "1.jsonl", tmp_path / "2.jsonl"]
    alft.solve(samples, GameChoice(power=4.0), SolveFiles(weighted))
    config = {"game": "coherence_geometric"}
    for path, given in zip(exports, (None, config), strict=True):
        alft.distill(weighted, path, Export(weighted=True), config=given)
    assert exports[0].read_text() == exports[1].read_text()
    assert json.loads(exports[0].read_text().splitlines()[0])["weight"] > 0
    assert read_samples(weighted).weight is not None


def test_requests_at_once_are_for_endpoints():
    assert "--concurrency: is for endpoints only" in told(ModelSource(concurrency=3).check)


def test_a_file_of_ones_own_runs_once(tmp_path, capsys):
    (tmp_path / "costs.py").write_text("print('RUN')\ndef a(text, key): return 0\ndef b(text, key): return 1\n")
    limits = [{"function": f"{tmp_path}/costs.py:{name}", "at_most": 0.5} for name in "ab"]
    flags = flags_of(load_config({"constraints": limits}))
    assert len(flags) == 2
    assert capsys.readouterr().out.count("RUN") == 1


def test_more_parts_than_there_can_be_are_refused_before_the_model_is_loaded(tmp_path):
    with pytest.raises(DataError, match="make 1 part of whole batches, not 2"):
        alft.sample(tmp_path / "p", overrides=["data.size=2"], draw=Draw(samples=1, part="1/2"))
