"""`alft validate` finds everything at once, without a model, and counts what there is."""

import json
from dataclasses import replace

import pytest

import alft
from alft.config.load import load_config
from alft.errors import ConfigError
from alft.plan.build import load_plan
from alft.plan.questions import evaluation_questions, gold_problems
from alft.plan.validation import Summary, summary_of, validate_config, validate_questions
from alft.questions import DataWarning, Question, View
from alft.reporting.terminal import questions_table


def write(tmp_path, *rows):
    path = tmp_path / "q.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def questions_report(tmp_path, *rows, **settings):
    path = write(tmp_path, *rows)
    return validate_questions(load_config(None, [f"data.path={path}"]))


def told(problems) -> list[str]:
    return [str(problem).replace(problem.where.split(":")[0], "F", 1) for problem in problems]


def ask(answer: str, text: str = "a?", **view) -> Question:
    return Question("q", (View(text, "view 1", **view),), answer)


def test_the_demonstration_is_good() -> None:
    report = validate_config(load_config(None, ["output.directory=nowhere"]))
    assert report.good
    assert (report.train.questions, report.train.views, report.overlap) == (480, {4: 480}, 0)
    assert report.held_out == Summary(128, {4: 128}, {"number": 128}, {}, 0)


def test_all_problems_of_data_views_and_configuration_come_together(tmp_path) -> None:
    rows = [{"question": f"{n}?", "answer": "1", "views": [f"really {n}?"]} for n in range(20)]
    rows[3]["answer"] = "5 or 6"
    rows[4]["views"] = ["really 5?"]
    settings = [
        f"data.path={write(tmp_path, *rows)}",
        f"output.directory={tmp_path}",
        "game=nothing",
        "model.path=./nowhere",
        "training.samples=2",
    ]
    report = validate_config(load_config(None, settings))
    found = " | ".join(map(str, report.problems))
    assert not report.good
    assert "nothing" in found
    assert "'./nowhere' holds no config.json" in found
    assert r"q.jsonl:4 question 'q4' answer: a completion with \boxed{5 or 6} is not right: several" in found
    assert told(report.suspects) == [
        "F:5 question 'q5', view 2: numbers differ from view 1: 5 instead of 4 — fix the view, or leave it out"
    ]


@pytest.mark.parametrize(
    ("question", "what"),
    [
        (ask("5 or 6"), r"a completion with \boxed{5 or 6} is not right: several answers in the mark"),
        (ask("C", "Which?\nA. one\nB. two"), "the answer is C, and the options are A, B"),
        (
            ask("A", answer_map={"A": "B", "B": "C"}),
            "no answer of this view is pulled back to the gold answer 'A'",
        ),
    ],
)
def test_gold_that_no_completion_can_hit(question: Question, what: str) -> None:
    assert [problem.what for problem in gold_problems([question])] == [what]


@pytest.mark.parametrize(
    "question",
    [
        ask("1,072"),
        ask(r"\frac{1}{2}"),
        ask("New York City"),
        ask("(1, 2]"),
        ask("B", "Which?\nA. one\nB. two"),
        ask("A", answer_map={"A": "B", "B": "A"}),
        ask("yes", answer_map={"A": "yes", "B": "no"}),
        ask("Amelia is a hero, and Elizabeth is a villain."),
    ],
)
def test_gold_that_can_be_hit(question: Question) -> None:
    assert list(gold_problems([question])) == []


def test_one_text_with_two_answers(tmp_path) -> None:
    rows = [{"question": "a?", "answer": "1"}, {"question": "b?", "answer": "2", "views": ["a?"]}]
    assert told(questions_report(tmp_path, *rows).problems) == [
        "F:2 question 'q2': the same text as question 'q1', with another answer ('1') "
        "— fix the answer, or leave one out"
    ]
    rows[1]["answer"] = "1.0"
    assert questions_report(tmp_path, *rows).good


def test_warnings_of_reading_are_notes(tmp_path) -> None:
    report = questions_report(tmp_path, {"question": "a?", "views": ["a ?", "a  ?"]})
    assert told(report.notes) == ["F:1 views[1]: the same text as 'view 2': left out"]
    assert report.good


def test_a_file_that_cannot_be_read_is_one_report(tmp_path) -> None:
    report = questions_report(tmp_path, {"question": 5}, {"question": ""})
    assert len(report.problems) == 2
    assert report.train == Summary()


def test_counts() -> None:
    views = (View("1+1?", "view 1"), View("One and one?", "view 2"))
    asked = [
        Question("a", views, "2", group="g"),
        Question("b", views[:1], None),
        Question("c", (View("Which?", "view 1"),), "B"),
        Question("d", (View("which?", "view 1"),), "2.0"),
    ]
    assert summary_of(asked) == Summary(
        questions=4,
        views={1: 3, 2: 1},
        answers={"number": 2, "none": 1, "option": 1},
        groups={"none": 3, "g": 1},
        duplicates=2,
    )


def test_the_overlap_is_counted(tmp_path) -> None:
    path = write(tmp_path, *({"question": f"{n}?", "views": [f"so {n}?"]} for n in range(9)))
    settings = [f"data.path={path}", f"data.eval_path={path}", f"output.directory={tmp_path}"]
    report = validate_config(load_config(None, settings))
    assert report.overlap == 9
    assert questions_table(report.to_json()).row_count == 6
    assert report.to_json()["overlap"] == 9


def test_a_reader_that_does_not_load_is_reported_beside_everything_else(tmp_path):
    """`alft.validate` raises nothing for wrong input, and names all problems at once."""
    questions = tmp_path / "questions.jsonl"
    questions.write_text('{"question": "1 + 1?", "answer": "2"}\n{"question": "1 + 1?", "answer": "3"}\n')
    wrong = ["answers.reader=missing.py:read"]
    for report in (alft.validate(questions, wrong), alft.validate({"data": {"path": str(questions)}}, wrong)):
        told = [problem.what for problem in report.problems]
        assert any("missing.py" in what for what in told)
        assert any("with another answer" in what for what in told)


@pytest.mark.parametrize("more", [["data.held_out=2"], ["data.held_out=2", "data.bad_rows=drop"]])
def test_a_label_that_is_never_right_is_an_error_of_every_verb_or_left_out(tmp_path, more) -> None:
    rows = [{"question": f"{n}?", "answer": f"{n}"} for n in range(19)]
    rows[1]["answer"] = rows[18]["answer"] = "5 or 6"
    rows[2] |= {"question": "3?"}
    settings = [f"data.path={write(tmp_path, *rows)}", "game=majority", f"output.directory={tmp_path}", *more]
    if "data.bad_rows=drop" in more:
        with pytest.warns(DataWarning, match="3 of 19 questions left out"):
            assert len(evaluation_questions(load_config(None, settings))) == 2
        return
    report = validate_config(load_config(None, settings))
    with pytest.raises(ConfigError) as planned:
        load_plan(None, settings)
    assert planned.value.problems == report.problems
    assert len(report.problems) == 3
    with pytest.raises(ConfigError, match=r"q19.*several"):
        alft.evaluate(overrides=settings)


def test_an_alias_that_no_box_can_say_does_no_harm_beside_one_that_it_can() -> None:
    aliased = Question("q", (View("a?", "view 1"),), "5 or 6", aliases=("5", "6 or 5"))
    assert not any(gold_problems([aliased]))
    assert len([*gold_problems([replace(aliased, aliases=("6 or 5",))])]) == 2
