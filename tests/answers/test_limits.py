"""Static limits refuse what explodes and let ordinary answers pass."""

import pytest

from alft.answers.guarded import MAX_LENGTH, refusal

ORDINARY = [
    "x+1", "x^2+1", r"\frac{x^2+1}{2}", r"(x+1)^9(x+2)^9", r"\sqrt{2+\sqrt{3+\sqrt{5}}}", "10!", "x^{99}-y^{99}",
    r"\frac{-b\pm\sqrt{b^2-4ac}}{2a}", r"(-\infty,1)\cup(2,\infty)", r"e^{2x}\sin(x)^2", "2^{10}+x", r"\{1,2,3\}",
    "x^{y+1}", "9" * 40 + "x", "x" + "+1" * 30,
]  # fmt: skip
REFUSED = [
    ("x" * (MAX_LENGTH + 1), "too long"),
    ("x\x00", "control characters"),
    ("(" * 9 + "x" + ")" * 9, "nested too deep"),
    ("9" * 41 + "x", "too many digits"),
    ("+1" * 65, "too many terms"),
    (r"\binom{9}{4}", "an operator that is not evaluated"),
    ("gamma(9)", "an operator that is not evaluated"),
    ("21!", "a factorial"),
    ("(x+1)!", "a factorial"),
    ("((20!)!)!", "a factorial"),
    ("10^6!", "a factorial"),
    ("10^{6}!", "a factorial"),
    ("x^{1000}", "an exponent too large"),
    ("x^{-1000}", "an exponent too large"),
    ("1e1000", "an exponent too large"),
    ("9^{9^{9}}", "a tower of powers"),
    ("9^9^9", "a tower of powers"),
    ("9**9**9", "a tower of powers"),
    ("2^{x}^{y}", "a tower of powers"),
    (r"2^\sqrt{9}^9", "a tower of powers"),
    ("(x+y+z)^{10}", "a large power of a bracket"),
]


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_answers_pass(text: str) -> None:
    assert refusal(text) is None


@pytest.mark.parametrize(("text", "reason"), REFUSED)
def test_what_explodes_is_refused(text: str, reason: str) -> None:
    assert refusal(text) == reason
