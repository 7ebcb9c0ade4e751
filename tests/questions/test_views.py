"""Views made by program ask the same question; permuted options are pulled back to the question's own letters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alft.answers import answer_key
from alft.errors import ConfigError
from alft.questions import (
    MAKERS,
    Question,
    View,
    instructed,
    lettered,
    permuted,
    programmed,
    suspects,
    templated,
)
from alft.questions.options import options_of
from alft.questions.views import text_of

CHAT = ({"role": "system", "content": "Think."}, {"role": "user", "content": "How many?"})
ANN = "Ann has 12,000 pens and buys 34567 more. Bob takes 1/4 of them. How many are left?"


def ask(text, answer: str | None = None, **options) -> Question:
    return Question("q", (View(text, "view 1", **options),), answer)


def texts(question: Question) -> list[str]:
    return [text_of(view.text) for view in question.views[1:]]


def test_templates_and_instructions() -> None:
    asked = templated(ask("How many?"), {"qa": "Q: {question}\nA:", "plain": "{question}"})
    assert [(view.name, view.text) for view in asked.views] == [
        ("view 1", "How many?"),
        ("qa", "Q: How many?\nA:"),
    ]
    assert texts(instructed(ask("How many?"), "Be brief.")) == ["Be brief.\n\nHow many?", "How many?\n\nBe brief."]
    with pytest.raises(ConfigError) as caught:
        templated(ask("How many?"), {"none": "x", "good": "{question}", "twice": "{question}{question}"})
    assert [problem.where for problem in caught.value.problems] == ["template 'none'", "template 'twice'"]


def test_chats_keep_their_other_messages() -> None:
    view = templated(ask(CHAT), {"qa": "Q: {question}"}).views[1]
    assert view.text == (CHAT[0], {"role": "user", "content": "Q: How many?"})


def test_names_are_unique_and_maps_are_passed_on() -> None:
    with pytest.raises(ConfigError, match="two views are named 'view 1'"):
        templated(ask("a?"), {"view 1": "Q: {question}"})
    mapped = templated(ask("a?", answer_map={"A": "B"}), {"qa": "Q: {question}"})
    assert mapped.views[1].answer_map == {"A": "B"}


def test_makers() -> None:
    asked = programmed(ask(ANN), list(MAKERS))
    assert {view.name: view.text for view in asked.views[1:]} == {
        "question first": "How many are left? Ann has 12,000 pens and buys 34567 more. Bob takes 1/4 of them.",
        "separators": "Ann has 12,000 pens and buys 34,567 more. Bob takes 1/4 of them. How many are left?",
        "no separators": "Ann has 12000 pens and buys 34567 more. Bob takes 1/4 of them. How many are left?",
        "question and answer": f"Q: {ANN}\nA:",
        "lower case": ANN.lower(),
    }
    assert suspects([asked]) == []
    with pytest.raises(ConfigError, match="no maker 'lines'"):
        programmed(ask(ANN), ["lines"])


@pytest.mark.parametrize(
    ("maker", "text"),
    [
        ("question first", "How many?"),
        ("question first", "Is it so? Then how many?"),
        ("question first", "Two pens. Say how many."),
        ("question first", "Two pens.\nHow many?"),
        ("separators", "In 1999, 0.12345 of 012345, 12345/7 and x12345"),
        ("no separators", "points (1,234), 1,23 and 12,3456"),
        ("lower case", "which?\nA. One\nB. Two"),
    ],
)
def test_makers_leave_what_is_not_safe(maker: str, text: str) -> None:
    assert programmed(ask(text), [maker]).views[1:] == ()


@pytest.mark.parametrize(
    "text",
    [
        "Which?",
        "A. Lincoln was?",
        "Which?\nA. one",
        "Which?\nB. one\nC. two",
        "Which?\nA. one\nC. two",
        "A. a\nB b",
    ],
)
def test_texts_without_options(text: str) -> None:
    assert options_of(text) == []
    assert permuted(ask(text), 3) == ask(text)


@pytest.mark.parametrize(
    "option", ["All of the above", "Both A and B", "None of these, neither", "A, B and C", "A & C"]
)
def test_options_that_speak_of_others_keep_their_order(option: str) -> None:
    asked = ask(lettered("Which?", ["one", "two", option]))
    assert permuted(asked, 3) == asked


@given(
    st.lists(st.text("abc xyz,", min_size=1).filter(str.strip), min_size=2, max_size=8, unique_by=str.strip),
    st.integers(1, 6),
    st.integers(0, 9),
    st.sampled_from(["{}. {}", "({}) {}", "{}) {}", "{}: {}"]),
)
def test_the_same_option_is_pulled_back_to_the_same_letter(
    options: list[str], count: int, seed: int, style: str
) -> None:
    options = [option.strip() for option in options]
    listed = "\n".join(style.format(letter, option) for letter, option in zip("ABCDEFGH", options, strict=False))
    asked = permuted(ask(f"Which?\n{listed}\nSay the letter."), count, seed)
    assert permuted(ask(f"Which?\n{listed}\nSay the letter."), count, seed) == asked
    own = {option: letter for letter, option in options_of(listed)}
    views = asked.views[1:]
    assert 1 <= len(views) <= count
    assert len({view.text for view in asked.views}) == len(asked.views)
    for view in views:
        for shown, option in options_of(text_of(view.text)):
            assert answer_key(f"The answer is ({shown}).", view.answer_map) == own[option]


def test_a_model_that_always_says_a_is_incoherent_and_one_that_knows_is_not() -> None:
    asked = permuted(ask(lettered("Which?", ["one", "two", "three", "four"]), "C"), 3)
    assert len(asked.views) == 4
    always = {answer_key("The answer is A.", view.answer_map) for view in asked.views}
    assert always == set("ABCD")
    knows = set()
    for view in asked.views:
        letter = next(letter for letter, option in options_of(text_of(view.text)) if option == "three")
        knows.add(answer_key(f"\\boxed{{{letter}}}", view.answer_map))
    assert knows == {"C"}


def test_permutation_goes_on_from_the_views_own_map() -> None:
    asked = permuted(ask("Which?\nA. one\nB. two", answer_map={"A": "B", "B": "A"}), 1)
    assert asked.views[1].answer_map == {"A": "A", "B": "B"}


def test_suspects_are_views_with_other_numbers() -> None:
    asked = Question(
        "q", (View("2 pens, 1,000 cups", "view 1"), View("1000 cups, 2 pens", "b"), View("2 pens", "c"))
    )
    assert [str(problem) for problem in suspects([asked])] == [
        "question 'q', c: numbers differ from view 1: nothing instead of 1000 — fix the view, or leave it out"
    ]
