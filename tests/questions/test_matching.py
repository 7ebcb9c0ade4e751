"""Options in another order: their texts pull letters back, or the view is refused; opposites never agree."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alft.answers import canonical
from alft.completions import Completion
from alft.errors import DataError
from alft.evaluation import to_records
from alft.questions import (
    DataWarning,
    Question,
    View,
    dump_questions,
    lettered,
    load_questions,
    permuted,
    pull_back,
    templated,
    with_views,
)
from alft.questions.options import speaks_of_others

ONE_TWO, TWO_ONE = "Which?\nA. one\nB. two", "Which one?\nA. two\nB. one"
SWAPPED = {"A": "B", "B": "A"}


def ask(*texts, answer: str | None = None, maps=()) -> Question:
    given = [*maps, *[None] * (len(texts) - len(maps))]
    views = (View(text, f"view {n}", own) for n, (text, own) in enumerate(zip(texts, given, strict=True), start=1))
    return Question("q", tuple(views), answer)


def maps(question: Question) -> list:
    return [view.answer_map for view in question.views]


def file(tmp_path, *rows):
    path = tmp_path / "q.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def refusal(path) -> list[str]:
    with pytest.raises(DataError) as caught:
        load_questions(path)
    return [str(problem).replace(str(path), "F") for problem in caught.value.problems]


@pytest.mark.parametrize("answer", ["A", None])
def test_opposite_answers_to_a_reordered_file_do_not_agree(tmp_path, answer) -> None:
    row = {"question": ONE_TWO, "views": [TWO_ONE]} | ({} if answer is None else {"answer": answer})
    with pytest.warns(DataWarning, match="view 2: options have other letters than in the question"):
        asked = load_questions(file(tmp_path, row))
    told = [[Completion(r"\boxed{A}"), Completion(r"\boxed{B}"), Completion("The answer is two.")]] * 2
    records = list(to_records(asked, told, "sampled"))
    assert [record.key for record in records] == ["A", "B", "B", "B", "A", "B"]
    if answer is not None:
        assert [record.right for record in records] == [True, False, False, False, True, False]


@pytest.mark.parametrize(
    ("texts", "given", "expected"),
    [
        ((ONE_TWO, TWO_ONE), (), [None, SWAPPED]),
        ((ONE_TWO, "Really?\nA. one\nB. two"), (), [None, None]),
        (("Which? A. one B. two", "Is it A. two or B. one?"), (), [None, SWAPPED]),
        ((ONE_TWO, "Which? (A) Two, (B) One. Say A or B."), (), [None, SWAPPED]),
        (("Which one?", ONE_TWO, TWO_ONE), (), [None, None, SWAPPED]),
        (("Which?\nA. eins\nB. zwei", ONE_TWO, TWO_ONE), (), [None, None, SWAPPED]),
        (("x?\nA. a b\nB. c d\nC. e f", "y?\nA. c d\nB. e f"), (), [None, {"A": "B", "B": "C"}]),
        ((ONE_TWO, "Not which?\nA. one\nB. two"), (None, SWAPPED), [None, SWAPPED]),  # asks the opposite
        ((ONE_TWO, TWO_ONE), (SWAPPED,), [SWAPPED, None]),
        ((ONE_TWO, TWO_ONE), ({"A": "yes", "B": "no"},), [{"A": "yes", "B": "no"}, {"A": "no", "B": "yes"}]),
        (("A. Lincoln met B. Traven?", "B. Traven met A. Lincoln?"), (), [None, None]),
    ],
)
def test_texts_tell_which_option_a_letter_is(texts, given, expected) -> None:
    assert maps(ask(*texts, maps=given)) == expected


@pytest.mark.parametrize(
    ("view", "why"),
    [
        ("Which one?\nA. two\nB. three", "'three' can't be matched by its text"),
        ("Which one?\nA. two\nB. two\nC. one", "'two' can't be matched by its text"),
        ("Which one?\nA. two\nB. one\nC. all of the above", "'all of the above' can't be matched"),
    ],
)
def test_what_texts_can_not_tell_is_refused_with_its_place(tmp_path, view: str, why: str) -> None:
    (told,) = refusal(file(tmp_path, {"id": "a", "question": ONE_TWO, "answer": "B", "views": [view]}))
    assert told.startswith("F:1 question 'a', view 2 answer_map: option ")
    assert why in told
    assert told.endswith('give the view an answer_map from its letters to those of the question: {"A": "B", …}')


def test_options_that_speak_of_others_are_not_moved_by_their_texts() -> None:
    with pytest.raises(DataError, match="'both A and B' refers to other options"):
        ask("Which?\nA. x y\nB. z\nC. both A and B", "Which one?\nA. z\nB. x y\nC. both A and B")


def test_options_that_are_one_elsewhere_are_not_told_by_their_texts() -> None:
    with pytest.raises(DataError, match="two of its options are the same in another view"):
        ask("Welche?\nA. eins\nB. zwei", ONE_TWO, "Which one?\nA. one\nB. eins")


def test_answers_in_words_need_no_letters() -> None:
    """Where gold is no letter, what texts can't tell is left alone."""
    assert maps(ask(ONE_TWO, "Which one?\nA. two\nB. three", answer="two apples")) == [None, None]


@pytest.mark.parametrize(
    "given", [{"A": "B"}, {"A": "yes", "B": "Yes."}, {"A": "C", "B": "C"}, {"one": "two"}, {"(a)": "B"}]
)
def test_a_map_that_takes_two_options_for_one_is_refused(tmp_path, given: dict[str, str]) -> None:
    views = [{"text": "Really?\nA. one\nB. two", "answer_map": given}]
    (told,) = refusal(file(tmp_path, {"question": ONE_TWO, "answer": "B", "views": views}))
    assert told.startswith("F:1 question 'q1', view 2 answer_map: ")
    assert "two options, both map to" in told


@pytest.mark.parametrize("given", [SWAPPED, {"A": "yes", "B": "no"}, {"(A)": "B", "(b)": "A"}, {"red": "blue"}])
def test_a_map_that_keeps_options_apart_is_taken(given: dict[str, str]) -> None:
    assert maps(ask(ONE_TWO, maps=[given])) == [given]


def test_letters_in_brackets_are_letters_of_a_map() -> None:
    asked = ask(ONE_TWO, maps=[{"(A)": "B", "(b)": "A"}])
    assert pull_back(asked, asked.views[0]) == {"A": "B", "B": "A", "one": "B", "two": "A"}


@pytest.mark.parametrize(("answer", "good"), [("A", True), ("B", False)])
def test_the_answer_that_a_reordered_view_says_is_pulled_back_too(tmp_path, answer: str, good: bool) -> None:
    path = file(tmp_path, {"question": ONE_TWO, "answer": "B", "views": [{"text": TWO_ONE, "answer": answer}]})
    if good:
        with pytest.warns(DataWarning):
            assert maps(load_questions(path)[0]) == [None, SWAPPED]
    else:
        told = "F:1 views[0]: the view's answer 'B', which is 'A' in the question, is not the question's 'B'"
        assert refusal(path)[0].startswith(told)


def test_many_reordered_views_are_one_note(tmp_path) -> None:
    rows = [{"question": f"{n}: {ONE_TWO}", "views": [f"{n}: {TWO_ONE}"]} for n in range(3)]
    with pytest.warns(DataWarning) as caught:
        asked = load_questions(file(tmp_path, *rows))
    (told,) = [str(one.message) for one in caught]
    assert told.endswith("matched by the options' texts (3 in all)")
    again = tmp_path / "again.jsonl"
    dump_questions(asked, again)
    assert load_questions(again) == asked  # with their maps written down, and no note


def test_views_that_are_added_are_matched_before_they_take_the_questions_map() -> None:
    asked = ask(ONE_TWO, maps=[SWAPPED])
    assert maps(with_views(asked, [("b", TWO_ONE)])) == [SWAPPED, None]
    assert maps(templated(asked, {"qa": "Q: {question}"})) == [SWAPPED, SWAPPED]


@given(
    st.lists(st.text("abc xyz", min_size=3).filter(str.strip), min_size=2, max_size=6, unique_by=canonical),
    st.integers(1, 4),
    st.integers(0, 9),
)
def test_texts_give_the_map_that_a_permutation_has(options: list[str], count: int, seed: int) -> None:
    options = [option.strip() for option in options]
    assert not any(map(speaks_of_others, options))
    asked = permuted(ask(lettered("Which?", options)), count, seed)
    bare = replace(asked, views=tuple(replace(view, answer_map=None) for view in asked.views))
    assert bare == asked
