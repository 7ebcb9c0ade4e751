"""Numbers in digits and in words are the same numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alft.questions.checks import differences, in_words, numbers

WORDS = ["Ann", "has", "one", "of", "pens,", "and", "hundred", "buys", "5", "27,", "90.", "100", "3.5", "x2"]
SENTENCES = st.lists(st.sampled_from(WORDS)).map(" ".join)


@given(SENTENCES)
def test_numbers_in_words_are_the_same_numbers(text):
    changed = in_words(text)
    assert changed is None or differences(text, changed) == ([], [])


@given(st.integers(0, 99))
def test_every_number_below_a_hundred_has_a_word(value):
    changed = in_words(f"Take {value} of them.")
    assert changed is not None
    assert not any(map(str.isdigit, changed))
    if value != 1:
        assert numbers(changed) == {str(value): 1}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("twenty-seven, twenty seven and twenty, seven", ["20", "27", "27", "7"]),
        ("two three", ["2", "3"]),
        ("two and three", ["2", "3"]),
        ("three hundred and five", ["305"]),
        ("two thousand three hundred forty-one", ["2341"]),
        ("one hundred", ["100"]),
        ("a hundred, the other one", ["100"]),
        ("ten people often weigh eighty", ["10", "80"]),
        ("x² + 1,234.5", ["1234.5", "2"]),
        ("twice half a dozen", ["dozen", "half", "twice"]),
        ("Sixteen", ["16"]),
    ],
)
def test_numbers(text, expected):
    assert sorted(numbers(text).elements()) == expected


def test_the_word_one_is_a_number_or_none():
    assert differences("1 pen", "one pen") == ([], [])
    assert differences("Which one is it?", "Which is it?") == ([], [])
    assert differences("1 pen", "a pen") == ([], ["1"])


@pytest.mark.parametrize("text", ["5 + 3", "1/2 of 3%", "at 12:30", "$5", "007 ", "3.5 cm", "x2", "20 5"])
def test_what_is_no_number_alone_stays(text):
    assert in_words(text) is None
