"""Answered questions before every question (few-shot): what is shown, what is left out, what is an error."""

import json
from dataclasses import replace

import pytest

import alft
from alft.config.load import load_config
from alft.errors import ConfigError, DataError
from alft.plan.build import load_plan
from alft.plan.questions import all_questions
from alft.questions import (
    DataWarning,
    Question,
    View,
    digest,
    dump_questions,
    load_questions,
    pull_back,
    with_examples,
)
from alft.training.dataset import to_dataset

BOX = "\\boxed{{{}}}"


@pytest.fixture
def asked(tmp_path):
    """The questions of a plan, with examples and other settings."""

    def write(name, rows):
        path = tmp_path / f"{name}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    def plan(examples, *settings, rows=None):
        rows = rows or [{"question": f"What is {n}?", "answer": str(n)} for n in range(8)]
        where = {"path": write("q", rows), "examples": write("shown", examples)}
        data = [f"data.{name}={path}" for name, path in where.items()]
        fixed = ["training.questions_per_step=2", "data.held_out=2", f"output.directory={tmp_path / 'runs'}"]
        return load_plan(load_config(None, ["model.path=tiny", *data, *fixed, *settings]))

    return plan


SHOWN = [{"question": "What is 1 + 1?", "answer": BOX.format(2)}, {"question": "Two?", "answer": BOX.format(2)}]


def test_a_chat_shows_turns_with_the_instruction_after_the_system_prompt(asked):
    plan = asked(SHOWN, "game=majority", "data.instruction=Box it.", "data.system_prompt=Brief.")
    for question in [*plan.train, *plan.held_out]:
        [view] = question.views
        assert [message["role"] for message in view.prompt] == ["system", *["user", "assistant"] * 2, "user"]
        assert [message["content"] for message in view.prompt][:5] == [
            "Brief.", "What is 1 + 1?\nBox it.", BOX.format(2), "Two?\nBox it.", BOX.format(2),
        ]  # fmt: skip
        assert view.prompt[-1]["content"] == f"What is {question.answer}?\nBox it."


def test_plain_shows_lines_and_views_show_their_own_wording(asked):
    settings = ["model.chat=plain", "data.instruction=", "data.views=['Q: {question}']"]
    question = asked(SHOWN, *settings).train[0]
    texts = [view.prompt for view in question.views]
    ends = "What is 1 + 1? \\boxed{2}\nTwo? \\boxed{2}\nWhat is 0?"
    assert texts == [ends, "Q: What is 1 + 1? \\boxed{2}\nQ: Two? \\boxed{2}\nQ: What is 0?"]


def test_longer_examples_are_apart_and_other_options_are_not_shown():
    first = View("Which?\nA. one\nB. two", "view 1")
    shown = Question("b", (first, View("Which?\nA. two\nB. one", "options BA")), "A")
    question = Question("a", (View("Who?\nA. me\nB. you", "options BA"), View("Who? ", "view 1")), "A")
    texts = [view.prompt for view in with_examples(question, [shown], plain=True).views]
    assert texts == [f"{first.text}\nA\n\nWho?\nA. me\nB. you", f"{first.text}\nA\n\nWho? "]
    assert [view.answer_map for view in with_examples(question, [shown]).views] == [
        view.answer_map for view in question.views
    ]
    assert with_examples(question, []) is question


def test_a_question_that_is_shown_is_left_out(asked):
    with pytest.warns(DataWarning, match=r"shown.jsonl: 1 question shown as an example: left out"):
        plan = asked([{"question": "what is  3?", "answer": BOX.format(3)}], "game=majority")
    assert "3" not in {question.answer for question in plan.train}
    assert len(plan.train) == 5


@pytest.mark.parametrize(
    ("examples", "settings", "told"),
    [
        ([{"question": "What?", "answer": "two"}], [], r"shown.jsonl:1 .*'two' is unread: no marked"),
        ([{"question": "What?"}], [], "no row has the field 'answer'"),
        ([], [], "shown.jsonl: 0 rows"),
        ([{"question": "What?", "answer": "two"}], ["data.views=[nonsense]"], r"nonsense"),
    ],
)  # fmt: skip
def test_examples_that_can_not_be_shown(asked, examples, settings, told):
    with pytest.raises(ConfigError, match=told):
        asked(examples, "game=majority", *settings)


def test_questions_are_checked_with_the_examples_that_their_configuration_shows(tmp_path, asked):
    asked(SHOWN, "game=majority")
    run = {"data": {"examples": str(tmp_path / "shown.jsonl")}}
    questions = tmp_path / "q.jsonl"
    assert alft.validate(questions, config=run).good
    (tmp_path / "shown.jsonl").write_text('{"question": "What?", "answer": "two"}')
    [problem] = alft.validate(questions, config=run).problems
    assert "'two' is unread" in str(problem)


def test_all_problems_come_at_once(asked):
    with pytest.raises(ConfigError) as caught:
        asked([{"question": "What?", "answer": "two"}], rows=[{"question": "Why?", "answr": "3"}])
    told = str(caught.value)
    assert "answr" in told
    assert "'two' is unread" in told


def test_examples_are_read_as_the_run_reads(asked):
    plan = asked([{"question": "What?", "answer": "two"}], "game=majority", r"answers.pattern='^\s*(\S[^\n]*)'")
    assert plan.train[0].views[0].prompt[1] == {"role": "assistant", "content": "two"}


def test_views_are_written_without_examples(asked):
    plan = asked(SHOWN, "game=majority")
    assert all_questions(plan.config)[0].views[0].text == "What is 0?"


def test_a_dataset_for_trl_shows_them_too():
    shown = Question("b", (View("Two?", "view 1"),), "2!")
    asked = Question("a", (View("One?", "view 1"),), "1")
    [row] = to_dataset([asked], instruction="Shout.", examples=[shown]).to_list()
    assert [message["content"] for message in row["prompt"]] == ["Two?\nShout.", "2!", "One?\nShout."]
    assert (row["answer"], row["question_id"]) == ("1", "a")
    [row] = to_dataset([asked], examples=[shown], chat=False).to_list()
    assert row["prompt"] == "Two? 2!\nOne?"


CHAT = [{"role": "system", "content": "Brief."}, {"role": "user", "content": "What is 9?"}]


def test_chat_questions_keep_their_messages(asked):
    rows = [
        {"question": CHAT, "answer": "9"},
        *({"question": f"What is {n}?", "answer": str(n)} for n in range(8)),
    ]
    for chat in ("plain", "auto"):  # plain: a model without a template refuses messages later on
        first = (
            asked(SHOWN, "game=majority", "data.instruction=", f"model.chat={chat}", rows=rows).train[0].views[0]
        )
        assert [message["content"] for message in first.prompt] == [
            "Brief.", "What is 1 + 1?", BOX.format(2), "Two?", BOX.format(2), "What is 9?",
        ]  # fmt: skip


def test_options_of_an_example_are_not_the_question_s(asked):
    shown = [{"question": "Which?\nA. red\nB. blue", "answer": "A"}]
    settings = ["model.chat=plain", "data.instruction=", r"answers.pattern='^\s*(\S[^\n]*)'", "game=majority"]
    question = asked(shown, *settings, rows=[{"question": f"Color {n}?"} for n in range(8)]).train[0]
    assert question.views[0].prompt == "Which?\nA. red\nB. blue\nA\n\nColor 0?"
    assert pull_back(question, question.views[0]) is None
    assert digest([question]) != digest([replace(question, views=(View("Color 0?", "view 1"),))])


def test_what_is_before_a_view_is_written_and_read(asked, tmp_path):
    for settings in (["model.chat=plain"], []):
        plan = asked(SHOWN, "game=majority", "data.views=['Q: {question}']", *settings)
        dump_questions(plan.train, tmp_path / "again.jsonl")
        again = load_questions(tmp_path / "again.jsonl")
        assert [view.prompt for q in again for view in q.views] == [v.prompt for q in plan.train for v in q.views]
        assert again == plan.train


@pytest.mark.parametrize("before", [7, {"a": 1}, [{"role": "user", "content": "hm"}], [{"role": "x"}]])
def test_what_can_not_be_before_a_view(tmp_path, before):
    (tmp_path / "q.jsonl").write_text(json.dumps({"question": "a?", "before": before}) + "\n")
    with pytest.raises(DataError, match="before"):
        load_questions(tmp_path / "q.jsonl")


@pytest.mark.parametrize(
    ("examples", "settings", "told"),
    [
        ([{"question": CHAT, "answer": "9"}], [], "chat messages can't be shown as an example"),
        ([{"question": f"{n}?", "answer": "1"} for n in range(33)], [], "33 examples before every question"),
        ([{"question": "a?", "answer": "1"}, {"question": "a?", "answer": "2"}], [], "with another answer"),
        ([{"question": "a?", "answer": "The answer is blue."}], [], "an answer of another kind"),
        ([{"question": f"What is {n}?", "answer": "x"} for n in range(8)], ["answers.pattern=x"], "none is left"),
    ],
)  # fmt: skip
def test_examples_that_would_mislead(asked, examples, settings, told):
    with pytest.raises(ConfigError, match=told):
        asked(examples, "game=majority", *settings)


def test_no_examples_and_a_folder(asked, tmp_path):
    assert isinstance(asked(SHOWN, "game=majority", "data.examples=").train[0].views[0].text, str)
    with pytest.raises(ConfigError, match="is not a file — name a file of solved questions"):
        asked(SHOWN, "game=majority", f"data.examples={tmp_path}")


def test_a_chat_example_is_recognised_in_a_text_question(asked):
    rows = [{"question": [{"role": "user", "content": "Two?"}], "answer": "2"}]
    rows += [{"question": f"What is {n}?", "answer": str(n)} for n in range(7)]
    with pytest.warns(DataWarning, match="1 question shown"):
        asked(SHOWN, "game=majority", rows=rows)
