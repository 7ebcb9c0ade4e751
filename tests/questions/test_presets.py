"""Presets on small files in the schemas of well-known data sets; columns mapped by name."""

import csv
import json
from pathlib import Path

import pytest

from alft.answers import answer_key, grade
from alft.errors import ConfigError, DataError
from alft.questions import PRESETS, DataWarning, Question, dump_questions, load_questions

GSM8K = {"question": "How many?", "answer": "She has 1,000 + 72 = <<1000+72=1072>>1,072.\n#### 1,072"}
MATH = {
    "problem": "Compute $1/2$.", "level": "Level 1", "type": "Algebra",
    "solution": "It is $\\boxed{\\frac{1}{2}}$.",
}  # fmt: skip
MATH_500 = {**MATH, "answer": "\\frac{1}{2}", "subject": "Algebra", "unique_id": "test/algebra/1.json"}
TRIVIAQA = {
    "question": "Which city?", "question_id": "tc_1", "question_source": "x", "entity_pages": {"title": []},
    "answer": {"value": "New York City", "aliases": ["NYC", "New York City"], "normalized_value": "new york city"},
}  # fmt: skip
MMLU = {"question": "Which?", "subject": "anatomy", "choices": ["w", "x", "y", "z"], "answer": 2}
MMLU_PRO = {
    "question_id": 70,
    "question": "Which?",
    "options": list("pqrstuvwxy"),
    "answer": "J",
    "answer_index": 9,
}
GPQA = {
    "Record ID": "rec1", "Question": "Which?", "Correct Answer": " right\n", "Incorrect Answer 1": "wrong 1",
    "Incorrect Answer 2": "wrong 2", "Incorrect Answer 3": "wrong 3", "Subdomain": "Optics",
}  # fmt: skip


def load(tmp_path: Path, preset: str, *rows: dict) -> list[Question]:
    path = tmp_path / "q.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return load_questions(path, preset=preset)


def test_gsm8k(tmp_path: Path) -> None:
    asked = load(tmp_path, "gsm8k", GSM8K)[0]
    assert (asked.id, asked.views[0].text, asked.answer) == ("q1", "How many?", "1,072")


def test_math(tmp_path: Path) -> None:
    assert load(tmp_path, "math", MATH)[0].answer == "\\frac{1}{2}"
    asked = load(tmp_path, "math", MATH_500)[0]
    assert (asked.id, asked.answer) == ("test/algebra/1.json", "\\frac{1}{2}")


def test_triviaqa(tmp_path: Path) -> None:
    asked = load(tmp_path, "triviaqa", TRIVIAQA)[0]
    assert (asked.id, asked.gold) == ("tc_1", ("New York City", "NYC"))
    assert grade("nyc", asked.gold) == "right"


def test_multiple_choice(tmp_path: Path) -> None:
    asked = load(tmp_path, "multiple-choice", MMLU)[0]
    assert asked.views[0].text == "Which?\n\nA. w\nB. x\nC. y\nD. z"
    assert asked.answer == "C"
    pro = load(tmp_path, "multiple-choice", MMLU_PRO)[0]
    assert (pro.id, pro.answer) == ("70", "J")
    assert str(pro.views[0].text).endswith("\nJ. y")


def test_gpqa_from_csv_puts_the_right_option_in_a_fixed_but_not_always_the_same_place(tmp_path: Path) -> None:
    rows = [GPQA | {"Record ID": f"rec{n}", "Question": f"Which of {n}?"} for n in range(24)]
    with open(tmp_path / "gpqa.csv", "w", newline="") as stream:
        writer = csv.DictWriter(stream, list(GPQA))
        writer.writeheader()
        writer.writerows(rows)
    questions = load_questions(tmp_path / "gpqa.csv", preset="gpqa")
    assert questions == load_questions(tmp_path / "gpqa.csv", preset="gpqa")
    for asked in questions:
        assert f"\n{asked.answer}. right" in f"{asked.views[0].text}\n"
    assert {asked.answer for asked in questions} == set("ABCD")


@pytest.mark.parametrize("row", [GSM8K, MATH_500, TRIVIAQA, MMLU, GPQA])
def test_gold_grades_as_right(tmp_path: Path, row: dict) -> None:
    for name in PRESETS:
        try:
            asked = load(tmp_path, name, row)[0]
        except DataError:
            continue
        assert grade(answer_key(f"\\boxed{{{asked.answer}}}"), asked.gold) == "right"
        return
    pytest.fail("no preset reads the row")


@pytest.mark.parametrize(
    ("preset", "row", "what"),
    [
        ("gsm8k", {"question": "a?", "answer": "72"}, "'answer' does not end with '#### …'"),
        ("gsm8k", {"question": "a?"}, "preset 'gsm8k' needs 'answer'; found: question"),
        ("math", {"problem": "a?", "solution": "so 5"}, "'solution' has no closed \\boxed"),
        ("triviaqa", {"question": "a?", "answer": "x"}, "'answer' is not a map"),
        ("multiple-choice", MMLU | {"answer": 4}, "the answer is none of the choices: '4'"),
        ("multiple-choice", MMLU | {"choices": ["w"]}, "the choices are not a list of 2 to 26 texts"),
        ("multiple-choice", MMLU | {"choices": ["w", "w", "x"]}, "two choices are the same"),
        ("math", {"problem": "a?", "solution": "\\boxed{3 \\text{ or } 5}"}, "data.answers: partial keeps"),
        ("gpqa", GPQA | {"Incorrect Answer 1": "right"}, "two choices are the same"),
    ],
)
def test_rows_that_do_not_fit_have_their_place(tmp_path: Path, preset: str, row: dict, what: str) -> None:
    with pytest.raises(DataError) as caught:
        load(tmp_path, preset, row)
    assert what in str(caught.value)
    assert "q.jsonl:1" in str(caught.value)


def test_one_bad_answer_or_alias_does_not_cost_the_file(tmp_path: Path) -> None:
    trivia = TRIVIAQA | {"answer": {"value": "x", "aliases": ["?!", "y"]}}
    with pytest.warns(DataWarning, match="q.jsonl:1: aliases that can't be read are left out"):
        assert load(tmp_path, "triviaqa", trivia)[0].gold == ("x", "y")
    two = MATH | {"solution": "\\boxed{3 \\text{ or } 5}"}
    (tmp_path / "m.jsonl").write_text(json.dumps(two) + "\n" + json.dumps(MATH | {"problem": "b?"}) + "\n")
    with pytest.warns(DataWarning, match="m.jsonl:1: the answer can't be read: the question is kept without it"):
        asked = load_questions(tmp_path / "m.jsonl", preset="math", answers="partial")
    assert [question.answer for question in asked] == [None, "\\frac{1}{2}"]


def test_unknown_preset_and_columns(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean 'gsm8k'"):
        load(tmp_path, "gsm-8k", GSM8K)
    (tmp_path / "m.jsonl").write_text(json.dumps(MATH_500))
    columns = {"question": "problem", "answer": "answer", "group": "subject"}
    asked = load_questions(tmp_path / "m.jsonl", columns=columns)[0]
    assert (asked.answer, asked.group) == ("\\frac{1}{2}", "Algebra")
    with pytest.raises(DataError, match="no column 'problm' for 'question' — did you mean 'problem'"):
        load_questions(tmp_path / "m.jsonl", columns={"question": "problm"})


def test_aliases_are_kept_and_checked(tmp_path: Path) -> None:
    asked = load(tmp_path, "triviaqa", TRIVIAQA)
    dump_questions(asked, tmp_path / "again.jsonl")
    assert load_questions(tmp_path / "again.jsonl") == asked
    for row, what in [
        ({"question": "a?", "answer": "x", "aliases": "y"}, "this is not a list of texts"),
        ({"question": "a?", "answer": "x", "aliases": ["?!"]}, "no letter or digit"),
        ({"question": "a?", "aliases": ["y"]}, "there are aliases but no answer"),
    ]:
        (tmp_path / "bad.jsonl").write_text(json.dumps(row))
        with pytest.raises(DataError, match=what):
            load_questions(tmp_path / "bad.jsonl")
