"""Bad questions (docs/bad-inputs.md, items 1 to 35): one test an item, by its number."""

import gzip
import json
import warnings
from pathlib import Path

import pytest

from alft.config.load import dump_config, load_config
from alft.errors import AlftError, ConfigError
from alft.plan.build import load_plan
from alft.plan.validation import validate_config, validate_questions
from alft.questions import DataWarning, Question, load_questions
from alft.training.run import check_unchanged, digests


@pytest.fixture
def file(tmp_path):
    def write(content: str | bytes, name: str = "q.jsonl") -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def rows(*values: dict) -> str:
    return "".join(json.dumps(value) + "\n" for value in values)


def told(path: Path, **options) -> str:
    with pytest.raises(AlftError) as caught:
        load_questions(path, **options)
    return "\n".join(str(problem).replace(str(path), "F") for problem in caught.value.problems)


def answers(path: Path) -> list[str | None]:
    return [question.answer for question in load_questions(path)]


def planned(path: Path, *settings: str):
    where = [f"data.path={path}", f"output.directory={path.parent / 'runs'}"]
    return load_plan(load_config(None, [*where, *settings]))


def refused(path: Path, *settings: str) -> str:
    with pytest.raises(AlftError) as caught:
        planned(path, *settings)
    return str(caught.value)


def test_item_01_empty_file(file) -> None:
    assert told(file("")).startswith("F: 0 rows")


def test_item_02_only_blank_lines(file) -> None:
    assert told(file("\n \n\t\n")).startswith("F: 0 rows")


def test_item_03_column_missing_everywhere(file) -> None:
    message = told(file(rows({"prompt": "a?", "target": "1"})))
    assert message.startswith("F: no row has the field 'question'; fields found: prompt, target")
    assert "data.columns" in message


def test_item_04_column_missing_in_some_rows(file) -> None:
    content = rows(*({"question": "a?"} if n % 2 else {"question": "a?", "answer": "1"} for n in range(14)))
    (line,) = told(file(content)).splitlines()
    assert line.startswith("F:2, 4, 6, 8, 10 and 2 more: 'answer' is missing here but not in other rows — ")


@pytest.mark.parametrize("value", [None, "", " "])
def test_item_05_empty_answer(file, value: str | None) -> None:
    path = file(rows({"question": "a?", "answer": value}))
    assert "'answer' is" in told(path)
    assert load_questions(path, answers="partial")[0].answer is None
    assert validate_questions(load_config(None, [f"data.path={path}", "data.answers=partial"])).good


def test_item_06_answers_of_mixed_types(file) -> None:
    assert answers(file('{"question": "a?", "answer": 1}\n{"question": "b?", "answer": "1"}\n')) == ["1", "1"]


def test_item_07_integers_and_decimals(file) -> None:
    assert answers(file('{"question": "a?", "answer": 1}\n{"question": "b?", "answer": 1.0}\n')) == ["1", "1.0"]


def test_item_08_big_integers(file) -> None:
    assert answers(file('{"question": "a?", "answer": 1' + "0" * 30 + "}\n")) == ["1" + "0" * 30]


def test_item_09_dates(file) -> None:
    assert answers(file(rows({"question": "a?", "answer": "2004-01-05"}))) == ["2004-01-05"]


def test_item_10_leading_zeros_in_csv(file) -> None:
    assert answers(file("question,answer\na?,007\n", "q.csv")) == ["007"]


def test_item_11_words_for_nothing_in_csv(file) -> None:
    assert answers(file("question,answer\na?,NA\nb?,None\nc?,null\n", "q.csv")) == ["NA", "None", "null"]


def test_item_12_separators_in_csv(file) -> None:
    assert answers(file('question,answer\na?,"1,234"\n', "q.csv")) == ["1,234"]


@pytest.mark.parametrize("literal", ["NaN", "Infinity", "-Infinity"])
def test_item_13_numbers_that_are_none(file, literal: str) -> None:
    assert told(file(f'{{"question": "a?", "answer": {literal}}}')).startswith("F:1:")


def test_item_14_one_question_twice(file) -> None:
    row = {"id": "a", "question": "a?", "answer": "1"}
    with pytest.warns(
        DataWarning, match=r"q\.jsonl:2 question 'a': the same question with the same id, read before: kept once"
    ):
        assert len(load_questions(file(rows(row, row)))) == 1


def test_item_15_one_id_for_two_questions(file) -> None:
    message = told(file(rows({"id": "a", "question": "a?"}, {"id": "a", "question": "b?"})))
    assert message.startswith("F:2: id 'a' belongs to another question, at ")
    assert "at F:1 " in message


def test_item_16_a_question_trained_and_measured_on(file) -> None:
    path = file(rows(*({"question": f"How many, of {n}?"} for n in range(9))))
    measured = file(rows({"question": "how  many, of 3?"}), "eval.jsonl")
    message = refused(path, f"data.eval_path={measured}", "game=majority")
    assert "1 held-out questions are also trained on: q1" in message


def test_item_17_one_view_only(file) -> None:
    alone = [{"question": f"{n}?"} for n in range(30)]
    assert "compares views, and questions have only 1" in refused(file(rows(*alone)))
    mixed = [row | ({"views": [f"so {row['question']}"]} if n else {}) for n, row in enumerate(alone)]
    report = validate_questions(load_config(None, [f"data.path={file(rows(*mixed))}"]))
    assert report.train.views == {1: 1, 2: 29}
    with pytest.warns(DataWarning, match="1 of 24 questions have fewer than 2 views: nothing to compare"):
        plan = load_plan(load_config(None, [f"data.path={file(rows(*mixed))}"]))
    assert (len(plan.train), plan.views) == (23, 2)
    majority = load_plan(load_config(None, [f"data.path={file(rows(*mixed))}", "game=majority"]))
    assert (len(majority.train), majority.views) == (24, 1)  # a game of single views plays on all


def test_item_18_views_with_other_gold_answers(file) -> None:
    view = {"text": "so a?", "answer": "2"}
    assert "the view's answer '2' is not the question's '1'" in told(
        file(rows({"question": "a?", "answer": "1", "views": [view]}))
    )


def test_item_19_the_same_view_twice(file) -> None:
    with pytest.warns(DataWarning, match="the same text as 'view 2': left out"):
        asked = load_questions(file(rows({"question": "a?", "views": ["so a?", "so  a? "]})))
    assert len(asked[0].views) == 2


def test_item_20_a_view_that_changed_a_number(file) -> None:
    path = file(rows({"id": "x", "question": "2 and 2?", "views": ["2 plus 3?", "2 plus 2?"]}))
    report = validate_questions(load_config(None, [f"data.path={path}"]))
    assert [str(suspect).replace(str(path), "F") for suspect in report.suspects] == [
        "F:1 question 'x', view 2: numbers differ from view 1: 3 instead of 2 — fix the view, or leave it out"
    ]


def test_item_21_byte_order_mark(file) -> None:
    assert answers(file(b"\xef\xbb\xbf" + rows({"question": "a?", "answer": "1"}).encode())) == ["1"]


def test_item_22_windows_line_ends(file) -> None:
    assert answers(file(b'{"question": "a?", "answer": "1"}\r\n{"question": "b?", "answer": "2"}\r\n')) == [
        "1",
        "2",
    ]


def test_item_23_utf_16(file) -> None:
    assert "the file looks like UTF-16" in told(file('{"question": "a?"}'.encode("utf-16")))


def test_item_24_latin_1(file) -> None:
    assert "byte 0xe9 at offset 17 is not UTF-8" in told(file(b'{"question": "caf\xe9?"}'))


def test_item_25_lone_surrogate(file) -> None:
    assert told(file('{"question": "a\\ud800?"}')).startswith("F:1: a \\u surrogate without")


def test_item_26_nul(file) -> None:
    assert told(file('{"question": "a\\u0000?"}')).startswith("F:1: a text contains the NUL character")


@pytest.mark.parametrize(
    "line", ['{"question": "a?"', '{"question": "a?",}', '{"question": "a?", "question": "b?"}']
)
def test_item_27_bad_json_has_its_place(file, line: str) -> None:
    assert told(file(f'{{"question": "a?"}}\n{line}\n')).startswith("F:2:")


def test_item_28_one_json_array(file) -> None:
    assert answers(file('[{"question": "a?", "answer": 1},\n {"question": "b?", "answer": 2}]')) == ["1", "2"]


def test_item_29_a_line_of_20_mb(file) -> None:
    path = file(b'{"question": "' + b"x" * 20_000_000 + b'"}\n')
    assert told(path).startswith("F:1: the line is longer than 20 MB")


@pytest.mark.parametrize("name", ["q.jsonl.gz", "q.jsonl", "q.csv", "q.parquet"])
def test_item_30_content_decides_not_the_name(file, name: str) -> None:
    content = rows({"question": "a?", "answer": "1"}).encode()
    assert answers(file(gzip.compress(content) if name.endswith("gz") else content, name)) == ["1"]


@pytest.mark.parametrize("role", ["usr", "tool", "assistant"])
def test_item_32_chats_and_their_roles(file, role: str) -> None:
    good = [{"role": "system", "content": "Think."}, {"role": "user", "content": "a?"}]
    assert load_questions(file(rows({"question": good})))[0].views[0].text == tuple(good)
    assert told(file(rows({"question": [*good, {"role": role, "content": "b"}]}))).startswith("F:1 question")


def test_item_34_data_changed_since_the_run_was_started(file) -> None:
    path = file(rows(*({"question": f"{n}?", "answer": str(n)} for n in range(20))))
    plan = planned(path, "game=majority")
    plan.directory.mkdir(parents=True)
    (plan.directory / "config.yaml").write_text(dump_config(plan.config))
    (plan.directory / "inputs.json").write_text(json.dumps(digests(plan)))
    check_unchanged(plan, digests(plan))
    path.write_text(path.read_text().replace('"answer": "7"', '"answer": "8"'))
    changed = planned(path, "game=majority")
    with pytest.raises(ConfigError, match=r"data\.path .*was changed since this run was started"):
        check_unchanged(changed, digests(changed))


@pytest.mark.parametrize("setting", ["data.held_out=2", "evaluation.questions=2", "data.instruction=Think."])
def test_item_34_a_setting_that_asks_for_other_questions_is_no_change_of_their_file(file, setting) -> None:
    plan = planned(path := file(rows(*({"question": f"{n}?"} for n in range(20)))), "game=majority")
    plan.directory.mkdir(parents=True)
    (plan.directory / "config.yaml").write_text(dump_config(plan.config))
    (plan.directory / "inputs.json").write_text(json.dumps(digests(plan)))
    changed = planned(path, "game=majority", setting)
    assert digests(changed) != digests(plan)
    with pytest.raises(ConfigError) as caught:
        check_unchanged(changed, digests(changed))
    [problem] = caught.value.problems
    assert problem.where.endswith(f": {setting.partition('=')[0]}")


def test_item_35_fewer_questions_than_a_step_takes(file) -> None:
    path = file(rows(*({"question": f"{n}?", "views": [f"so {n}?"]} for n in range(6))))
    assert "8 a step, but there are 5 questions to train on — use at most 5" in refused(path)


def test_everything_wrong_with_a_file_comes_at_once_and_nothing_is_warned_of_twice(file) -> None:
    lines = ['{"question": 5}', '{"question": "a?", x}', '{"question": "b?", "colour": "red"}', '{"question": ""}']
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        message = told(file("\n".join(lines)))
    assert [line.split(" ")[0].rstrip(":") for line in message.splitlines()] == ["F:2:20", "F:1", "F:3", "F:4"]


def test_a_good_file_stays_good(file) -> None:
    path = file(rows(*({"question": f"{n}?", "answer": "1", "views": [f"so {n}?"]} for n in range(40))))
    report = validate_config(load_config(None, [f"data.path={path}", f"output.directory={path.parent}"]))
    assert report.good
    assert isinstance(load_questions(path)[0], Question)
