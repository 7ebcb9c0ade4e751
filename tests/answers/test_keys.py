"""Laws of keys: idempotent, exact, blind to dressing, one kind never in another's clothes."""

import time
from fractions import Fraction

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from alft.answers import KeyPolicy, canonical, kind
from alft.answers.keys import MAX_TEXT

PIECES = [
    *"0159aBxX .,;:!?%$^_=+-*/\\(){}[]|<>'\"`~&#°½²−∪∞é\u200b\u0301\ud800",
    *("\\frac{", "\\text{", "\\sqrt", "\\boxed{", "\\{", "\\\\", "\\pi", "sqrt(", "text: ", "sha256:"),
    *("the ", " and ", " or ", " cm", "10^", "e5", "**"),
]
SCRAPS = st.lists(st.sampled_from(PIECES), max_size=14).map("".join)
NUMERALS = st.builds(
    lambda sign, whole, part: f"{sign}{whole}" + (f".{part}" if part else ""),
    st.sampled_from(["", "-"]),
    st.integers(0, 10**40),
    st.from_regex(r"[0-9]{0,20}", fullmatch=True),
)
DRESSINGS = [
    "{}", " {} ", "{}.", "${}$", "$${}$$", "\\({}\\)", "\\[{}\\]", "**{}**", "`{}`", '"{}"', "\\text{{{}}}",
    "\\boxed{{{}}}", "\\left({}\\right)", "{},", "\u200b{}\u200b", "\n{}\t", "\\mathbf{{{}}}", "\\ {}\\,",
]  # fmt: skip
OTHER_POLICIES = [
    KeyPolicy(percent="scale"),
    KeyPolicy(units="drop"),
    KeyPolicy(currency="keep", percent="drop"),
    KeyPolicy(assignment="keep", lists="ordered"),
    KeyPolicy(tuples="set", case="keep"),
    KeyPolicy(decimal="comma"),
]
SOME = ["B", "1/2", "x^2+1", "sqrt(2)/3", "marie curie", "yes", "5 cm", "50%", "2pi", "12:30", "y=2x+1"]
PLAIN_ANSWERS = st.one_of(NUMERALS, st.sampled_from(SOME))


@given(st.one_of(st.text(max_size=40), SCRAPS))
@example("text: text: 5")
@example("√(√)")
@example("^{^{2}}")
def test_a_key_is_its_own_key(text: str) -> None:
    key = canonical(text)
    assert canonical(key) == key
    assert key is None or (key.strip() == key and key.isprintable())
    assert (kind(text) is None) == (key is None)


@given(SCRAPS, st.sampled_from(OTHER_POLICIES))
def test_a_key_is_its_own_key_under_other_policies(text: str, policy: KeyPolicy) -> None:
    key = canonical(text, policy)
    assert canonical(key, policy) == key


@given(SCRAPS)
def test_number_keys_are_numbers_in_lowest_terms_and_no_other_key_looks_like_one(text: str) -> None:
    key = canonical(text)
    if key is None:
        return
    try:
        value = Fraction(key)
    except (ValueError, ZeroDivisionError):
        assert kind(text) != "number"
    else:
        assert kind(text) == "number"
        assert key == str(value)


@given(NUMERALS)
def test_a_numeral_keeps_its_exact_value(numeral: str) -> None:
    assert canonical(numeral) == str(Fraction(numeral))


@given(st.fractions())
def test_different_fractions_have_different_keys_and_frac_is_a_slash(value: Fraction) -> None:
    above, below = value.numerator, value.denominator
    assert canonical(f"{above}/{below}") == str(value)
    assert canonical(rf"\frac{{{3 * above}}}{{{3 * below}}}") == str(value)


@given(st.text("$-0123456789,.", min_size=1, max_size=9))
def test_the_short_way_for_numbers_gives_the_key_of_the_long_way(text: str) -> None:
    assert canonical(text) == canonical(f" {text}\t")  # spaces outside take the long way


@given(st.integers(1, 10**9), st.integers(0, 98), st.integers(1, 99))
def test_mixed_numbers_are_sums(whole: int, above: int, below: int) -> None:
    expected = str(whole + Fraction(above, below))
    assert canonical(f"{whole} {above}/{below}") == expected
    assert canonical(rf"{whole}\frac{{{above}}}{{{below}}}") == expected


@given(st.integers(-(10**30), 10**30))
def test_separators_say_nothing(value: int) -> None:
    spellings = [
        f"{value:,}",
        f"{value:,}".replace(",", "{,}"),
        f"{value:,}".replace(",", "\\,"),
        f"{value}.00",
    ]
    assert {canonical(text) for text in spellings} == {str(value)}


@given(PLAIN_ANSWERS, st.sampled_from(DRESSINGS), st.sampled_from(DRESSINGS))
@example("B", "{},", "\\left({}\\right)")
def test_dressing_says_nothing(answer: str, inner: str, outer: str) -> None:
    assert canonical(outer.format(inner.format(answer))) == canonical(answer)


FACTORS = st.one_of(
    st.text("abcdnpqrtuvwxyzABCXYZ", min_size=1, max_size=3), st.sampled_from("123456789").map(str)
)
SIGNS = st.sampled_from(["+", "-", "*", "/", "^", "=", "<"])


@given(st.lists(FACTORS, min_size=1, max_size=4), SIGNS, SIGNS, FACTORS, st.sampled_from(["{}{}{}", "{} {} {}"]))
@example(["xy"], "+", "-", "1", "{}{}{}")
@example(["ab"], "+", "/", "cd", "{}{}{}")
@example(["x"], "+", "-", "yz", "{}{}{}")
@example(["a"], "+", "-", "bc", "{} {} {}")
def test_other_signs_are_other_formulas(left: list[str], one: str, other: str, right: str, spacing: str) -> None:
    whole = "+".join(left)
    assume(any(map(str.isalpha, whole + right)))  # `1 + 1 = 2` is its last value
    keys = [canonical(spacing.format(whole, sign, right)) for sign in (one, other)]
    assert (keys[0] == keys[1]) == (one == other)
    assert canonical(f"-{whole}{one}{right}") != canonical(f"{whole}{one}{right}")


@given(st.lists(st.integers(-99, 99), min_size=2, max_size=5), st.randoms())
def test_sets_have_no_order_and_tuples_have(values: list[int], random: object) -> None:
    turned = values[::-1]
    braces = ["\\{" + ", ".join(map(str, row)) + "\\}" for row in (values, turned)]
    assert canonical(braces[0]) == canonical(braces[1])
    round_brackets = ["(" + ",".join(map(str, row)) + ")" for row in (values, turned)]
    assert (canonical(round_brackets[0]) == canonical(round_brackets[1])) == (values == turned)


@pytest.mark.parametrize(
    ("text", "field", "expected"),
    [
        ("50%", {"percent": "scale"}, "1/2"),
        ("50%", {"percent": "drop"}, "50"),
        ("5 cm", {"units": "drop"}, "5"),
        ("5 apples", {"units": "drop"}, "5"),
        ("5 million", {"units": "drop"}, "5 million"),
        ("$18", {"currency": "keep"}, "$18"),
        ("18 dollars", {"currency": "keep"}, "$18"),
        ("-€18", {"currency": "keep"}, "-€18"),
        ("1.234,5", {"decimal": "comma"}, "2469/2"),
        ("x = 5", {"assignment": "keep"}, "x=5"),
        ("2, 1", {"lists": "ordered"}, "2, 1"),
        ("(2, 1)", {"tuples": "set"}, "{1, 2}"),
        ("The Beatles", {"case": "keep"}, "Beatles"),
        ("Wi-Fi", {"case": "keep"}, "Wi-Fi"),
    ],
)
def test_policies(text: str, field: dict, expected: str) -> None:
    policy = KeyPolicy(**field)
    assert canonical(text, policy) == expected
    assert text == expected or canonical(text) != expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1,5", "3/2"),
        ("1.500 €", "1500"),
        ("€1.500", "1500"),
        ("$1.234,50", "2469/2"),
        ("1,5 cm", "3/2 cm"),
        ("1,5 km/h", "3/2 km/h"),
        ("2,5%", "5/2%"),
        ("x = 1,5", "3/2"),
        ("x = 1.500", "1500"),
        ("3/2 cm", "3/2 cm"),
        ("1,5" + "0" * 3000, canonical("1.5" + "0" * 3000)),
    ],
)
def test_a_decimal_comma_is_one_wherever_a_number_stands(text: str, expected: str) -> None:
    policy = KeyPolicy(decimal="comma")
    assert canonical(text, policy) == expected
    assert canonical(expected, policy) == expected


def test_nothing_to_read_is_none() -> None:
    assert [canonical(text) for text in (None, "", " \n", "...", "?!", "\u200b", "$$", "**")] == [None] * 8


def test_oversize_answers_are_hashed_by_value() -> None:
    long = "7" * 100_000
    key = canonical(long)
    assert key is not None
    assert key.startswith("sha256:")
    assert canonical(key) == key
    assert canonical(f"000{long}.0") == key
    assert canonical("7" * 100_001) != key
    assert canonical("word " * MAX_TEXT) == canonical("Word  " * MAX_TEXT) != canonical("worm " * MAX_TEXT)


HOSTILE = [
    *("a", "(", "{", "[1,", "9", "1 ", "1,", "x^", "^{", "$", "∪", "½", "1+(", "\\[", "the "),
    *("\\frac{", "\\text{", "(1∪", "{1, ", "((a b)", "\\sqrt[", "0.", "5 cm"),
]


@pytest.mark.parametrize("fragment", HOSTILE)
@pytest.mark.parametrize("size", [MAX_TEXT, 10**6])
def test_hostile_text_is_read_in_bounded_time(fragment: str, size: int) -> None:
    text = (fragment * size)[:size]
    start = time.process_time()
    key = canonical(text)
    assert time.process_time() - start < 0.5
    assert canonical(key) == key
