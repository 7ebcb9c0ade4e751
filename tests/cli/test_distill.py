"""`alft solve` and `alft distill` on a samples file of the starter: weights, rounds, exports, errors."""

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from alft.cli.main import app
from alft.config.load import load_config
from alft.config.schema import ModelConfig, RunConfig
from alft.errors import ConfigError, DataError
from alft.offline import read_samples
from alft.offline.sample import prompted_alike
from alft.offline.scores import kept_scores
from alft.reporting.cards import distilled_card
from alft.starter import model_path
from alft.tabular.certificate import GapWarning
from alft.text import number
from alft.verbs.asking import ModelSource
from alft.verbs.distill import Distilling
from alft.verbs.distill import sampled as sampled_first
from tests.offline.made import drawn


def invoke(*arguments):
    return CliRunner().invoke(app, [str(each) for each in arguments])


@pytest.fixture(scope="module")
def sampled(tmp_path_factory):
    path = tmp_path_factory.mktemp("offline") / "s.parquet"
    assert invoke("sample", path, "--questions", 2, "-n", 4).exit_code == 0
    return path


@pytest.fixture(scope="module")
def weighted(sampled):
    path, summary = sampled.with_name("w.parquet"), sampled.with_name("s.json")
    told = invoke("solve", sampled, "--game", "correctness", "--beta", 0.1, "-o", path, "--summary", summary)
    assert told.exit_code == 0
    assert "correctness" in told.output
    return path


def test_solve_writes_weights_and_a_summary_that_agree(sampled, weighted):
    summary = json.loads(sampled.with_name("s.json").read_text())
    samples = read_samples(weighted)
    assert samples.provenance.solution is not None
    assert samples.weight is not None
    assert samples.provenance.solution["predicted"] == summary["metrics"]
    assert summary["completions"] == len(samples) == 2 * 4 * 4
    assert samples.weight.sum() == pytest.approx(len(samples))
    assert summary["metrics"]["accuracy"]["after"]["mean"] >= summary["metrics"]["accuracy"]["now"]["mean"]
    assert pq.read_table(weighted).drop_columns(["weight", "lent"]).equals(pq.read_table(sampled))
    assert not [path for path in weighted.parent.iterdir() if path.name.endswith(".part")]


def test_two_rounds_are_one_command_that_can_be_run_again(weighted, tmp_path):
    done = invoke("distill", weighted, "-o", tmp_path / "d", "--rounds", 2, "--batch", 8, "--lr", 1e-4)
    assert done.exit_code == 0, done.output
    assert (tmp_path / "d" / "model" / "model.safetensors").is_file()
    card = (tmp_path / "d" / "model" / "README.md").read_text()
    assert "correctness" in card
    metrics = json.loads(weighted.with_name("s.json").read_text())["metrics"]["accuracy"]
    promised = f"accuracy {number(metrics['now']['mean'])} → {number(metrics['after']['mean'])}"
    assert promised in done.output
    assert str(tmp_path) not in card
    second = read_samples(tmp_path / "d" / "round-2" / "samples.parquet")
    first = read_samples(weighted)
    assert second.questions == first.questions
    assert second.provenance.model["digest"] != first.provenance.model["digest"]
    other = invoke("distill", weighted, "-o", tmp_path / "d", "--rounds", 2, "--batch", 4, "--lr", 1e-4)
    assert "training.batch_size: was begun with 8" in str(other.exception)
    before = (tmp_path / "d" / "model" / "model.safetensors").stat().st_mtime_ns
    again = invoke("distill", weighted, "-o", tmp_path / "d", "--rounds", 2, "--batch", 8, "--lr", 1e-4)
    assert again.exit_code == 0
    assert (tmp_path / "d" / "model" / "model.safetensors").stat().st_mtime_ns == before


@pytest.mark.parametrize("form", ["conversational", "prompt_completion"])
def test_exports_have_the_form_and_the_rows_that_were_asked_for(weighted, tmp_path, form):
    path = tmp_path / "e.jsonl"
    assert invoke("distill", weighted, "--export", path, "--form", form, "--rows", 100).exit_code == 0
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert abs(len(rows) - 100) <= 8  # one more or less in each of 8 views
    asked = rows[0]["messages"] if form == "conversational" else [*rows[0]["prompt"], *rows[0]["completion"]]
    assert [turn["role"] for turn in asked] == ["user", "assistant"]  # the starter is asked by messages


def test_an_export_can_keep_weights(weighted, tmp_path):
    assert invoke("distill", weighted, "--export", tmp_path / "e.jsonl", "--weights").exit_code == 0
    rows = [json.loads(line) for line in (tmp_path / "e.jsonl").read_text().splitlines()]
    assert sum(row["weight"] for row in rows) == pytest.approx(2 * 4 * 4)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ([], "one of them is needed"),
        (["-o", "d", "--form", "conversational"], "--form: is for --export"),
        (["--export", "e", "--lr", "1e-4"], "learning_rate: is for training"),
        (["--export", "e", "--rows", "5", "--weights"], "written once"),
        (["--export", "e", "--epochs", "1", "--batch", "64", "--unscored"], "--scored: is for training"),
        (["--export", "e", "--epochs", "1", "--batch", "64"], "--epochs: is for training"),
        (["-o", "d", "--lr", "2", "--epochs", "0", "--lora-rank", "0"], "must be at most 1, not 2"),
        (["-o", "d", "--lr", "2", "--epochs", "0", "--lora-rank", "0"], "--epochs: must be more than 0, not 0"),
        (["-o", "d", "--lr", "2", "--epochs", "0", "--lora-rank", "0"], "--lora-rank: must be at least 1"),
        (["-o", "d", "--game", "{coherence_geometric: 1, correctness: 5}"], "give, say, --beta 0.1"),
        (["-o", "d", "--batch", "0"], "batch_size"),
        (
            ["-o", "d", "--set", "output.name=zz"],
            "--set output.name=zz: is for train: distill writes to its own OUTPUT",
        ),
        (["-o", "d", "--lora-rank", "0"], "at least 1"),
    ],
)
def test_options_that_can_not_be_are_told_before_anything_is_loaded(
    weighted, tmp_path, monkeypatch, options, told
):
    monkeypatch.chdir(tmp_path)
    raised = invoke("distill", weighted, *options).exception
    assert isinstance(raised, ConfigError)
    assert told in str(raised)
    assert list(tmp_path.iterdir()) == []


def test_code_that_a_file_names_is_not_run_unasked(weighted, tmp_path):
    table = pq.read_table(weighted)
    told = json.loads(table.schema.metadata[b"alft"])
    told["solution"]["game"] = f"{tmp_path}/game.py:Mine"
    (tmp_path / "game.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    pq.write_table(table.replace_schema_metadata({b"alft": json.dumps(told)}), tmp_path / "w.parquet")
    raised = invoke("distill", tmp_path / "w.parquet", "-o", tmp_path / "d", "--rounds", 2).exception
    assert isinstance(raised, ConfigError)
    assert "name the game by --game" in str(raised)
    assert not (tmp_path / "ran").exists()


def test_a_directory_of_other_weights_is_refused(weighted, sampled, tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "distill.json").write_text(json.dumps({"weights": "others"}))
    raised = invoke("distill", weighted, "-o", tmp_path / "d").exception
    assert isinstance(raised, DataError)
    assert "was begun with" in str(raised)


def test_a_model_that_was_changed_in_its_place_is_not_distilled_on(weighted, tmp_path):
    place = tmp_path / "model"
    shutil.copytree(model_path("starter"), place)
    asked = ("distill", weighted, "-o", tmp_path / "d", "--model", place, "--batch", 8, "--lr", 1e-4)
    assert invoke(*asked).exit_code == 0
    _halve(place / "model.safetensors")
    raised = invoke(*asked).exception
    assert isinstance(raised, DataError)
    assert "model.digest: was begun with" in str(raised)


def _halve(weights):
    save_file({name: each * 0.5 for name, each in load_file(weights).items()}, weights, {"format": "pt"})


@pytest.fixture
def made_first(tmp_path, monkeypatch):
    """Samples that `alft distill` made first, by a copy of the starter, and how to ask for them again."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(model_path("starter"), "model")
    usual = ["model.path=model", "data.size=4", "data.held_out=2", "training.max_new_tokens=4"]

    def ask(*others):
        return sampled_first(None, [*usual, *others], 2, tmp_path / "d")

    ask()
    return ask


@pytest.mark.parametrize(
    ("others", "told"),
    [
        (["training.seed=7"], ["data.digest: was begun with", "sampling.seed: was begun with 0, and is now 7"]),
        (["answers.units=drop"], ["answers.keys.units: was begun with 'keep', and is now 'drop'"]),
        (["answers.truncated=read"], ["answers.reading.truncated: was begun with 'unread', and is now 'read'"]),
    ],
)
def test_samples_made_first_are_not_taken_for_those_of_another_request(made_first, others, told):
    path = made_first()
    written = path.stat().st_mtime_ns
    with pytest.raises(DataError) as raised:
        made_first(*others)
    assert all(part in str(raised.value) for part in told)
    assert made_first().stat().st_mtime_ns == written


def test_samples_made_first_are_not_taken_for_those_of_other_weights(made_first):
    _halve(Path("model/model.safetensors"))
    with pytest.raises(DataError, match=r"model\.digest: was begun with"):
        made_first()


def test_where_views_have_no_common_answer_borrowing_is_the_remedy(tmp_path):
    apart, alike = [[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [1.0, 0.0]]
    drawn(tmp_path / "none.parquet", [apart] * 3, 4)
    drawn(tmp_path / "some.parquet", [apart, apart, alike], 4)
    refused = invoke("solve", tmp_path / "none.parquet", "--no-borrow").exception
    assert "let views borrow each other's completions (leave out --no-borrow and --shrinkage 0)" in str(refused)
    some = invoke("solve", tmp_path / "some.parquet", "--no-borrow", "-o", tmp_path / "some-w.parquet")
    assert "2 questions can't be helped (no answer to agree on): q0, q1" in some.output
    assert "next:    leave out --no-borrow" in some.output
    lent = invoke("solve", tmp_path / "none.parquet", "-o", tmp_path / "none-w.parquet")
    assert "can't be helped" not in lent.output
    assert "next:    alft distill" in lent.output


@pytest.mark.parametrize(
    ("files", "told"),
    [
        (["config.yaml", "environment.json"], "holds a run of `alft train` — choose another directory"),
        ([], "holds a model that `alft distill` did not make"),
    ],
)
def test_a_directory_that_distill_did_not_make_is_left_alone(weighted, tmp_path, files, told):
    (tmp_path / "model").mkdir()
    for name in files:
        (tmp_path / name).write_text("{}")
    raised = invoke("distill", weighted, "-o", tmp_path).exception
    assert isinstance(raised, DataError)
    assert told in str(raised)
    assert {path.name for path in tmp_path.iterdir()} == {"model", *files}


def test_a_folder_of_one_kind_of_distillation_does_not_answer_for_the_other(weighted, tmp_path):
    once = ("distill", weighted, "-o", tmp_path / "once", "--batch", 8, "--lr", 1e-4)
    several = ("distill", weighted, "-o", tmp_path / "several", "--rounds", 2, "--batch", 8)
    (tmp_path / "several").mkdir()
    (tmp_path / "several" / "rounds.json").write_text("{}")
    assert invoke(*once).exit_code == 0
    assert "was begun with one round" in str(invoke(*once, "--rounds", 2).exception)
    assert "was begun with several rounds" in str(invoke(*several[:4], "--batch", 8).exception)


def test_the_whole_configuration_counts_and_options_come_first(weighted, tmp_path):
    lora = {"rank": 4, "alpha": 64.0, "target_modules": ["q_proj"]}
    sections = {"training": {"seed": 7, "schedule": "constant", "warmup_steps": 3, "micro_batch_size": 8}}
    read = load_config({**sections, "lora": lora, "offline": {"epochs": 3.0, "batch_size": 16}})
    found = Distilling(epochs=2.0).filled(read).training(read, ModelConfig())
    assert (found.lora.model_dump(), found.seed, found.schedule, found.warmup_steps) == (lora, 7, "constant", 3)
    assert (found.forward, found.epochs, found.batch_size, found.learning_rate) == (8, 2.0, 16, 2e-4)
    alone = Distilling(lora_rank=3, seed=0).filled(None).training(load_config(), ModelConfig())
    assert (alone.lora.rank, alone.lora.alpha, alone.seed, alone.schedule, alone.save_steps) == (
        3,
        6,
        0,
        "linear",
        50,
    )
    spoken = Distilling().filled(None, ["training={learning_rate: 0.001}"])
    assert spoken.training(load_config(), ModelConfig()).learning_rate == 0.001


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--scored"], "only applies to completions without weights"),
        (["--set", "offline.scored=true", "--rounds", "2"], "only applies to one round, not 2"),
        (["--game", "correctness", "--beta", "1", "--scored", "--no-borrow"], "views don't borrow"),
        (["--game", ""], "no game is called ''"),
        (["--set", "output={name: zz}"], "is for train: distill writes to its own OUTPUT"),
    ],
)
def test_what_is_asked_for_and_can_not_be_is_told(weighted, tmp_path, options, told):
    raised = invoke("distill", weighted, "-o", tmp_path / "d", *options).exception
    assert isinstance(raised, ConfigError)
    assert told in str(raised)


def test_a_game_of_several_terms_is_recorded_as_it_is_written(sampled, tmp_path):
    spec = load_config({"game": {"correctness": 1, "coherence_geometric": 0.5}}).game
    path, again = tmp_path / "w.parquet", tmp_path / "again.parquet"
    assert invoke("solve", sampled, "--game", spec.written, "--beta", 0.1, "-o", path).exit_code == 0
    told = invoke(
        "solve", path, "--game", read_samples(path).provenance.solution["game"], "--beta", 0.1, "-o", again
    )
    assert "its weights are replaced by those of correctness_and_0.5coherence_geometric, power 1" in told.output
    assert read_samples(again).weight.tolist() == read_samples(path).weight.tolist()
    assert "# correctness_and_0.5coherence_geometric, offline" in distilled_card({"game": spec.written}, [])


@pytest.mark.parametrize("rows", [1, 5, 10])
def test_an_export_has_as_many_rows_as_are_asked_for(weighted, tmp_path, rows):
    told = invoke("distill", weighted, "--export", tmp_path / "e.jsonl", "--rows", rows)
    assert f"{rows} row" in told.output
    assert len((tmp_path / "e.jsonl").read_text().splitlines()) == rows


def test_files_that_were_cut_are_named_with_a_remedy(weighted, tmp_path):
    (tmp_path / "distill.json").write_text('{"weights": "ab')
    raised = invoke("distill", weighted, "-o", tmp_path).exception
    assert isinstance(raised, DataError)
    assert "distill.json: is not JSON" in str(raised)
    (tmp_path / "scores.npy").write_bytes(b"\x93NUMPY\x01")
    with pytest.raises(DataError, match=r"scores\.npy: can't be read: .* — remove it"):
        kept_scores(tmp_path / "scores.npy", lambda: np.zeros(1))


def test_a_model_is_prompted_as_the_sampled_one_was(tmp_path):
    chosen = ModelConfig(chat_template_kwargs={"enable_thinking": False})
    came = ModelSource().backend(RunConfig(model=chosen)).identity()
    assert prompted_alike(came) == chosen
    assert prompted_alike({"model": "a", "revision": "b", "chat": False}, "c") == ModelConfig(
        path="c", chat="plain"
    )
    assert prompted_alike({"model": "a", "revision": "b"}) == ModelConfig(path="a", revision="b")


def test_solving_says_what_it_does_not_do(sampled, weighted, tmp_path):
    assert "offline.scored: needs the model" in str(
        invoke("solve", sampled, "--set", "offline.scored=true").exception
    )
    (tmp_path / "gone.parquet").symlink_to(tmp_path / "nowhere")
    assert "did you mean" not in str(invoke("solve", tmp_path / "gone.parquet").exception)
    assert "is a broken link" in str(invoke("distill", weighted, "-o", tmp_path / "gone.parquet").exception)
    lost = ("--game", "coherence_euclidean", "--beta", 1e-5, "--power", 64, "-o")
    drawn(tmp_path / "apart.parquet", [[[0.5, 0.3, 0.2], [0.2, 0.5, 0.3], [0.3, 0.2, 0.5]]] * 8, 4)
    with pytest.warns(GapWarning):
        found = invoke("solve", tmp_path / "apart.parquet", *lost, tmp_path / "my w.parquet")
    assert "NOT found" in found.output
    assert "next:" not in found.output
    helped = invoke("solve", tmp_path / "apart.parquet", "-o", tmp_path / "my w2.parquet")
    assert f"next:    alft distill '{tmp_path / 'my w2.parquet'}' -o DIRECTORY" in helped.output.replace("\n", "")
