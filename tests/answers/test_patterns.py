"""Other ways of reading, when asked for: a user's pattern with a bound, a lone option letter, the last number."""

import time

import pytest

from alft.answers import AnswerPolicy, ReadPolicy, Unread, answer_key, extract, read
from alft.answers.custom import bounded_pattern
from alft.errors import ConfigError


def test_a_pattern_goes_before_the_marks() -> None:
    policy = ReadPolicy(pattern=r"RESULT: (\S+)")
    assert extract("RESULT: 4\nRESULT: 5 and the answer is 6.", policy) == "5"
    assert extract("The answer is 6.", policy) == "6"
    assert extract("<think>RESULT: 4</think> none", policy) is None
    assert answer_key("RESULT: 0.50", policy=AnswerPolicy(reading=policy)) == "1/2"
    assert extract("so 7 kg", ReadPolicy(pattern=r"\d kg")) == "7 kg"


@pytest.mark.parametrize(
    ("pattern", "what"),
    [
        (r"(a+)+b", "forever"),
        (r"(?:a|a*)*b", "forever"),
        (r"(?=(a+)+b)", "forever"),
        (r"answer: ((?:\w{1,30}[ -]?){1,30})!", "forever"),
        (r"(\w{0,30}\s?){0,30}=", "forever"),
        (r"(?:\w\w|\d\w)*x", "forever"),
        (r"(?:a?){30}a{30}", r"may take 4e\+13 steps"),
        (r".*a.*b.*c.*", "steps"),
        (r"x*x*x*z", "steps"),
        (r"(?i:a)*A*a*z", "steps"),
        (r"[à-ż]*[ż-ž]*ż*z", "steps"),
        (r"(a)(b)", "2 groups"),
        (r"(a", "not a regular expression"),
    ],
)
def test_costly_patterns_are_refused(pattern: str, what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        bounded_pattern(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        r"(?:answer|result)\s*[:=]\s*(\S+)",
        r"(?:the )?answer(?: is)?:? *(-?\d{1,3}(?:,\d{3})*(?:\.\d+)?)",
        r"\\boxed\{([^}]*)\}",
        r"(?:\d+, ?)+x",
        r"(?:yes|no)+",
        r"first.*then.*last",
        r"(?i)answer is:?\s*(.+?)\.?$",
        r"\b(\d+)\b",
        r"a{3}b++(?>c|cd)(?!e)\Z",
    ],
)
def test_useful_patterns_are_taken(pattern: str) -> None:
    assert bounded_pattern(pattern).pattern == pattern


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"x*x*z", "x"),
        (r"x{0,30}x{0,30}x{0,30}z", "x"),
        (r"first.*then.*last", "firsthen"),
        (r"(?:\d+, ?)+x", "1, "),
    ],
)
def test_an_accepted_pattern_is_bounded(pattern: str, text: str) -> None:
    start = time.process_time()
    assert extract(text * 10**5, ReadPolicy(pattern=pattern)) is None
    assert time.process_time() - start < 5


@pytest.mark.parametrize(
    ("text", "option", "number"),
    [
        ("B", "B", None),
        (" (C). ", "(C).", None),
        ("I think B", None, None),
        ("It is 7, then -1,234.5% of it.", None, "-1,234.5%"),
        ("about 5 or 6", None, "6"),
        ("x5", None, None),
        ("The answer is 3. Then 4.", "3", "3"),
        ("<think>7</think> none", None, None),
    ],
)
def test_unmarked_answers_only_when_asked_for(text: str, option: str | None, number: str | None) -> None:
    assert extract(text, ReadPolicy(unmarked="option")) == option
    assert extract(text, ReadPolicy(unmarked="last number")) == number
    if "answer" not in text:
        assert read(text).unread is Unread.NO_MARK
