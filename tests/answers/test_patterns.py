"""Other ways of reading, when asked for: a user's pattern with a bound, a lone option letter, the last number."""

import time

import pytest

from alft.answers import AnswerPolicy, ReadPolicy, Unread, answer_key, extract, read
from alft.answers.patterns import bounded_pattern
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
        (r"(a+)+b", "a repeat inside a repeat"),
        (r"(?:a|a*)*b", "a repeat inside a repeat"),
        (r"(?:\d+,){0,9}x", "a repeat inside a repeat"),
        (r"(?=(a+)+b)", "a repeat inside a repeat"),
        (r".*a.*b.*c.*", "4 unbounded repeats"),
        (r"(a)(b)", "2 groups"),
        (r"(a", "not a regular expression"),
    ],
)
def test_costly_patterns_are_refused(pattern: str, what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        bounded_pattern(pattern)


def test_an_accepted_pattern_is_bounded() -> None:
    start = time.process_time()
    assert extract("x" * 10**6, ReadPolicy(pattern=r"x*x*z")) is None
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
