"""Marked final answers are read, everything else is None with its reason; linear time on hostile text."""

import time
from unittest import mock

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from alft.answers import MARKED as MARKED_ONLY
from alft.answers import ReadPolicy, Unread, extract, extraction, marks, read

POLICIES = [MARKED_ONLY, ReadPolicy(box="first"), ReadPolicy(box="same"), ReadPolicy(thinking="read")]

MARKED = [
    ("3 + 4 = 7\n#### 7", "7"),
    ("#### 1,234.", "1,234."),
    ("a #### 5", "5"),
    ("#### 5\n\nQuestion: and now?\n", "5"),
    ("#### -3.5%\nmore text", "-3.5%"),
    ("#### Step 1: add\nThe answer is 5.", "5"),
    (r"\boxed{5}", "5"),
    (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}"),
    (r"\boxed{\boxed{1}}", "1"),
    (r"$\boxed{5}$ and $\boxed{6}$", "6"),
    (r"\boxed{\{1,2\}} done", r"\{1,2\}"),
    (r"\boxed 5", "5"),
    (r"$\boxed 5$", "5"),
    (r"\fbox{3}", "3"),
    (r"\boxed{7} and so \boxed{7} and \boxed{7}", "7"),
    ("The answer is 5. Wait, no: the answer is 6.", "6"),
    (r"The answer is 5. No, \boxed{6}.", "6"),
    (r"\boxed{6}? No. The answer is 5.", "6"),  # prose never overrides a box
    (r"The final answer is $\boxed{42}$.", "42"),
    (r"\boxed{\text{the answer is } 5}", "5"),
    ("**Final Answer:** 42", "42"),
    ("**Final Answer**: 42", "42"),
    ("### Final answer\n\nThe final answer is: **42**.", "42"),
    ("Final answer: $x = 5$.", "$x = 5$"),
    ("FINAL ANSWER: 42", "42"),
    ("ANSWER: 5", "5"),
    ("Answer: 5", "5"),
    ("answer = 5", "5"),
    ("The answer is\n\n42", "42"),
    ("The answer is:\n$$\n\\frac{1}{2}\n$$\n", "$$\n\\frac{1}{2}\n$$"),
    ("So the answer is $18 per week; she pays $5.", "$18 per week"),
    ("The answer is $18.", "$18"),
    ("The answer is 3.5.", "3.5"),
    ("The answer is 1,234. Good.", "1,234"),
    ("The answer is \\(5\\). Good.", "\\(5\\)"),
    ("The correct answer is (B) Paris.", "(B) Paris"),
    ("The answer is B. The reason is simple.", "B"),
    ("The answer is B. Paris.", "B. Paris"),
    ("The answer is J. K. Rowling.", "J. K. Rowling"),
    ("The answer is J. R. R. Tolkien, of course.", "J. R. R. Tolkien, of course"),
    ("The answer is C. S. Lewis because he wrote it.", "C. S. Lewis"),
    ("The answer is J. Smith.\nHe said so.", "J. Smith"),
    ("The answer is:\n- 5", "5"),
    ("The answer is\n* 5\n", "5"),
    ("Answer: — 5", "5"),
    ("**Answer:** - 5", "5"),
    ("The answer is: • 5 apples", "5 apples"),
    ("The answer is -5.", "-5"),
    ("The answer is −5", "−5"),
    ("The answer is Mr. Smith.", "Mr. Smith"),
    ("The answer is U.S. dollars.", "U.S. dollars"),
    ("The answer is Paris! It is lovely.", "Paris"),
    ("The answer is 5!", "5!"),
    ("The answer is `42`", "42"),
    ("My answer to the question is 12 cm.", "12 cm"),
    ("The answer is 10 apples, because 5 + 5 = 10.", "10 apples"),
    ("The answer is 5<|im_end|>", "5"),
    ("The answer is 5</s>", "5"),
    ("<answer> 5 </answer>", "5"),
    ("<answer>The answer is 5</answer>", "5"),
    (r"<answer>\boxed{5}</answer>", "5"),
    ("<think>the answer is 4</think> The answer is 7.", "7"),
    ("the answer is 4 </think> The answer is 7.", "7"),
    ("The answer is 7. <think>or is the answer 8? the answer is 8</think>", "7"),
    ("<reasoning>the answer is 4</reasoning><answer>7</answer>", "7"),
    ('{"reasoning": "so", "answer": "42"}', "42"),
    ('{"answer": 42}', "42"),
    ("The answer is yes.", "yes"),
    ("The answer is trick or treat.", "trick or treat"),
    ("The answer is 5 or more.", "5 or more"),
    ("x " * 10**6 + "The answer is 5.", "5"),
]
UNREAD = [
    (None, Unread.EMPTY),
    ("", Unread.EMPTY),
    (" \n\t", Unread.EMPTY),
    ([], Unread.EMPTY),
    ([{"role": "user", "content": "The answer is 5."}], Unread.EMPTY),
    ([{"role": "assistant", "content": None}], Unread.EMPTY),
    ("It might be 7.", Unread.NO_MARK),
    ("7", Unread.NO_MARK),
    ("A or B", Unread.NO_MARK),
    ("Please answer the question. 7", Unread.NO_MARK),
    ("In answering: 5", Unread.NO_MARK),
    ("The answer isn't 5", Unread.NO_MARK),
    ("unboxed{5}", Unread.NO_MARK),
    ("##### 5", Unread.NO_MARK),
    ("#### Step 1: add\nmore", Unread.NO_MARK),
    ("<think>the answer is 5</think>", Unread.NO_MARK),
    (r"so \boxed{4}</think> well", Unread.NO_MARK),
    ("The answer is 5." + " " * 10**5, Unread.NO_MARK),
    ("<think>the answer is 5", Unread.UNFINISHED_THINKING),
    ("The answer is 4. <think>the answer is 5", Unread.UNFINISHED_THINKING),
    (r"\boxed{5", Unread.UNCLOSED),
    (r"\boxed{5} and \boxed{6", Unread.UNCLOSED),
    (r"\boxed{\{1,2\}", Unread.UNCLOSED),
    ("<answer>5", Unread.UNCLOSED),
    ("The answer is 5. <answer>6", Unread.UNCLOSED),
    (r"\boxed{}", Unread.EMPTY_ANSWER),
    (r"The answer is 5. \boxed{ }", Unread.EMPTY_ANSWER),
    ("####", Unread.EMPTY_ANSWER),
    ("Answer:", Unread.EMPTY_ANSWER),
    ("The answer is 5 or 6.", Unread.AMBIGUOUS),
    (r"\boxed{5 \text{ or } 6}", Unread.AMBIGUOUS),
    ("the answer is $5$ or $6$", Unread.AMBIGUOUS),
    ("#### 5 or 6", Unread.AMBIGUOUS),
    ("The answer is A or B.", Unread.AMBIGUOUS),
    ("answer: 7 but maybe 8", Unread.AMBIGUOUS),
    ("The answer is not 5.", Unread.AMBIGUOUS),
    ("The answer is - 5.", Unread.AMBIGUOUS),
    ("The answer is 5?", Unread.AMBIGUOUS),
]
PIECES = [
    *("\\boxed{", "\\boxed ", "}", "{", "\\}", "#### ", "\n", "<answer>", "</answer>", "<think>", "</think>"),
    *("The answer is ", "Final answer: ", "5", "6", " or ", ".", "?", "!", "$", "**", " ", "B", "not ", "\\"),
    *("\u2028", '"answer": "'),
]
REPEATED = [
    *("answer is ", "the answer ", "the final ", "\\boxed", "a", "(", "((", "answer:\n", "answer   ", "#"),
    *("answer to x ", "the answer is not ", "<think></think>", "$x", "\\(a ", "5 or ", "\\text{or}"),
]


@pytest.mark.parametrize(("text", "answer"), MARKED)
def test_marked_answers_are_read(text: str, answer: str) -> None:
    assert extract(text) == answer
    assert read(text).unread is None


@pytest.mark.parametrize(("text", "reason"), UNREAD)
def test_the_rest_is_unread_for_a_reason(text: str, reason: Unread) -> None:
    assert extract(text) is None
    assert read(text).unread is reason


def test_the_last_assistant_turn_of_a_chat_counts() -> None:
    turns = [
        {"role": "assistant", "content": "The answer is 4."},
        {"role": "user", "content": "Sure? The answer is 9."},
        {"role": "assistant", "content": "The answer is 5."},
        {"role": "user", "content": "Thanks. The answer is 8."},
    ]
    assert extract(turns) == "5"
    assert extract([{"role": "assistant", "content": [{"type": "text", "text": "#### 6"}]}]) == "6"


@given(st.one_of(st.text(max_size=60), st.lists(st.sampled_from(PIECES), max_size=16).map("".join)))
def test_an_answer_is_a_substring_or_there_is_a_reason(text: str) -> None:
    found = read(text)
    assert (found.answer is None) != (found.unread is None)
    if found.answer is not None:
        assert found.answer in text
        assert found.answer == found.answer.strip() != ""


@given(st.text(alphabet="abc {}\n.", max_size=50), st.integers(-(10**12), 10**12))
def test_what_stands_before_the_last_mark_does_not_matter(before: str, value: int) -> None:
    assert extract(f"{before} \\boxed{{1}} {before}\n\\boxed{{{value}}}") == str(value)
    assert extract(f"The answer is 1. {before.replace('{', '')}\nThe answer is {value}.") == str(value)


@pytest.mark.parametrize("fragment", PIECES + REPEATED)
def test_time_is_linear_up_to_a_megabyte(fragment: str) -> None:
    def seconds(size: int) -> float:
        text = (fragment * (size // len(fragment) + 1))[:size]
        start = time.process_time()
        read(text)
        return time.process_time() - start

    assert min(seconds(10**6) for _ in range(2)) < 0.01 + 32 * min(seconds(125_000) for _ in range(2))
    assert min(seconds(10**6) for _ in range(2)) < 1


ENDS = [
    *(
        "#### ",
        "####",
        "#",
        "The answer is ",
        "the answer is ",
        "The final answer is ",
        "\\boxed{",
        "\\fbox{",
        "\\)",
        "$",
        "}",
        "<answer>",
    )
]
ENDS += ["5", "-5", "1,234", "$18", "3.50", "%", ".", " ", "\n", "x" * 170]


BEFORE = [
    "\n",
    " ",
    "a < b",
    "<think>",
    "</think>",
    "[THINK]",
    "Question: ",
    "user\n",
    "<|im_end|>",
    "</s>",
    "analysisA",
    "wrong ",
]
BEFORE += [
    '"answer": 5',
    "'answer': {",
    "Die Antwort ist 5",
    "<answer>5</answer>",
    "답은 5입니다",
    "So my answer",
    "my answer is\n",
]


@given(st.lists(st.sampled_from(BEFORE + ENDS), min_size=1, max_size=9).map("".join), st.sampled_from(POLICIES))
@example("#### 5\nDie Antwort ist 6", MARKED_ONLY)
@example("\\fbox{1}\n\\boxed{2}", ReadPolicy(box="first"))
@example("my answer is\n5\nQuestion: 7", MARKED_ONLY)
def test_the_last_line_alone_says_what_the_whole_text_says(text: str, policy: ReadPolicy) -> None:
    with mock.patch.object(extraction, "_by_last_line", return_value=None):
        expected = read(text, policy)
    assert read(text, policy) == expected


@given(st.lists(st.sampled_from(BEFORE + ENDS), min_size=1, max_size=9).map("".join))
def test_a_text_of_one_turn_has_no_thinking_and_no_other_turn(text: str) -> None:
    if marks.is_one_turn(text):
        assert extraction._visible(text) == marks._turns(text) == [text]


@given(st.lists(st.sampled_from(ENDS), min_size=1, max_size=6).map("".join))
def test_boxes_are_counted(text: str) -> None:
    found = read(text)
    if found.mark == "box":
        assert found.boxes == text.count("\\boxed") + text.count("\\fbox")
