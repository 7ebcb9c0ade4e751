"""Every published layout in layouts.jsonl: loaded, or recognized and named in one message; bad rows are counted.

A row has a set's name, rows as published, what reads them (`preset`: a preset, null: the set as it stands or with
`columns`, "no": nothing), the gold answer of each row that is kept (option:TEXT is the letter of that option), how
many are left out, and the first question with a text before it.
"""

import csv
import json
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow
import pytest
import yaml
from pyarrow import parquet

from alft.answers import answer_key, grade
from alft.errors import DataError, DataWarning
from alft.questions import Question, load_questions
from alft.questions.options import options_of
from alft.verbs.questions import validate

SETS = [json.loads(line) for line in (Path(__file__).parent / "layouts.jsonl").read_text("utf-8").splitlines()]


def written(folder: Path, made: Mapping[str, Any]) -> Path:
    path, rows = folder / f"q.{made['format']}", made["rows"]
    if made["format"] == "parquet":
        parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    elif isinstance(rows, str):
        path.write_text(rows, "utf-8")
    elif made["format"] == "csv":
        with open(path, "w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    elif made["format"] == "json":  # spread over lines, as data sets on GitHub are
        path.write_text(json.dumps(rows if len(rows) > 1 else rows[0], indent=1), "utf-8")
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def only_problem(path: Path, **options: Any) -> str:
    with pytest.raises(DataError) as caught:
        load_questions(path, **options)
    (problem,) = caught.value.problems
    assert problem.remedy
    return str(problem).replace(str(path), "F")


def gold(asked: Question) -> str | None:
    letters = dict(options_of(str(asked.views[0].text)))
    return f"option:{letters[str(asked.answer)]}" if asked.answer in letters else asked.answer


@pytest.mark.parametrize("made", SETS, ids=[made["set"] for made in SETS])
def test_a_published_set_loads_or_is_named_in_one_message(tmp_path: Path, made: dict[str, Any]) -> None:
    path, preset, columns = written(tmp_path, made), made["preset"], made.get("columns")
    options: dict[str, Any] = {}
    if preset == "no" or columns:
        message = only_problem(path)
        assert len(message) < 500
        if preset != "no":  # what the message says to write is what loads the set
            options = {"columns": yaml.safe_load(re.search(r"data\.columns: (\{.*?\})", message)[1])}
            assert options["columns"] == columns
        elif columns:
            options = {"columns": columns}
        else:
            return
    elif preset is not None:
        assert f"set data.preset: {preset} " in only_problem(path)
        options = {"preset": preset}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        asked = load_questions(path, **options)
    letters = any(str(answer).startswith("option:") for answer in made["gold"])
    assert [gold(one) if letters else one.answer for one in asked] == made["gold"]
    assert all(grade(answer_key(f"\\boxed{{{one.answer}}}"), one.gold) == "right" for one in asked if one.answer)
    left_out = [str(one.message) for one in caught if issubclass(one.category, DataWarning)]
    assert [re.findall(r"left out (\d+) of", text) for text in left_out] == [[str(made["left_out"])]] * bool(
        made["left_out"]
    )
    if "text" in made:
        assert made["text"] in [one.views[0].text for one in asked]


@pytest.mark.parametrize("made", [made for made in SETS if made["preset"] == "no"], ids=lambda made: made["set"])
def test_validate_shows_one_problem_for_a_layout_that_nothing_reads(tmp_path: Path, made: dict[str, Any]) -> None:
    rows = made["rows"] * 400 if made["format"] == "jsonl" else made["rows"]
    report = validate(written(tmp_path, made | {"rows": rows}))
    assert len(report.problems) == 1


def row(tmp_path: Path, preset: str, *rows: dict[str, Any], **options: Any) -> list[Question]:
    path = tmp_path / "q.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in rows), "utf-8")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        return load_questions(path, preset=preset, **options)


PAIR = {"question": "Which?", "choices": ["w", "x", "y"]}


@pytest.mark.parametrize(
    ("preset", "given", "answer"),
    [
        ("math", {"solution": r"\boxed{1} or \boxed{2}. We box \boxed."}, "2"),
        ("math", {"solution": r"First \boxed{1}.", "answer": r"$\boxed{\frac{1}{2}}$"}, r"\frac{1}{2}"),
        ("math", {"solution": r"\boxed{\text{(B)}}, so the answer is 5."}, r"\text{(B)}"),
        ("math", {"solution": r"It is \fbox{7}, and the rest is \boxed{}"}, None),
        ("math", {"solution": r"\boxed{\begin{pmatrix} 1 \\ 2 \end{pmatrix}} is the answer: 3."},
         r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}"),
        ("math", {"solution": "答案是 $\\boxed{12}$。"}, "12"),
        ("math", {"answer": "Proof", "solution": r"\boxed{4}"}, None),
        ("math", {"answer": None, "solution": r"\boxed{4}"}, "4"),
        ("math", {"answer": ["4", "5"], "solution": r"\boxed{4}"}, None),
        ("math", {"answer": 0.5}, "0.5"),
        ("math", {"answer": True}, None),
        ("math", {"Answer": 7.0}, "7"),
    ],
)  # fmt: skip
def test_gold_of_problems(tmp_path: Path, preset: str, given: dict[str, Any], answer: str | None) -> None:
    """K2: a row whose gold can't be known is left out, never read from prose."""
    good = {"problem": "Find 1.", "answer": "1"}
    asked = row(tmp_path, preset, good, {"problem": "Find it."} | given)
    assert [one.answer for one in asked] == ["1"] + [answer] * (answer is not None)


@pytest.mark.parametrize(
    ("given", "answer"),
    [
        ({"answer": "2"}, None),  # from 0, or from 1?
        ({"answer": 2}, "C"),
        ({"answer": [1]}, "B"),
        ({"answer": -1}, None),
        ({"label": "b"}, "B"),
        ({"gold": "(C)"}, "C"),
        ({"answer": "x "}, "B"),
        ({"answer": 2.0}, "C"),
        ({"answer": 3}, None),
        ({"choices": ["w", "x", None], "answer": 0}, None),
        ({"choices": ["w", "W ", "w"], "answer": 0}, None),
        ({"choices": "w | x | y", "answer": 0}, None),
        ({"choices": {"A": "w", "B": "x"}, "answer": "x"}, "B"),
        ({"choices": [{"text": "w", "label": "A"}, {"text": "x", "label": "B"}], "answer": "B"}, "B"),
        ({"choices": {"text": ["w", "x"], "labels": [0, 1]}}, "option:x"),
        ({"choices": None, "A": "ä", "B": "ö", "C": "", "D": None, "answer": "B"}, "B"),
        ({"choices": None, "A": "w", "C": "x", "answer": "A"}, None),
        ({"choices": None, "option1": "w", "option2": "x", "answer": 1}, None),
        ({"choices": None, "correct_answer": "x", "distractor1": "w", "distractor2": "v"}, "option:x"),
    ],
)
def test_gold_among_choices(tmp_path: Path, given: dict[str, Any], answer: str | None) -> None:
    """K20: no choice is guessed, and one bad row does not cost the others."""
    good = {"question": "Good?", "options": {"A": "one", "B": "two"}, "answer": "A"}
    fields = {name: value for name, value in (PAIR | given).items() if name != "choices" or value is not None}
    _, *asked = row(tmp_path, "multiple-choice", good, fields)
    found = [gold(one) if str(answer).startswith("option:") else one.answer or "" for one in asked]
    assert found == [answer] * (answer is not None)


@pytest.mark.parametrize(
    ("labels", "letters"),
    [(("0", "1"), "AB"), (("1", "2"), "AB"), (("2", "1", "2"), "BAB"), (("1", "1"), None), ((1, 0, 1), "BAB")],
)
def test_numbers_of_choices_count_from_what_the_file_shows(tmp_path: Path, labels: tuple, letters: str) -> None:
    rows = [{"goal": f"How {n}?", "sol1": "w", "sol2": "x", "label": label} for n, label in enumerate(labels)]
    if letters is None:
        with pytest.raises(DataError, match="whether numbers count from 0 or 1"):
            row(tmp_path, "multiple-choice", *rows)
    else:
        assert "".join(str(one.answer) for one in row(tmp_path, "multiple-choice", *rows)) == letters


@pytest.mark.parametrize(
    ("given", "golds"),
    [
        ({"answer": ["a", "b", "a"]}, ("a", "b")),
        ({"answer": '["a", "b"]'}, ("a", "b")),
        ({"answer": "[1, 2]"}, ("[1, 2]",)),
        ({"answer": {"text": ["a"], "answer_start": [0]}}, ("a",)),
        ({"answer": {"value": "a", "aliases": ["A.", "b"]}}, ("a", "A.", "b")),
        ({"answer": {"number": "", "spans": [], "date": {}}}, None),
        ({"answer": '[{"input": "1"}]'}, None),
        ({"answer": []}, None),
        ({"answer": ["", "a"]}, None),
        ({"answer": False}, ("no",)),
        ({"answer": "a", "context": [["one"]]}, None),
        ({"answer": "a", "passage": ""}, ("a",)),
        ({"answers": ["München"]}, ("München",)),
    ],
)
def test_short_answers(tmp_path: Path, given: dict[str, Any], golds: tuple[str, ...] | None) -> None:
    good = {"question": "Good?", "answer": "a"}
    _, *asked = row(tmp_path, "short-answer", good, {"question": "Which?"} | given)
    assert [one.gold for one in asked] == [golds] * (golds is not None)


@pytest.mark.parametrize(
    "answer",
    [
        "$18",
        "18 eggs",
        "18.00",
        "18 (eggs)",
        r"\$18",
        "eighteen eggs",
        "18 or 19",
        "18 million",
        "18 Dozen",
        "18 (thousands)",
    ],
)
def test_units_of_gold_and_of_answers(tmp_path: Path, answer: str) -> None:
    """K9: what counts is the number, in the gold answer as in a completion; what is no number is left out."""
    rows = [{"body": "Ann has eggs.", "question": f"How many {n}?", "answer": "18"} for n in range(2)]
    asked = row(tmp_path, "svamp", *rows, {"body": "Ann.", "question": "And?", "answer": answer})
    policy = validate_policy("svamp")
    for one in asked[2:]:
        assert grade("18", one.gold, policy) == "right"
        assert grade("19", one.gold, policy) == "wrong"
    others = ("eighteen eggs", "18 or 19", "18 million", "18 Dozen", "18 (thousands)")
    assert len(asked) == (2 if answer in others else 3)


def validate_policy(preset: str) -> Any:
    from alft.config.answers import AnswersConfig
    from alft.questions import PRESETS

    return AnswersConfig.model_validate(dict(PRESETS[preset].answers)).policy.keys


def test_objects_over_several_lines_are_rows(tmp_path: Path) -> None:
    one, two = {"question": "a?", "answer": "1"}, {"question": "b?", "answer": "2"}
    path = tmp_path / "q.json"
    path.write_text(json.dumps(one, indent=2) + "\n" + json.dumps(two, indent=2) + "\n", "utf-8")
    assert [(asked.views[0].text, asked.where.rpartition(":")[2]) for asked in load_questions(path)] == [
        ("a?", "1"), ("b?", "5"),
    ]  # fmt: skip
    path.write_text(json.dumps(one, indent=2) + "\n]\n", "utf-8")
    with pytest.raises(DataError, match=r"q\.json:4:2: bad JSON: expected \{"):
        load_questions(path)


def test_problem_files_of_a_folder_are_rows(tmp_path: Path) -> None:
    for number in range(3):
        path = tmp_path / "train" / "algebra" / f"{number}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        fields = {
            "problem": f"Find {number}.",
            "level": "Level 1",
            "type": "A",
            "solution": f"\\boxed{{{number}}}",
        }
        path.write_text(json.dumps(fields, indent=4), "utf-8")
    assert [one.answer for one in load_questions(tmp_path, preset="math", subset="algebra")] == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("q.jsonl", '{"question": ["a?", "b?"], "answer": ["1", "2"]}', "as a list for each column"),
        ("q.jsonl", '{"features": [], "rows": [{"question": "a?"}]}', "if the questions are in 'rows'"),
        ("q.csv", "question|answer\na?|3\n", "separated by bars"),
        ("q.parquet", "version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
        ("q.jsonl", "SQLite format 3\0", "write it as JSONL"),
    ],
)
def test_a_file_that_holds_no_rows_says_what_it_is(tmp_path, name, content, what) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=what):
        load_questions(tmp_path / name)


def test_two_parquet_columns_of_one_name_are_refused(tmp_path) -> None:
    columns = [pyarrow.array([text]) for text in ("a?", "1", "2")]
    parquet.write_table(
        pyarrow.Table.from_arrays(columns, names=["question", "answer", "answer"]), tmp_path / "q.parquet"
    )
    with pytest.raises(DataError, match="two columns are named answer"):
        load_questions(tmp_path / "q.parquet")


def test_what_a_preset_leaves_unread_is_named(tmp_path) -> None:
    row = {"text": "A passage.", "question": "Which?", "options": ["one", "two"], "answer": 1}
    (tmp_path / "q.jsonl").write_text(
        json.dumps(row) + "\n" + json.dumps({**row, "question": "Who?", "answer": 0})
    )
    with pytest.warns(DataWarning, match="'text' is not read"):
        load_questions(tmp_path / "q.jsonl", preset="multiple-choice")


def test_gold_answers_that_are_solutions_are_named(tmp_path) -> None:
    row = {
        "question": "3+4?",
        "answer": "Adding 3 and 4 we get 7. Therefore the sum is 7, which is the answer to it.",
    }
    (tmp_path / "q.jsonl").write_text(json.dumps(row))
    with pytest.warns(DataWarning, match="as long as a solution"):
        load_questions(tmp_path / "q.jsonl")
