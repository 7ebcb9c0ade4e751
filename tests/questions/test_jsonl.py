"""Local files read strictly: every mistake has its place, nothing is converted, the rest is kept."""

import json
import warnings
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alft.errors import DataError
from alft.questions import DataWarning, Question, View, dump_questions, load_questions
from alft.verbs.questions import validate

GOOD = '{"question": "a?"}'


@pytest.fixture
def load(tmp_path: Path):
    def read(content: str | bytes, **options) -> list[Question]:
        path = tmp_path / "q.jsonl"
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
        return load_questions(path, **options)

    return read


def complaints(load, content: str | bytes, **options) -> list[str]:
    with pytest.raises(DataError) as caught:
        load(content, **options)
    return [str(problem).replace(str(problem.where).split(":")[0], "F", 1) for problem in caught.value.problems]


@pytest.mark.parametrize("content", ["", "\n \n", "[]", "\ufeff"])
def test_no_rows(load, content: str) -> None:
    assert "0 rows" in complaints(load, content)[0]


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        load_questions(tmp_path / "none.jsonl")
    with pytest.raises(DataError, match="directory"):
        load_questions(tmp_path)


@pytest.mark.parametrize(
    ("line", "start"),
    [
        ('{"question": "a?", x}', "F:2:20: bad JSON"),
        ('{"question": "a?"', "F:2:18: bad JSON"),
        ('{"question": \'a?\'}', "F:2:14: bad JSON"),
        ('{"question": "a?"} {"question": "b?"}', "F:2:20: bad JSON: more text"),
        ('{"question": "a?", "answer": NaN}', "F:2:30: NaN is not JSON"),
        ('{"question": "NaN?", "answer": -Infinity}', "F:2:32: -Infinity is not JSON"),
        ('{"question": "a?", "answer": 1, "answer": 2}', "F:2:33: the field 'answer' appears twice"),
        ('{"question": "a?", "metadata": {"x": 1, "x": 1}}', "F:2:41: the field 'x' appears twice"),
        ('{"question": "a\\ud800?"}', "F:2: a \\u surrogate without"),
        ('{"question": "a\\u0000?"}', "F:2: a text contains the NUL character"),
        ('{"question": "a\t?"}', "F:2:16: bad JSON: Invalid control character"),
        ("3", "F:2: this is not a JSON object"),
        ("[" * 100_000, "F:2: brackets are nested too deeply"),
        ('{"question": "a?", "anwser": "1"}', "F:2: unknown field 'anwser' — did you mean 'answer'?"),
        ('{"question": ""}', "F:2 question: the text is empty"),
        ('{"question": 5}', "F:2 question: this is a number"),
        ('{"question": null}', "F:2 question: this is missing or null"),
        ('{"answer": "5"}', "F:2: 'answer' is missing"),
        ('{"question": "a?", "group": true}', "F:2: 'group' is true or false"),
        ('{"question": "a?", "views": "b?"}', "F:2 views: this is a text — write a list"),
        ('{"question": "a?", "views": [{"txt": "b?"}]}', "F:2 views[0]: unknown field 'txt' — did you mean 'text"),
        ('{"question": "a?", "views": [{"text": "b?", "name": "view 1"}]}', "F:2 views[0]: two views are named"),
        ('{"question": "a?", "answer_map": {"A": []}}', "F:2 answer_map: this does not map"),
        ('{"question": "a?", "answer_map": {"A": "B", "a": "C"}}', "F:2 answer_map: two of its answers"),
    ],
)  # fmt: skip
def test_a_mistake_has_its_place(load, line: str, start: str) -> None:
    found = complaints(load, f"{GOOD}\n{line}\n{GOOD}\n", answers="partial")
    expected = start if "'answer' is missing" not in start else "F:2 question: this is missing or null"
    assert any(text.startswith(expected) for text in found), found


@pytest.mark.parametrize(
    ("question", "start"),
    [
        ([], "the last message is not the user's"),
        ([{"role": "usr", "content": "a?"}], "role 'usr' here"),
        ([{"role": "user", "content": "a?"}, {"role": "assistant", "content": "b"}], "the last message"),
        ([{"role": "user", "content": "a?"}, {"role": "system", "content": "b"}], "role 'system' here"),
        ([{"role": "user"}], "a message has exactly"),
        ([{"role": "user", "content": ["a?"]}], "'content' is not a text"),
        (["a?"], "a message has exactly"),
    ],
)
def test_chat_messages_are_checked(load, question: list, start: str) -> None:
    assert start in complaints(load, json.dumps({"question": question}))[0]


def test_chat_messages_are_kept(load) -> None:
    messages = [{"role": "system", "content": "Think."}, {"role": "user", "content": "a?"}]
    assert load(json.dumps({"question": messages}))[0].views[0].text == tuple(messages)


@pytest.mark.parametrize(
    "written", ["1", "1.0", "-0.50", "1e400", "1" + "0" * 30, "9" * 5000, "12345678901234567890.123456789"]
)
def test_numbers_keep_the_text_they_were_written_with(load, written: str) -> None:
    answer = load(f'{{"question": "a?", "answer": {written}, "id": 7}}')[0].answer
    assert answer == written
    assert type(answer) is str


def test_dates_stay_text(load) -> None:
    assert load('{"question": "a?", "answer": "2004-01-05"}')[0].answer == "2004-01-05"


def test_encodings(load) -> None:
    assert load(("\ufeff" + GOOD + "\r\n" + GOOD.replace("a", "é") + "\r\n").encode())[1].views[0].text == "é?"
    assert "UTF-16" in complaints(load, GOOD.encode("utf-16"))[0]
    assert "UTF-16" in complaints(load, GOOD.encode("utf-16-le"))[0]
    found = complaints(load, GOOD.encode() + b'\n{"question": "caf\xe9?"}')
    assert found[0].startswith(f"F:2:18: byte 0xe9 at offset {len(GOOD) + 18} is not UTF-8")


def test_a_line_over_20_mb_is_refused_and_the_rest_still_checked(load) -> None:
    found = complaints(load, b'{"question": "' + b"x" * 20_000_000 + b'"}\n{"question": 5}\n')
    assert found[0].startswith("F:1: the line is longer than 20 MB")
    assert found[1].startswith("F:2 question: this is a number")


def test_an_array_is_read_like_lines(load) -> None:
    rows = [{"id": "a", "question": "a?", "answer": "1"}, {"id": "b", "question": "b?", "answer": "2"}]
    as_lines = load("\n".join(map(json.dumps, rows)))
    assert load(json.dumps(rows)) == load(json.dumps(rows, indent=2)) == as_lines
    assert complaints(load, '[{"question": "a?"},\n {"question": 5}]') == [
        "F:2 question: this is a number — write a text or a list of chat messages"
    ]
    assert "a comma before the closing ]" in complaints(load, '[{"question": "a?"},\n]')[0]
    assert complaints(load, '[{"question": "a?"}\n {"question": "b?"}]')[0].startswith("F:1:20: bad JSON")
    assert complaints(load, '[{"question": "a?"}')[0].startswith("F:1:20: bad JSON")


def test_all_problems_at_once_with_five_places_of_each_kind(load) -> None:
    content = '{"question": ""}\n' * 9 + '{"question": "a?", "colour": "red"}\n'
    found = complaints(load, content)
    assert found == [
        "F:1, 2, 3, 4, 5 and 4 more (question): the text is empty — write it, or leave the row out",
        "F:10: unknown field 'colour' — known: id, answer, views, group, name, answer_map, aliases, metadata; "
        "put other data under 'metadata'",
    ]


def test_missing_columns(load) -> None:
    found = complaints(load, '{"quesiton": "a?"}\n{"quesiton": "b?"}')
    assert found == [
        "F: no row has the field 'question'; fields found: quesiton — rename 'quesiton' to 'question', "
        "or set data.columns: {question: quesiton}"
    ]
    both = '{"question": "a?", "answer": "1"}\n{"question": "b?"}\n'
    assert complaints(load, both)[0].startswith("F:2: 'answer' is missing here")
    assert [asked.answer for asked in load(both, answers="partial")] == ["1", None]
    assert "no row has the field 'answer'" in complaints(load, GOOD, answers="required")[0]
    assert complaints(load, '{"id": "a", "question": "a?"}\n' + GOOD)[0].startswith("F:2: 'id' is missing here")


@pytest.mark.parametrize("answer", ['""', '" "', "null"])
def test_an_empty_answer_is_no_answer(load, answer: str) -> None:
    line = f'{{"question": "a?", "answer": {answer}}}'
    assert "F:1: 'answer' is" in complaints(load, line)[0]
    assert load(line, answers="partial")[0].answer is None
    assert "has no letter or digit" in complaints(load, '{"question": "a?", "answer": "?!"}')[0]


def test_doubles(load) -> None:
    row = '{"id": "a", "question": "a?", "answer": "1"}\n'
    with pytest.warns(DataWarning, match="q.jsonl:2 question 'a': the same question .* kept once"):
        assert len(load(row + row)) == 1
    found = complaints(load, row + row.replace('"1"', '"2"'))
    assert found[0].startswith("F:2: id 'a' belongs to another question, at ")


def test_views_are_kept_and_doubles_left_out(load) -> None:
    views = ["b?", {"text": "c?", "name": "letters", "answer_map": {"A": "C", "C": "A"}}]
    asked = load(json.dumps({"question": "a?", "name": "plain", "views": views}))[0]
    assert asked.views == (
        View("a?", "plain"),
        View("b?", "view 2"),
        View("c?", "letters", {"A": "C", "C": "A"}),
    )
    with pytest.warns(DataWarning, match="the same text as 'view 1': left out"):
        assert len(load('{"question": "a  b?", "views": ["a b? ", "A b?"]}')[0].views) == 2


def test_views_with_another_gold_answer_are_a_mistake(load) -> None:
    row = {"question": "a?", "answer": "B", "views": [{"text": "b?", "answer": "(A)"}]}
    assert "the view's answer '(A)' is not the question's 'B'" in complaints(load, json.dumps(row))[0]
    row["views"] = [{"text": "b?", "answer": "(A)", "answer_map": {"A": "B", "B": "A"}}]
    assert load(json.dumps(row))[0].answer == "B"


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1).filter(str.strip)
CHATS = st.lists(TEXTS, min_size=1, max_size=3).map(lambda ts: tuple({"role": "user", "content": t} for t in ts))


MAPS = st.sampled_from([None, {"A": "B", "B": "A"}])
PROMPTS = st.lists(st.tuples(st.one_of(TEXTS, CHATS), MAPS), min_size=1, max_size=3)
ROWS = st.tuples(PROMPTS, TEXTS.map("x{}".format), st.one_of(st.none(), TEXTS))


def asked(identity: str, prompts: list, answer: str, group: str | None) -> Question:
    views = (View(prompt, f"v{place}", answer_map) for place, (prompt, answer_map) in enumerate(prompts))
    return Question(identity, tuple(views), answer, group)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(ROWS, min_size=1, max_size=4))
def test_what_is_written_is_read_back(tmp_path: Path, rows: list) -> None:
    questions = [asked(f"q{place}", *row) for place, row in enumerate(rows)]
    dump_questions(questions, tmp_path / "q.jsonl")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)  # drawn views may be doubles
        read = load_questions(tmp_path / "q.jsonl")
    for before, after in zip(questions, read, strict=True):
        assert (before.id, before.answer, before.group) == (after.id, after.answer, after.group)
        assert all(view in before.views for view in after.views)


BROKEN = {
    "F:2, 7, 12, 17 (question): the text is empty — write it, or leave the row out":
        {"question": "", "answer": "2"},
    "F:3, 8, 13, 18: 'answer' is empty — leave it out, which data.answers: partial allows":
        {"question": "3?", "answer": ""},
    "F:4, 9, 14, 19: unknown field 'answr' — did you mean 'answer'?; put other data under 'metadata'":
        {"question": "4?", "answr": "4"},
    "F:5:17, 10:17, 15:17, 20:17: bad JSON: Expecting ',' delimiter — check the quotes, commas and brackets":
        '{"question": "a"',
    "F:6, 11, 16, 21: 'answer' is a list — write it as a text, other right answers in 'aliases'":
        {"question": "6?", "answer": ["6"]},
}  # fmt: skip


def test_twenty_broken_rows_of_five_kinds_are_five_problems_with_places_field_and_remedy(load, tmp_path) -> None:
    lines = [one if isinstance(one, str) else json.dumps(one) for one in BROKEN.values()]
    content = "\n".join([json.dumps({"question": "1?", "answer": "1"}), *lines * 4]) + "\n"
    assert sorted(complaints(load, content)) == sorted(BROKEN)
    path = tmp_path / "broken.jsonl"
    path.write_text(content)
    seen = [str(problem).replace(str(path), "F") for problem in validate(path).problems]
    assert sorted(seen) == sorted(BROKEN)
    run = validate(None, [f"data.path={path}", f"output.directory={tmp_path}"])
    assert [str(problem).replace(str(path), "F") for problem in run.problems] == seen
