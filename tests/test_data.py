"""Every source is reachable from a configuration, which then finds the very same questions again."""

import json

import pytest
from huggingface_hub import constants

from alft.config.load import dump_config, load_config
from alft.errors import AlftError, ConfigError, DataError
from alft.plan.build import load_plan
from alft.plan.questions import asked_questions, evaluation_questions
from alft.questions import DataWarning
from tests.questions.hub_server import COMMIT, serve
from tests.questions.test_presets import GSM8K, MMLU
from tests.questions.test_sources import point_to


def asked(*settings):
    return asked_questions(load_config(None, settings))


def texts(questions):
    return [str(question.views[0].text) for question in questions]


def rows(count, row=GSM8K):
    return "".join(json.dumps(row | {"question": f"How many, of {n}?"}) + "\n" for n in range(count)).encode()


@pytest.fixture
def hub(monkeypatch, tmp_path):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    files = {"main/train.jsonl": rows(9), "main/test.jsonl": rows(20)[-rows(3).__len__() - 9 :]}
    files["main/test.jsonl"] = b"".join(rows(20).splitlines(keepends=True)[15:])
    with serve("acme/sums", files) as (address, _):
        point_to(monkeypatch, address)
        yield


def test_problems_of_both_files_come_together(tmp_path):
    (tmp_path / "bad.jsonl").write_text('{"question": 5}\n')
    bad = f"data.eval_path={tmp_path / 'bad.jsonl'}"
    with pytest.raises(DataError) as caught:
        asked_questions(load_config(None, ["data.path=nofile", bad, "data.views=[nope]"]))
    assert "kind of view 'nope'" in str(caught.value)
    assert "nofile" in str(caught.value)
    assert "bad.jsonl" in str(caught.value)


def test_a_hub_dataset_is_recorded_at_its_commit(hub, tmp_path) -> None:
    settings = ["data.path=hub:acme/sums", "data.subset=main", "data.preset=gsm8k", "data.eval_split=test"]
    plan = load_plan(load_config(None, [*settings, "game=majority", f"output.directory={tmp_path}"]))
    assert (len(plan.train), len(plan.held_out), plan.train[0].answer) == (9, 5, "1,072")
    assert (plan.config.data.path, plan.config.data.revision) == ("hub:acme/sums", COMMIT)
    (tmp_path / "again.yaml").write_text(dump_config(plan.config))
    again = load_plan(load_config(tmp_path / "again.yaml"))
    assert (again.train, again.held_out, again.config) == (plan.train, plan.held_out, plan.config)


def test_a_hub_dataset_to_measure_on_is_pinned_in_its_name(hub, tmp_path) -> None:
    (tmp_path / "q.jsonl").write_bytes(rows(3))
    found = asked(
        f"data.path={tmp_path / 'q.jsonl'}",
        "data.eval_path=hub:acme/sums",
        "data.eval_split=test",
        "data.preset=gsm8k",
    )
    assert found.data.eval_path == f"hub:acme/sums@{COMMIT}"
    assert (len(found.train), len(found.held_out)) == (3, 5)


def test_columns_and_preset_from_the_configuration(tmp_path) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text(json.dumps({"prompt": "a?", "target": "1"}))
    found = asked(f"data.path={path}", "data.columns={question: prompt, answer: target}", "data.instruction=")
    assert [(q.views[0].text, q.answer) for q in found.train] == [("a?", "1")]


def test_views_are_made_where_a_question_has_none(tmp_path) -> None:
    path = tmp_path / "q.jsonl"
    own = {"question": "b?", "views": ["c?"], "answer": "2"}
    path.write_text(json.dumps({"question": "Ann has 2. How many?", "answer": "2"}) + "\n" + json.dumps(own))
    found = asked(f"data.path={path}", "data.views=[question first, 'Q: {question}']", "data.instruction=Mark it.")
    assert [str(view.text) for view in found.train[0].views] == [
        "Ann has 2. How many?\nMark it.",
        "How many? Ann has 2.\nMark it.",
        "Q: Ann has 2. How many?\nMark it.",
    ]
    assert [str(view.text) for view in found.train[1].views] == ["b?\nMark it.", "c?\nMark it."]
    with pytest.raises(AlftError, match="unknown kind of view 'question frist' — did you mean"):
        asked(f"data.path={path}", "data.views=[question frist]")


def test_options_are_permuted_by_the_configuration(tmp_path) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text(json.dumps(MMLU))
    views = (
        asked(f"data.path={path}", "data.preset=multiple-choice", "data.views=[3 permuted options]").train[0].views
    )
    assert len(views) == 4
    for view in views[1:]:
        assert view.answer_map is not None
        right = next(shown for shown, own in view.answer_map.items() if own == "C")
        assert f"\n{right}. y\n" in f"{view.text}\n"


def test_generated_questions_are_held_out_apart(tmp_path) -> None:
    settings = ["data.path=reasoning-gym:chain_sum", "data.size=30", "evaluation.questions=9"]
    small = "data.settings={min_terms: 2, max_terms: 2, min_digits: 1, max_digits: 1}"
    with pytest.warns(DataWarning):
        first, second = (asked(*settings, small, f"training.seed={seed}") for seed in (0, 1))
    assert first.held_out == second.held_out
    assert texts(first.train) != texts(second.train)
    assert not set(texts(first.train)) & set(texts(first.held_out))
    fixed = [asked(*settings, "data.seed=5", f"training.seed={seed}").train for seed in (0, 1)]
    assert fixed[0] == fixed[1]


def test_what_is_evaluated() -> None:
    starter = asked("evaluation.questions=4")
    assert evaluation_questions(load_config(None, ["evaluation.questions=4"])) == starter.held_out


def test_a_program_has_no_split_to_measure_on() -> None:
    with pytest.raises(ConfigError, match=r"data\.eval_split: starter is made by a program"):
        asked("data.eval_split=test")


def test_settings_that_do_not_fit_the_source_are_named(tmp_path) -> None:
    path = tmp_path / "q.jsonl"
    path.write_bytes(rows(2))
    with pytest.raises(AlftError) as caught:
        asked(f"data.path={path}", "data.revision=main", "data.size=3", "data.seed=1", "data.settings={a: 1}")
    assert [str(p).split("'")[1] for p in caught.value.problems] == ["revision", "size", "seed", "settings"]


def test_home_is_expanded_in_every_path(monkeypatch) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    names = ("data.path", "data.eval_path", "model.path", "output.directory")
    config = load_config(None, [f"{name}=~/x" for name in names])
    assert {config.data.path, config.data.eval_path, config.model.path, config.output.directory} == {"/home/ann/x"}
