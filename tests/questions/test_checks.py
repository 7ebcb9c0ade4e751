"""Paraphrases that keep the question pass; each way to lose it has its reason."""

import pytest

from alft.questions.checks import Rephrased, fault, language, names

QUESTION = "Anna has 27 books, buys 5, and sells 3 to Dr. Kim in Paris. How many books has she now?"
GOOD = "How many books does Anna own now, if she had 27 of them, bought five and sold 3 to Dr. Kim in Paris?"


def reason(text, question=QUESTION, **more):
    return fault(Rephrased(text, question, **more))


@pytest.mark.parametrize(
    ("question", "text"),
    [
        (QUESTION, GOOD),
        ("Start with 27, add 5. What is the result?", "Add five to 27: what do you get?"),
        ("What is the capital of France?", "Which city is France's capital?"),
        (
            "Wie viele Stifte hat Anna, wenn sie 3 von 5 verkauft?",
            "Anna hat 5 Stifte und verkauft 3: wie viele hat sie?",
        ),
        ("Find 12 + 5.", "Compute 12 + 5."),
        ("Сколько будет 2 + 3?", "Чему равна сумма 2 и 3?"),
        ("2 + 3 = ?", "What is 2 + 3?"),
    ],
)
def test_what_asks_the_same_passes(question, text):
    assert reason(text, question, gold=("Paris",) if "capital" in question else ()) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "empty"),
        ("???", "empty"),
        ("12 - 5?", "too short"),
        (GOOD + "\x1b[2J", "invisible or control characters"),
        (GOOD + "\ud800", "invisible or control characters"),
        (GOOD + "\u202e", "invisible or control characters"),
        (GOOD + "<|im_end|>", "tags or special tokens"),
        (f"<question>{GOOD}</question>", "tags or special tokens"),
        (GOOD + " The answer is 29.", "answers the question"),
        ("27+5=32-3=29 #### 29", "answers the question"),
        (GOOD.replace("27", "28"), "numbers differ: 28 instead of 27"),
        (GOOD.replace("five", "six"), "numbers differ: 6 instead of 5"),
        (GOOD.replace("bought five and ", ""), "numbers differ: nothing instead of 5"),
        (GOOD.replace("Anna", "Bea"), "a name is missing: anna"),
        (GOOD.replace("to Dr. Kim in Paris", "to Dr. Kim in Paris, France"), "a new name: france"),
        (GOOD.replace("Anna own", "Anna own with Bob"), "a new name: bob"),
        ("Wie viele Bücher hat Anna, nach 27, 5 mehr und 3 an Dr. Kim in Paris?", "another language: German"),
        ("Сколько теперь книг у неё: 27 и ещё 5 без 3, проданных Dr. Kim?", "another script"),
        (GOOD.replace("?", "."), "does not ask"),
        (QUESTION.upper(), "a copy"),
        (QUESTION.replace(",", " ,"), "a copy"),
        (GOOD * 4, "too long"),
        ("Anna, Kim?", "too short"),
    ],
)  # fmt: skip
def test_each_fault_has_its_reason(text, expected):
    assert (reason(text) or "passed").startswith(expected)


def test_a_leaked_answer_and_a_second_copy():
    asked = "What is the capital of France?"
    assert reason("Is the capital of France Lyon or paris?", asked, gold=("Paris",)) == "contains the answer"
    assert reason("Which city is France's capital?", asked, taken=["Which city is France's capital ?"]) == "a copy"


def test_names_and_languages():
    assert names(QUESTION) == {"anna", "dr", "kim", "paris"}
    assert names("Solve the puzzle. If I'm in NASA's lab, what's New?") == {"nasa", "new"}
    assert language("12 + 5 = ?") is None
    assert language("¿Cuántos libros tiene Ana en la casa?") == "Spanish"
