"""Published sets load as published: rows that can't be used, other layouts, nested columns, known schemas."""

import json
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet

from alft.answers import answer_key, grade
from alft.config.answers import AnswersConfig
from alft.errors import DataError
from alft.questions import PRESETS, DataWarning, load_questions
from tests.questions.test_presets import GPQA, GSM8K, MATH, MATH_500, MMLU, MMLU_PRO, TRIVIAQA, load

SENTENCES = (
    "so our answer is correct.", "so the answer is positive.", "Hence the answer is clear by symmetry.",
    "(The answer is in lowest terms.)", "A common wrong answer: 41 (forgetting the last one).",
    "Is it a coincidence that the answer is 24?", "The final answer is unique, as you can check.",
)  # fmt: skip


@pytest.mark.parametrize("sentence", SENTENCES)
@pytest.mark.parametrize(
    ("box", "gold"),
    [
        (r"$\boxed{-5}$", "-5"),
        (r"first $\boxed{3}$, then \fbox{\frac{130}{231}}", r"\frac{130}{231}"),
        (r"\boxed{\left\{ 1, \text{or so} \right\}}", r"\left\{ 1, \text{or so} \right\}"),
        (r"\boxed{\boxed{64}}", "64"),
        (r"$\boxed 20$", "20"),
        (r"\boxed \frac{1}{2}$", r"\frac{1}{2}"),
    ],
)
def test_gold_of_a_solution_is_its_last_box_never_prose(
    tmp_path: Path, box: str, gold: str, sentence: str
) -> None:
    row = {"problem": "Find it.", "solution": f"We see that {box}. {sentence}"}
    assert load(tmp_path, "math", row)[0].answer == gold


@pytest.mark.parametrize(
    ("solution", "why"),
    [
        (r"It is \boxed{}.", "the last box of 'solution' is empty"),
        (r"It is \boxed{ \text{} }, so the answer is 5.", "the last box of 'solution' is empty"),
        (r"It is \boxed{5} and then \boxed{}.", "the last box of 'solution' is empty"),
        (r"It is \boxed{-2 \text{ or } -12}.", "the answer can't be read in a completion"),
        (r"It is \boxed{7", "no closed"),
        ("Proof by symmetry: the answer is clear.", "no closed"),
        (r"We used \boxed as requested.", "no closed"),
        (" ", "'solution' is not a text, or is empty"),
    ],
)
def test_a_published_row_that_can_not_be_used_is_left_out_and_counted(
    tmp_path: Path, solution: str, why: str
) -> None:
    good = [{"problem": f"Find {n}.", "solution": f"\\boxed{{{n}}}"} for n in range(3)]
    rows = [*good[:2], {"problem": "bad", "solution": solution}, good[2]]
    with pytest.warns(DataWarning) as caught:
        asked = load(tmp_path, "math", *rows)
    message = str(caught[0].message)
    assert [question.answer for question in asked] == ["0", "1", "2"]
    assert "left out 1 of 4 rows" in message
    assert why in message
    assert "q.jsonl:3)" in message
    with pytest.raises(DataError, match=r"q\.jsonl:3: preset 'math'"):
        load_questions(tmp_path / "q.jsonl", preset="math", bad_rows="error")


def test_left_out_rows_are_counted_by_kind_with_their_first_places(tmp_path: Path) -> None:
    rows = [MMLU | {"question": f"{n}?"} for n in range(20)]
    for place in (3, 5, 8, 13):
        rows[place] = rows[place] | {"choices": ["w", "x ", "x", "z"]}
    rows[10] |= {"answer": 7}
    rows[11] |= {"choices": ["w", "", "y", "z"]}
    with pytest.warns(DataWarning) as caught:
        asked = load(tmp_path, "multiple-choice", *rows)
    message = str(caught[0].message).replace(str(tmp_path / "q.jsonl"), "F")
    assert len(asked) == 14
    assert message == (
        "F: left out 6 of 20 rows that can't be used: 4 two choices are the same (F:4, F:6, F:9, …); "
        "1 the answer is none of the choices (F:11); 1 the choices are not a list of 2 to 26 texts (F:12)"
        " — data.bad_rows: error stops instead"
    )


def test_rows_of_ones_own_are_errors_unless_they_may_be_left_out(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    lines = ['{"question": "a?", "answer": "1"}', '{"question": "", "answer": "2"}', '{"question": "b?"}', "{",
             '{"question": "c?", "answer": "?!"}', '{"question": "d\\u0000?", "answer": "4"}']  # fmt: skip
    path.write_text("\n".join(lines))
    with pytest.raises(DataError) as caught:
        load_questions(path)
    assert {problem.where.replace(str(path), "F").split(" ")[0] for problem in caught.value.problems} == {
        "F:2", "F:3", "F:4:2", "F:5", "F:6",
    }  # fmt: skip
    with pytest.warns(DataWarning, match="left out 5 of 6 rows"):
        assert [asked.id for asked in load_questions(path, bad_rows="drop")] == ["q1"]


def test_a_set_without_a_usable_row_or_a_damaged_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="two choices are the same"):
        load(tmp_path, "multiple-choice", *[MMLU | {"choices": ["w", "w"]}] * 3)
    with pytest.raises(DataError, match=r"this looks like MATH — set data\.preset: math"):
        load(tmp_path, "gsm8k", MATH, MATH)
    (tmp_path / "q.jsonl").write_bytes(json.dumps(GSM8K).encode() + b'\n{"question": "\xff"}\n')
    with pytest.raises(DataError, match="not UTF-8"):
        load_questions(tmp_path / "q.jsonl", preset="gsm8k")


SVAMP = {"ID": "chal-1", "Body": "Ann has 5 pens.", "Question": "How many?", "Equation": "( 5.0 )", "Answer": 5.0}
ARC = {
    "id": "M_1", "question": "Which?", "answerKey": "1",
    "choices": {"text": ["w", "x", "y"], "label": ["1", "2", "3"]},
}  # fmt: skip
VERL = {
    "data_source": "sums", "prompt": [{"role": "user", "content": "How many?"}], "ability": "math",
    "reward_model": {"style": "rule", "ground_truth": "5"}, "extra_info": {"index": 0, "split": "train"},
}  # fmt: skip


@pytest.mark.parametrize(
    ("preset", "row", "identity", "gold"),
    [
        ("svamp", SVAMP, "chal-1", "5"),
        ("svamp", SVAMP | {"Answer": "145.00", "question_concat": "Ann has 5 pens. How many?"}, "chal-1", "145"),
        ("svamp", SVAMP | {"Answer": 2.5}, "chal-1", "2.5"),
        ("gsm8k", {"question": "Wie viele?", "answer": None, "answer_number": 18}, "q1", "18"),
        ("multiple-choice", ARC, "M_1", "A"),
        ("multiple-choice", ARC | {"answerKey": "3"}, "M_1", "C"),
        ("multiple-choice", {"question_stem": "W?", **{k: ARC[k] for k in ("choices", "answerKey")}}, "q1", "A"),
        ("multiple-choice", {"question": "W?", "options": {"A": "4", "B": "1"}, "answer": "1"}, "q1", "B"),
        ("multiple-choice", {"question": "W?", "options": ["1", "0"], "answer": "1"}, "q1", "A"),
        ("multiple-choice", {"question": "W?", "options": ["1", "0"], "answer": 1}, "q1", "B"),
        ("verl", VERL, "q1", "5"),
        ("verl", VERL | {"reward_model": {"ground_truth": {"target": ["5", "five"]}}}, "q1", "5"),
    ],
)
def test_other_published_layouts(tmp_path: Path, preset: str, row: dict, identity: str, gold: str) -> None:
    asked = load(tmp_path, preset, row)[0]
    assert (asked.id, asked.answer) == (identity, gold)
    assert grade(answer_key(f"\\boxed{{{gold}}}"), asked.gold) == "right"


def test_a_split_published_without_answers_is_read_without_them(tmp_path: Path) -> None:
    hidden = {"value": "<unk>", "aliases": [], "normalized_value": "<unk>"}
    rows = [TRIVIAQA | {"question_id": f"tc_{n}", "answer": hidden} for n in range(3)]
    assert [asked.gold for asked in load(tmp_path, "triviaqa", *rows)] == [()] * 3
    assert load(tmp_path, "multiple-choice", ARC | {"answerKey": ""})[0].answer is None


def test_svamp_from_parquet_with_floating_point_answers(tmp_path: Path) -> None:
    table = pyarrow.Table.from_pylist([SVAMP, SVAMP | {"ID": "chal-2", "Answer": 0.5}])
    parquet.write_table(table, tmp_path / "s.parquet")
    assert [asked.answer for asked in load_questions(tmp_path / "s.parquet", preset="svamp")] == ["5", "0.5"]


@pytest.mark.parametrize(
    ("row", "title", "preset"),
    [
        (GSM8K, "GSM8K", "gsm8k"),
        (MATH, "MATH", "math"),
        (MATH_500, "MATH", "math"),
        (TRIVIAQA, "TriviaQA", "triviaqa"),
        (MMLU, "multiple choice", "multiple-choice"),
        (MMLU_PRO, "multiple choice", "multiple-choice"),
        (ARC, "multiple choice", "multiple-choice"),
        (GPQA, "GPQA", "gpqa"),
        (SVAMP, "SVAMP", "svamp"),
        (VERL, "data for verl", "verl"),
    ],
)
def test_a_known_layout_without_its_preset_is_recognized_in_one_line(
    tmp_path: Path, row: dict, title: str, preset: str
) -> None:
    rows = [row] * 1_319 if row is GSM8K else [row, row, {"question": "odd?"}]
    path = tmp_path / "q.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in rows))
    with pytest.raises(DataError) as caught:
        load_questions(path)
    (problem,) = caught.value.problems
    assert f"this looks like {title}" in problem.what
    assert problem.remedy.startswith(f"set data.preset: {preset} ")


def test_questions_of_ones_own_are_not_taken_for_a_known_layout(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    for row in (
        {"question": "What does #### mark?", "answer": "the end"},
        {"question": "Which?\nA. one\nB. two", "answer": "A", "metadata": {"choices": ["one", "two"]}},
        {"question": [{"role": "user", "content": "a?"}], "answer": "5", "views": ["b?"]},
    ):
        path.write_text(json.dumps(row))
        assert load_questions(path)[0].answer == row["answer"]


def test_columns_add_to_the_fields_and_reach_into_nested_ones(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    nested = {"ground_truth": "7", "style": "rule"}
    row = {"id": "x", "question": "a?", "gold": "4", "answer": "a long solution", "source": "web",
           "reward_model": nested, "extra_info": {"answer": ["1", "2"]}, "a.b": "9"}  # fmt: skip
    path.write_text(json.dumps(row))
    for column, gold in [
        ("gold", "4"),
        ("reward_model.ground_truth", "7"),
        ("extra_info.answer.1", "2"),
        ("a.b", "9"),
    ]:
        asked = load_questions(path, columns={"answer": column})[0]
        assert (asked.id, asked.views[0].text, asked.answer) == ("x", "a?", gold)
    for column, remedy in [
        ("gld", "did you mean 'gold'"),
        ("reward_model.truth", "fields of 'reward_model': ground_truth, style"),
        ("extra_info.answer.5", "fields of 'extra_info': answer"),
    ]:
        with pytest.raises(DataError, match=f"no column '{column}' for 'answer' — {remedy}"):
            load_questions(path, columns={"answer": column})


def test_columns_and_a_preset_together(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text(json.dumps({"text": "Find it.", "meta": {"worked": "so \\boxed{3}"}, "level": 1}))
    columns = {"problem": "text", "solution": "meta.worked"}
    assert load_questions(path, preset="math", columns=columns)[0].answer == "3"
    arc = {"question": "Which?", "c": {"text": ["w", "x"]}, "key": "B"}
    path.write_text(json.dumps(arc))
    columns = {"choices": "c.text", "answer": "key"}
    assert load_questions(path, preset="multiple-choice", columns=columns)[0].answer == "B"
    path.write_text(json.dumps(arc | {"key": "1"}))  # from 0, or from 1?
    with pytest.raises(DataError, match="the answer is none of the choices: '1'"):
        load_questions(path, preset="multiple-choice", columns=columns)


@pytest.mark.parametrize("name", ["solution", "gold", "label", "ground_truth", "target", "anwser"])
def test_the_usual_names_of_gold_are_offered(tmp_path: Path, name: str) -> None:
    (tmp_path / "q.jsonl").write_text(json.dumps({"question": "a?", name: "5"}))
    with pytest.raises(DataError, match=f"unknown field '{name}' — did you mean 'answer'?"):
        load_questions(tmp_path / "q.jsonl")
    with pytest.raises(DataError, match=f"set data.columns: {{answer: {name}}}"):
        load_questions(tmp_path / "q.jsonl", answers="required")


def test_identical_problems_collapse(tmp_path: Path) -> None:
    (tmp_path / "q.jsonl").write_text(json.dumps({"question": "a?", "colour": "red"}) + "\n")
    (tmp_path / "q.jsonl").write_text((tmp_path / "q.jsonl").read_text() * 1_319)
    with pytest.raises(DataError) as caught:
        load_questions(tmp_path / "q.jsonl")
    (problem,) = caught.value.problems
    assert str(problem).endswith(
        "q.jsonl: unknown field 'colour' — ignore what is not needed by data.columns: {question: question}; "
        "put other data under 'metadata'"
    )
    assert load_questions(tmp_path / "q.jsonl", columns={"question": "question"})[0].views[0].text == "a?"


def test_the_reading_that_gold_needs_is_data_of_the_preset() -> None:
    for preset in PRESETS.values():
        known = {name: value for name, value in preset.answers.items() if name in AnswersConfig.model_fields}
        AnswersConfig.model_validate(known)
    policy = AnswersConfig(units="drop", percent="drop").policy.keys
    assert {name: PRESETS["gsm8k"].answers[name] for name in ("units", "percent")} == {
        "units": policy.units,
        "percent": policy.percent,
    }
    for said in ("18 eggs", "$18", "18 dollars", r"18\text{ hours}", r"18\%"):
        assert grade(said, ("18",), policy) == "right"


def test_aqua_has_its_letters_in_its_options(tmp_path) -> None:
    path = tmp_path / "q.jsonl"
    row = {"question": "How far?", "options": ["A)21", "B)21.5", "C)22"], "rationale": "So B.", "correct": "B"}
    path.write_text(json.dumps(row), "utf-8")
    [question] = load_questions(path, preset="multiple-choice")
    assert question.answer == "B"
    assert question.views[0].text == "How far?\n\nA. 21\nB. 21.5\nC. 22"


def test_other_right_answers_are_read(tmp_path: Path) -> None:
    row = {"question": "When?", "answer": "1913", "answer_aliases": ["in 1913"], "paragraphs": []}  # MuSiQue
    path = tmp_path / "q.jsonl"
    path.write_text(json.dumps(row))
    [question] = load_questions(path, preset="short-answer")
    assert question.aliases == ("in 1913",)
