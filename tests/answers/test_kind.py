"""`answers.kind`: an answer of another kind is unread, by default what all gold answers of the questions are."""

import json
from typing import get_args

import pytest

from alft.answers import AnswerPolicy, ReadPolicy, Unread, read, shared_kind
from alft.answers.policy import Kind
from alft.config.load import dump_config, load_config
from alft.config.schema import RunConfig
from alft.errors import ConfigError
from alft.plan.build import inspect
from alft.training.run import check_unchanged

KINDS = {
    "The answer is 42.": {"number"},
    "The answer is 42 apples.": {"number", "text"},
    "The answer is $18.": {"number"},
    "The answer is 5 cm.": {"number"},
    "The answer is 25%.": {"number"},
    r"\boxed{x = 5}": {"number"},
    r"\boxed{2\sqrt{3}}": {"number"},
    r"\boxed{\frac{3}{4}}": {"number"},
    "The answer is (B).": {"option"},
    "The answer is B. Paris": {"option", "text"},
    "The answer is Paris.": {"text"},
    "The answer is yes.": {"text"},
    "The answer is Wi-Fi.": {"text"},
    r"\boxed{x+1}": set[str](),
    r"\boxed{(1, 2)}": set[str](),
    r"\boxed{2, 3}": set[str](),
}


@pytest.mark.parametrize("chosen", get_args(Kind))
@pytest.mark.parametrize("text", KINDS)
def test_an_answer_of_another_kind_is_unread(text: str, chosen: Kind) -> None:
    found = read(text, ReadPolicy(kind=chosen))
    wanted = chosen == "any" or chosen in KINDS[text]
    assert (found.answer, found.unread) == ((read(text).answer, None) if wanted else (None, Unread.OTHER_KIND))


def test_what_has_no_answer_keeps_its_own_reason() -> None:
    assert read("No idea.", ReadPolicy(kind="number")).unread is Unread.NO_MARK
    assert read("The answer is 5 or 6.", ReadPolicy(kind="number")).unread is Unread.AMBIGUOUS


@pytest.mark.parametrize(
    ("golds", "kind"),
    [
        (["18", "2.5", "$3", "1/2", "7 cm"], "number"),
        (["18 eggs", "5 hens"], "number"),
        (["A", "(b)"], "option"),
        (["Paris", "Marie Curie"], "text"),
        (["76ers", "Lakers"], "text"),
        (["Paris", "1945"], "any"),
        (["A", "Paris"], "any"),
        (["x+1"], "any"),
        ([], "any"),
    ],
)
def test_the_kind_of_gold_is_the_one_that_all_share(golds: list[str], kind: str) -> None:
    assert shared_kind(golds) == kind


def plan_config(tmp_path, *rows: dict, overrides: tuple[str, ...] = ()) -> RunConfig:
    """A planned configuration on questions of one's own, each asked in two ways."""
    path = tmp_path / "questions.jsonl"
    lines = [
        {"id": str(n), "question": f"What is {n}?", "views": [f"{n} is?"], **row} for n, row in enumerate(rows)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    settings = [
        "model.path=org/model",
        "training.questions_per_step=1",
        f"data.path={path}",
        "data.held_out=1",
        f"output.directory={tmp_path}",
    ]
    return inspect(load_config(None, [*settings, *overrides]))[0].config


@pytest.mark.parametrize(
    ("rows", "overrides", "kind"),
    [
        ([{"answer": "1"}, {"answer": "2"}], (), "number"),
        ([{"answer": "1"}, {"answer": "two"}], (), "any"),
        ([{"answer": "1", "aliases": ["one"]}, {"answer": "2"}], (), "any"),
        ([{}, {}], (), "any"),
        ([{"answer": "1"}, {"answer": "2"}], ("answers.kind=any",), "any"),
        ([{"answer": "1"}, {"answer": "2"}], ("answers.kind=text",), "text"),
        ([{"answer": "1"}, {"answer": "2"}], (r"answers.pattern=ANSWER (\S+)",), "any"),
    ],
)
def test_a_run_reads_the_kind_of_its_gold_answers_held_out_or_not(tmp_path, rows, overrides, kind) -> None:
    assert plan_config(tmp_path, *rows, overrides=overrides).answers.kind == kind


def test_a_view_that_answers_otherwise_keeps_its_answers(tmp_path) -> None:
    views = [{"text": "Is it not? 0 no, 1 yes", "answer_map": {"0": "yes", "1": "no"}}]
    rows = [{"views": views, "answer": "yes"}, {"answer": "no"}]
    assert plan_config(tmp_path, *rows).answers.kind == "any"


def test_the_built_in_model_reads_any_kind() -> None:
    assert inspect(load_config(None, ["data.size=8"]))[0].config.answers.kind == "any"


def test_a_run_that_read_any_kind_is_resumed_only_as_such(tmp_path) -> None:
    rows = [{"answer": "1"}, {"answer": "2"}, {"answer": "3"}]
    plan = inspect(plan_config(tmp_path, *rows))[0]
    plan.directory.mkdir()
    earlier = "\n".join(line for line in dump_config(plan.config).splitlines() if "kind:" not in line)
    (plan.directory / "config.yaml").write_text(earlier)
    now = {"data": "as before"}
    (plan.directory / "inputs.json").write_text(json.dumps(now))
    with pytest.raises(ConfigError, match=r"answers\.kind.*'any'.*'number'"):
        check_unchanged(plan, now)
    check_unchanged(inspect(plan_config(tmp_path, *rows, overrides=("answers.kind=any",)))[0], now)


def test_files_record_kind_and_marks_only_where_they_are_set() -> None:
    assert AnswerPolicy().record()["reading"].keys().isdisjoint({"kind", "marks", "reader"})
    own = AnswerPolicy(reading=ReadPolicy(kind="number", marks=["Result:"]))
    kept = json.loads(json.dumps(own.record()["reading"]))
    assert ReadPolicy(**kept) == own.reading
    assert hash(own) == hash(AnswerPolicy(reading=ReadPolicy(**kept)))
