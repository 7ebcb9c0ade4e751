"""The dataset and configuration for verl: what is written, what is refused, the command."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from alft import Question, View, starter
from alft.config.load import load_config
from alft.errors import ConfigError
from alft.plan.build import load_plan
from alft.questions import DataWarning, dump_questions
from alft.verl.play import SECTIONS, Asked, player_of
from alft.verl.rows import SCHEMA, main, to_rows, write_rows

RECIPE = Path(__file__).parents[2] / "recipes" / "verl" / "gsm8k.yaml"
PLAIN = ["training.schedule=constant", "training.questions_per_step=4", "data.size=8"]


def test_a_row_holds_every_view_of_a_question():
    views = (View("Where?", "view 1"), View(({"role": "user", "content": "Where is it?"},), "view 2", {"a": "b"}))
    (row,) = to_rows([Question("q", views, "Rome", aliases=("Roma",), group="g")], "test", 2).to_pylist()
    assert row["prompt"] == [{"role": "user", "content": "Where?"}]
    assert row["reward_model"]["ground_truth"] == "Rome"
    info = row["extra_info"]
    assert [json.loads(view["answer_map"] or "null") for view in info["views"]] == [None, {"a": "b"}]
    assert (info["index"], info["split"], info["group"], info["aliases"]) == (0, "test", "g", ["Roma"])
    asked = Asked.of(info, "Rome")
    assert [prompt[0]["content"] for prompt in asked.prompts] == ["Where?", "Where is it?"]


def test_what_is_written_is_the_plan(tmp_path):
    settings = [*PLAIN, "game=agreement", "training.samples=6"]
    path = write_rows(tmp_path / "rows", None, settings)
    train, test = (pq.read_table(path.parent / f"{split}.parquet") for split in ("train", "test"))
    assert train.schema.equals(test.schema)
    assert train.schema.names == SCHEMA.names
    written = yaml.safe_load(path.read_text("utf-8"))
    views = {len(row["views"]) for row in train["extra_info"].to_pylist()}
    assert views == {4}
    assert written["alft"]["completions"] == written["actor_rollout_ref"]["rollout"]["n"] == 4 * 6
    assert written["data"]["train_files"] == str(path.parent / "train.parquet")
    assert player_of(written["alft"]).size == 24
    read = load_config({name: written["alft"][name] for name in SECTIONS})
    planned = load_plan(None, settings).config
    assert [getattr(read, name) for name in SECTIONS] == [getattr(planned, name) for name in SECTIONS]


def test_only_the_views_of_a_step_are_asked(tmp_path):
    with pytest.warns(DataWarning, match="only the first 2 views"):
        path = write_rows(tmp_path, None, [*PLAIN, "training.views_per_step=2"])
    rows = pq.read_table(path.parent / "train.parquet")["extra_info"].to_pylist()
    assert {len(row["views"]) for row in rows} == {2}


REFUSED = {
    "parity": ("parity.weight=1", "parity"),
    "limits": ('constraints=[{"key": "7", "at_most": 0.1}]', "constraints"),
    "a sampled Target": ("game=coherence_fixed", "game"),
    "a price of nats": ("scoring.beta=0.1", "scoring.beta"),
    "stop strings": ("training.stop=[x]", "training.stop"),
    "linear": ("training.schedule=linear", "training.schedule"),
    "several updates": ("training.num_iterations=2", "training.steps_per_generation"),
}


@pytest.mark.parametrize(("setting", "place"), REFUSED.values(), ids=REFUSED.keys())
def test_what_verl_has_no_form_of_is_refused_with_its_place(setting, place, tmp_path):
    path = ["training.steps=60", f"output.directory={tmp_path}"]
    questions = [
        Question(f"q{i}", (View(f"{i}?", "view 1"), View(f"and {i}?", "view 2")), "1", group="ab"[i % 2])
        for i in range(8)
    ]
    dump_questions(questions, tmp_path / "questions.jsonl")
    data = [f"data.path={tmp_path / 'questions.jsonl'}", "data.held_out=2", "training.questions_per_step=4"]
    with pytest.raises(ConfigError) as caught:
        write_rows(tmp_path / "rows", None, ["training.schedule=constant", *path, *data, setting])
    assert place in [problem.where for problem in caught.value.problems]
    assert not (tmp_path / "rows").exists()


def test_the_command_prints_what_starts_verl(tmp_path, capsys):
    assert main([str(tmp_path / "rows"), *(part for each in PLAIN for part in ("--set", each))]) == 0
    printed = capsys.readouterr().out
    assert f"python -m verl.trainer.main_ppo --config-path {tmp_path / 'rows'} --config-name verl" in printed
    assert main([str(tmp_path / "more"), "--set", "game=nothing"]) == 2
    assert "error: game: no game" in capsys.readouterr().err


def test_the_recipe_has_four_wordings_and_nothing_that_is_refused(tmp_path):
    for split, name in {"train": "Ann", "test": "Eve"}.items():
        asked = [f"{name} has {i} pens. She buys 2. How many?" for i in range(80)]
        rows = [json.dumps({"question": text, "answer": f"#### {i + 2}"}) for i, text in enumerate(asked)]
        (tmp_path / f"{split}.jsonl").write_text("\n".join(rows))
    files = [{"split": split, "path": f"{split}.jsonl"} for split in ("train", "test")]
    card = {"configs": [{"config_name": "main", "data_files": files}]}
    (tmp_path / "README.md").write_text(f"---\n{yaml.safe_dump(card)}---\n")
    settings = [f"data.path={tmp_path}", f"model.path={starter.model_path()}"]
    path = write_rows(tmp_path / "rows", RECIPE, settings)
    written = yaml.safe_load(path.read_text("utf-8"))
    assert written["actor_rollout_ref"]["rollout"]["n"] == 4 * 8
    assert written["alft"]["answers"]["kind"] == "number"
    assert "NOT RUN YET" in RECIPE.read_text("utf-8")
